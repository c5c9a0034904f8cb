// Package keep puts the records of package prelude on the disk. It stands apart
// because that one must import as little as it can.
package keep

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/weir-mcp/weir/internal/prelude"
	"github.com/weir-mcp/weir/upstream/state"
)

// How many records are kept: of hosts that start weir in one way, and of ways to
// start it. The ones that were made last stay, for so long: one that is of use and
// too old is made again.
const (
	maxHosts  = 4
	maxStarts = 16
	longest   = 30 * 24 * time.Hour
)

var errNothing = errors.New("there is nothing to record")

// Record puts a record in the place of what there is for a host that begins like
// the one in it. It does not wait for the disk.
func Record(s *prelude.Start, r *prelude.Record) error {
	if len(r.Answers) == 0 || r.Answers[0].Reply == nil {
		return errNothing
	}
	data, err := r.Encode()
	if err != nil {
		return err
	}
	path := s.Path(r.Answers[0].Line)
	records := filepath.Dir(path)
	folder := filepath.Dir(records)
	if err := errors.Join(state.Closed(folder), state.Closed(records)); err != nil {
		return err
	}
	if err := state.ReplaceCached(path, data); err != nil {
		return err
	}
	now := time.Now()
	_ = os.Chtimes(records, now, now) // it is the latest, whatever happened in it
	leaveLatest(records, maxHosts, now, func(string) bool { return true })
	leaveLatest(folder, maxStarts, now, isRecords)
	return nil
}

// Forget takes away the record of a host that begins like this, if there is one.
func Forget(s *prelude.Start, first []byte) { _ = os.Remove(s.Path(first)) }

// isRecords reports whether something is a folder of records of any format.
func isRecords(name string) bool {
	return strings.HasPrefix(filepath.Ext(name), prelude.AnyRecords)
}

// leaveLatest removes what lies in a folder and is ours, but for so many that are
// not too old. What cannot be removed stays.
func leaveLatest(folder string, many int, now time.Time, ours func(name string) bool) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	type aged struct {
		name string
		at   time.Time
	}
	var all []aged
	for _, entry := range entries {
		if !ours(entry.Name()) {
			continue
		}
		if info, err := entry.Info(); err == nil {
			all = append(all, aged{entry.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b aged) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.name, b.name)) })
	for i, a := range all {
		if i >= many || now.Sub(a.at) > longest {
			_ = os.RemoveAll(filepath.Join(folder, a.name))
		}
	}
}

package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/upstream/state"
)

// A hostRecord is what weir remembers of a file that it has put itself into. Beside
// it lies what the file is to be without weir, as long as nobody else changes it.
type hostRecord struct {
	Host  string       `json:"host"` // as it is written on a command line
	File  string       `json:"file"`
	Name  string       `json:"name"`
	After string       `json:"after"`           // SHA-256 of the file as weir left it
	IsNew bool         `json:"isNew"`           // there is to be no file
	Made  int          `json:"made"`            // of the objects around the entry
	More  bool         `json:"more"`            // the host wrote the entry itself, and more than that
	Taken []takenEntry `json:"taken,omitempty"` // what stood there, and was taken over

	Config string `json:"config"` // the configuration that has what was taken
}

// A takenEntry is a server that a host's file had, and mcp.yaml has now.
type takenEntry struct {
	Name  string          `json:"name"` // in the host's file
	Value json.RawMessage `json:"value"`
}

// removed is a text of a file without the entry, if that is still the one that was
// taken over.
func (e *takenEntry) removed(f *hostFile, text []byte) ([]byte, error) {
	now, err := f.language().Find(text, f.path(e.Name))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(now, e.Value) {
		return nil, errChanged
	}
	return f.language().Remove(text, f.path(e.Name), 0)
}

// given is a text of a file with the entry in it again, if nothing has taken its
// place.
func (e *takenEntry) given(f *hostFile, text []byte) ([]byte, error) {
	now, err := f.language().Find(text, f.path(e.Name))
	if err != nil || now != nil {
		return text, err
	}
	return f.language().Set(text, f.path(e.Name), e.Value)
}

// recordID names the record of an entry, and what its file is without weir.
func recordID(f *hostFile, name string) string {
	digest := sha256.Sum256([]byte(f.real + "\x00" + name))
	return recordPrefix + hex.EncodeToString(digest[:8])
}

const (
	recordPrefix = "install-"
	recordExt    = ".json"
	beforeExt    = ".before"
)

// hostState is where records are kept.
func (a *app) hostState() (state.Folder, error) {
	folder, err := state.UserFolder(a.getenv)
	if err != nil {
		return folder, fmt.Errorf("finding a place to keep what the file was: %w (set $HOME or $XDG_STATE_HOME)", err)
	}
	return folder, nil
}

// recall returns the record of an entry; nil if there is none.
func (a *app) recall(f *hostFile, name string) (*hostRecord, error) {
	folder, err := a.hostState()
	if err != nil {
		return nil, err
	}
	return readRecord(folder, recordID(f, name)+recordExt)
}

// readRecord returns nil for what cannot be understood: the entry is taken out all
// the same.
func readRecord(folder state.Folder, name string) (*hostRecord, error) {
	data, err := folder.Read(name)
	if err != nil || data == nil {
		return nil, err
	}
	var r hostRecord
	if json.Unmarshal(data, &r) != nil {
		return nil, nil
	}
	return &r, nil
}

// takenOver are the titles of hosts whose servers a configuration has taken over, and
// that have not got them back.
func takenOver(folder state.Folder, path string) (titles []string) {
	names, _ := folder.Names() // at worst nothing is said of them
	for _, name := range names {
		if !strings.HasPrefix(name, recordPrefix) || !strings.HasSuffix(name, recordExt) {
			continue
		}
		r, err := readRecord(folder, name)
		if err != nil || r == nil || len(r.Taken) == 0 || !isSameFile(r.Config, path) {
			continue
		}
		if h, ok := hosts.ByID(r.Host); ok && !slices.Contains(titles, h.Title) {
			titles = append(titles, h.Title)
		}
	}
	return titles
}

// planRecord works out what is to be remembered of a change that puts weir's entry
// into a file.
func (a *app) planRecord(c *hostChange) error {
	f := c.file
	old, err := a.recall(f, c.name)
	if err != nil {
		return err
	}
	r := &hostRecord{Host: c.host.ID, File: f.real, Name: c.name, Config: config.Where(a.configFlag)}
	if old != nil && f.entry != nil {
		r.Made, r.Taken = old.Made, slices.Clone(old.Taken)
		if len(c.taken) == 0 {
			r.Config = old.Config
		}
	} else {
		old = nil // of an entry that somebody has taken out
		if r.Made, err = f.language().Missing(f.text, f.path(c.name)); err != nil {
			return f.explain(err)
		}
	}
	for _, e := range c.taken {
		r.Taken = slices.DeleteFunc(r.Taken, func(other takenEntry) bool { return other.Name == e.Name })
		r.Taken = append(r.Taken, e)
	}
	c.record = r
	c.before, err = a.undone(f, c.name, old)
	r.IsNew = c.before == nil
	return f.explain(err)
}

// undone is the text of a file without weir: what it was before, if nobody has
// changed it since; else without the entry, and with what was taken over. It is nil
// if there is to be no file.
func (a *app) undone(f *hostFile, name string, r *hostRecord) (text []byte, err error) {
	if f.isNew {
		return nil, nil
	}
	if r == nil {
		r = &hostRecord{}
	}
	if r.After == digestOf(f.text) && !r.More {
		if r.IsNew {
			return nil, nil
		}
		folder, err := a.hostState()
		if err != nil {
			return nil, err
		}
		if before, err := folder.Read(recordID(f, name) + beforeExt); err != nil || before != nil {
			return before, err
		}
	}
	text = f.text
	for i := range r.Taken {
		if text, err = r.Taken[i].given(f, text); err != nil {
			return nil, err
		}
	}
	return f.language().Remove(text, f.path(name), r.Made)
}

// keepHost keeps the record of a change that is to be made, and what its file is
// without weir. back puts what was kept before in its place.
func keepHost(folder state.Folder, id string, c *hostChange) (back func(), err error) {
	var kept [][]byte
	names := []string{id + beforeExt, id + recordExt}
	for _, name := range names {
		data, err := folder.Read(name)
		if err != nil {
			return nil, err
		}
		kept = append(kept, data)
	}
	if err := replaceState(folder, names[0], c.before); err != nil {
		return nil, err
	}
	if err := c.remember(folder, id); err != nil {
		return nil, err
	}
	return func() {
		for i, name := range names {
			_ = replaceState(folder, name, kept[i]) // at worst it is known of an entry that is not there
		}
	}, nil
}

// remember keeps the record of a change.
func (c *hostChange) remember(folder state.Folder, id string) error {
	c.record.After = digestOf(c.after)
	data, err := json.Marshal(c.record)
	if err != nil {
		return err
	}
	return replaceState(folder, id+recordExt, data)
}

// replaceState puts data into a file of weir's own; nil removes it. The caller holds
// the lock that belongs to it.
func replaceState(folder state.Folder, name string, data []byte) error {
	if data != nil {
		return state.ReplaceFile(folder.Path(name), data)
	}
	if err := os.Remove(folder.Path(name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// forgetHost forgets what was kept of an entry. What is without a record is of no use,
// so that goes last.
func forgetHost(folder state.Folder, id string) error {
	return errors.Join(replaceState(folder, id+recordExt, nil), replaceState(folder, id+beforeExt, nil))
}

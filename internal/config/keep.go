package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weir-mcp/weir/upstream/state"
)

// An Edited is a file before and after a change.
type Edited struct {
	Path   string      // where it really lies
	Mode   fs.FileMode // its permissions
	New    bool        // there was none
	Before []byte
	After  []byte
}

// EditFileKeeping is EditFile that keeps the text before in one more way: keep is
// called when the change is known to be good, and not yet made. It is not called
// for a change that changes nothing.
func EditFileKeeping(ctx context.Context, o Options, change Change, locks state.Folder, keep func(Edited) error) error {
	d, err := openDraft(&o)
	if err != nil {
		return err
	}
	unlock, err := d.lock(ctx, locks)
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.read(); err != nil {
		return err
	}
	d.After = d.Before
	if err := d.edit(o, []Change{change}); err != nil || !d.Changes() {
		return err
	}
	err = os.MkdirAll(filepath.Dir(d.Path), 0o700)
	if err == nil {
		err = keep(Edited{Path: d.Path, Mode: d.mode, New: d.Before == nil, Before: d.Before, After: d.After})
	}
	if err != nil {
		return changing(err)
	}
	return d.write()
}

// ErrOther is the error for a file that is not as it was left.
var ErrOther = errors.New("it was changed since")

// RestoreFile puts a text in the place of the configuration at a path, if what is
// in it has this SHA-256; with nil it removes the file. It fails with ErrOther if
// something else is in it. What was in it is the backup then, as after any change.
func RestoreFile(ctx context.Context, path string, now [sha256.Size]byte, to []byte, locks state.Folder) error {
	d, err := openDraft(&Options{Path: path})
	if err != nil {
		return err
	}
	unlock, err := d.lock(ctx, locks)
	if err != nil {
		return err
	}
	defer unlock()
	err = d.read()
	if err == nil && sha256.Sum256(d.Before) != now {
		err = ErrOther
	}
	if err == nil {
		err = state.ReplaceFileAs(d.Backup(), d.Before, d.mode)
	}
	switch {
	case err != nil:
	case to == nil:
		err = os.Remove(d.Path)
	default:
		err = state.ReplaceFileAs(d.Path, to, d.mode)
	}
	if err != nil {
		return fmt.Errorf("restoring %s: %w", path, err)
	}
	return nil
}

// Preview is what EditFile would make of the configuration, without making it: its
// text before, nil if there is none, and what it would be loaded as.
func Preview(o Options, change Change) (before []byte, after *File, err error) {
	d, err := openDraft(&o)
	if err != nil {
		return nil, nil, err
	}
	if d.After, err = Edit(d.Before, change); err != nil {
		return nil, nil, err
	}
	after, err = parse(o, d.After)
	return d.Before, after, err
}

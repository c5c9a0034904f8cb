package config

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weir-mcp/weir/upstream/state"
)

// A Draft is a change of a configuration that is worked out, so that it can be
// shown, and not made yet.
type Draft struct {
	Path   string // of the file itself, behind all symbolic links
	Before []byte // what is in it; nil if there is none
	After  []byte // what is to be in it

	mode fs.FileMode
}

// ErrMoved is the error of a Draft of a file that has changed since.
var ErrMoved = errors.New("the configuration has been changed by somebody else meanwhile; nothing was written, try again")

// errNothingToUndo is the error of UndoDraft where weir has changed nothing.
var errNothingToUndo = errors.New("there is no change to take back")

// NewDraft works out changes, made one after the other, in the configuration that
// Load finds with these options. What it holds afterwards could be loaded. The
// errors are those of Edit, an *EditError, and what a disk does.
func NewDraft(o Options, changes ...Change) (*Draft, error) {
	d, err := openDraft(&o)
	if err != nil {
		return nil, err
	}
	return d, d.edit(o, changes)
}

// UndoDraft is the Draft that gives back what was in the file before the last
// change that weir made in it. Made twice, it takes itself back.
func UndoDraft(o Options) (*Draft, error) {
	d, err := openDraft(&o)
	if err != nil {
		return nil, err
	}
	d.After, err = readFile(d.Backup(), maxFileSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", d.Backup(), errNothingToUndo)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the backup: %w", err)
	}
	if _, err := parse(o, d.After); err != nil {
		return nil, &EditError{err}
	}
	return d, nil
}

// openDraft is a Draft in which nothing is changed. The path of o becomes the one
// that was found.
func openDraft(o *Options) (*Draft, error) {
	o.Path, _ = find(o.Path)
	if o.Path == "" {
		return nil, errors.New("no place for a configuration is known (--config and $WEIR_CONFIG name one)")
	}
	path, mode, err := realFile(o.Path)
	if err != nil {
		return nil, changing(err)
	}
	d := &Draft{Path: path, mode: mode}
	if err := d.read(); err != nil {
		return nil, err
	}
	d.After = d.Before
	return d, nil
}

// read takes what is in the file now.
func (d *Draft) read() (err error) {
	d.Before, err = readFile(d.Path, maxFileSize)
	if errors.Is(err, fs.ErrNotExist) {
		d.Before = nil
		return nil
	}
	return changing(err)
}

func (d *Draft) edit(o Options, changes []Change) (err error) {
	for _, change := range changes {
		if careful, ok := change.(HarmlessAlias); ok {
			if err := careful.check(o, d.After); err != nil {
				return err
			}
		}
		if d.After, err = Edit(d.After, change); err != nil {
			return err
		}
	}
	if !d.Changes() {
		return nil
	}
	if _, err := parse(o, d.After); err != nil {
		return &EditError{err}
	}
	return nil
}

// Changes reports whether the file would be another one.
func (d *Draft) Changes() bool { return !bytes.Equal(d.Before, d.After) }

// Backup is where the text before lies when a Draft is made: beside the file, with
// ".bak" behind its name.
func (d *Draft) Backup() string { return d.Path + ".bak" }

// Save makes the change, unless the file is not as it was: then the error is
// ErrMoved. A file keeps its permissions; one that is not there is made, and only
// the user can read it. One that was empty when it was made, is taken away when it
// is empty again. locks is where weir's processes keep each other from changing
// the file at once; it waits for those 5 s at most.
func (d *Draft) Save(ctx context.Context, locks state.Folder) error {
	unlock, err := d.lock(ctx, locks)
	if err != nil {
		return err
	}
	defer unlock()
	now := &Draft{Path: d.Path}
	if err := now.read(); err != nil {
		return err
	}
	if !bytes.Equal(now.Before, d.Before) {
		return ErrMoved
	}
	return d.write()
}

// lock keeps other processes of weir from changing the file.
func (d *Draft) lock(ctx context.Context, locks state.Folder) (unlock func(), err error) {
	digest := sha256.Sum256([]byte(d.Path))
	unlock, err = locks.Lock(ctx, "config-"+hex.EncodeToString(digest[:8]))
	return unlock, changing(err)
}

// write is Save under the lock.
func (d *Draft) write() error {
	err := os.MkdirAll(filepath.Dir(d.Path), 0o700)
	if err == nil {
		err = state.ReplaceFileAs(d.Backup(), d.Before, d.mode)
	}
	switch {
	case err != nil:
	case len(d.After) == 0:
		err = os.Remove(d.Path)
	default:
		err = state.ReplaceFileAs(d.Path, d.After, d.mode)
	}
	return changing(err)
}

// changing says of an error what was being done; nil if there is none.
func changing(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("changing the configuration: %w", err)
}

package config

import (
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

// An EditError is a change that would leave a file which cannot be used.
type EditError struct{ Err error }

func (e *EditError) Error() string {
	return "the configuration could not be used with this change: " + e.Err.Error()
}

func (e *EditError) Unwrap() error { return e.Err }

// EditFile makes a change in the configuration that Load finds with these options.
// What it holds afterwards could be loaded; the text before lies beside it, with
// ".bak" behind its name. A file behind symbolic links is changed where it is, and
// keeps its permissions; one that is not there is made. locks is where weir's
// processes keep each other from changing it at once; it waits for those 5 s at
// most. The errors are those of Edit, an *EditError, and what a disk does.
func EditFile(ctx context.Context, o Options, change Change, locks state.Folder) error {
	o.Path, _ = find(o.Path)
	if o.Path == "" {
		return errors.New("no place for a configuration is known (--config and $WEIR_CONFIG name one)")
	}
	path, mode, err := realFile(o.Path)
	if err != nil {
		return fmt.Errorf("changing the configuration: %w", err)
	}
	digest := sha256.Sum256([]byte(path))
	unlock, err := locks.Lock(ctx, "config-"+hex.EncodeToString(digest[:8]))
	if err != nil {
		return fmt.Errorf("changing the configuration: %w", err)
	}
	defer unlock()
	before, err := readFile(path, maxFileSize)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return fmt.Errorf("changing the configuration: %w", err)
	}
	if careful, ok := change.(HarmlessAlias); ok {
		if err := careful.check(o, before); err != nil {
			return err
		}
	}
	after, err := Edit(before, change)
	if err != nil {
		return err
	}
	if string(after) == string(before) {
		return nil
	}
	if _, err := parse(o, after); err != nil {
		return &EditError{err}
	}
	if isNew {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	} else {
		err = state.ReplaceFileAs(path+".bak", before, mode)
	}
	if err == nil {
		err = state.ReplaceFileAs(path, after, mode)
	}
	if err != nil {
		return fmt.Errorf("changing the configuration: %w", err)
	}
	return nil
}

// realFile is where a file really lies, and the permissions that it has, or is to
// have.
func realFile(path string) (string, fs.FileMode, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, 0o600, nil
	}
	if err != nil {
		return "", 0, err
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() {
		return "", 0, fmt.Errorf("%s is no regular file", path)
	}
	return real, info.Mode().Perm(), nil
}

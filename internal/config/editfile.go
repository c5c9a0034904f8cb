package config

import (
	"context"
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

// EditFile makes a change in the configuration that Load finds with these options,
// whatever else is changing it: it is a Draft that is worked out under the lock,
// and saved. The errors are those of both but ErrMoved.
func EditFile(ctx context.Context, o Options, change Change, locks state.Folder) error {
	return EditFileKeeping(ctx, o, change, locks, func(Edited) error { return nil })
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

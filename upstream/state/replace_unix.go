//go:build !windows

package state

import (
	"io/fs"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// ReplaceFile puts a file, 0600, in the place of path. Readers find the old one or the
// new one, whole.
func ReplaceFile(path string, data []byte) error { return ReplaceFileAs(path, data, 0o600) }

// ReplaceFileAs is ReplaceFile with other permissions.
func ReplaceFileAs(path string, data []byte, mode fs.FileMode) error {
	return renameio.WriteFile(path, data, mode,
		renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(mode))
}

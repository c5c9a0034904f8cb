//go:build !windows

package state

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// ReplaceFileAs is ReplaceFile with other permissions.
func ReplaceFileAs(path string, data []byte, mode fs.FileMode) error {
	return replacing(path, renameio.WriteFile(path, data, mode,
		renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(mode)))
}

func rename(from, to string) error { return os.Rename(from, to) }

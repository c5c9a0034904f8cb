//go:build !windows

package state

import (
	"path/filepath"

	"github.com/google/renameio/v2"
)

// ReplaceFile puts a file, 0600, in the place of path. Readers find the old one or the
// new one, whole.
func ReplaceFile(path string, data []byte) error {
	return renameio.WriteFile(path, data, 0o600,
		renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(0o600))
}

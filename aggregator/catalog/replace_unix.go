//go:build !windows

package catalog

import (
	"path/filepath"

	"github.com/google/renameio/v2"
)

// replaceFile puts a file in the place of path. Readers find the old one or the
// new one, whole.
func replaceFile(path string, data []byte) error {
	return renameio.WriteFile(path, data, 0o600,
		renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(0o600))
}

package live

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weir-mcp/weir/upstream/state"
)

// maxPath is how long the path of a socket may be, in bytes: macOS has room for
// 104 with the NUL behind it, Linux for 108.
const maxPath = 103

// ext ends the names of sockets.
const ext = ".sock"

// Places are the folders where the sockets of a user's weirs may be. The zero
// Places have none.
type Places struct {
	own   string // in the folder of state
	short string // elsewhere, where the path of that is too long
}

// PlacesOf returns where the weirs are that have this folder of state.
func PlacesOf(folder state.Folder) Places {
	own := folder.Path("running")
	if own == "" {
		return Places{}
	}
	sum := sha256.Sum256([]byte(own))
	return Places{own: own, short: filepath.Join(os.TempDir(), fmt.Sprintf("weir-%d-%s", os.Getuid(), hex.EncodeToString(sum[:6])))}
}

// all are the folders to look into.
func (p Places) all() []string {
	if p.own == "" {
		return nil
	}
	return []string{p.own, p.short}
}

// prepare makes the folder for a socket of this process, and returns its path.
func (p Places) prepare() (path string, err error) {
	if p.own == "" {
		return "", state.ErrNoFolder
	}
	name := fmt.Sprintf("%d-%s%s", os.Getpid(), rand.Text()[:8], ext)
	if path = filepath.Join(p.own, name); len(path) <= maxPath {
		return path, state.Closed(p.own)
	}
	if path = filepath.Join(p.short, name); len(path) > maxPath {
		return "", errors.New("no folder has a path that is short enough for a socket")
	}
	return path, claim(p.short)
}

// claim makes a folder where others may make some too: it is of use only if it is
// the user's own, and nobody else's to write to.
func claim(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return isOwn(dir)
}

var errForeign = errors.New("the folder for sockets is not the user's own")

// isOwn is nil for a folder that nobody else can put anything into.
func isOwn(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir() || !belongsToUser(info):
		return errForeign
	}
	return nil
}

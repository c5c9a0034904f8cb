//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package watch

import "os"

// crowded is how many entries a folder may have to be watched.
const crowded = 64

// silent reports whether a folder is not to be watched. Here the system tells of
// open files only, so that watching a folder opens all that is in it: too much for
// one with many entries, and in the home folder of macOS it would have the user
// asked whether weir may look at the documents.
func silent(folder string) bool {
	if home, err := os.UserHomeDir(); err == nil && folder == home {
		return true
	}
	f, err := os.Open(folder)
	if err != nil {
		return false // watching it says why
	}
	defer f.Close()
	names, _ := f.Readdirnames(crowded + 1)
	return len(names) > crowded
}

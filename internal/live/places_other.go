//go:build !unix

package live

import "io/fs"

// belongsToUser reports whether a folder is the user's: Windows sees to that by
// where it lies, in the profile, whose access list all in it inherits. It was built and
// vetted, and not run.
func belongsToUser(fs.FileInfo) bool { return true }

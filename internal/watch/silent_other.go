//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package watch

// silent reports whether the system does not tell of all that happens in a folder.
// Windows tells of its own network folders too.
func silent(string) bool { return false }

//go:build !linux

package e2e

// platformCommands are those of the test binary that need this system.
var platformCommands map[string]func()

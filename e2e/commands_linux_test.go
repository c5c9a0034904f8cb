package e2e

// platformCommands are those of the test binary that need this system.
var platformCommands = map[string]func(){"on-full-disk": onFullDiskMain}

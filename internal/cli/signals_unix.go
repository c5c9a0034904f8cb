//go:build unix

package cli

import (
	"os"
	"syscall"
)

// SIGPIPE is watched, not ignored: what is ignored stays so in children.
var watched = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE}

func isHangup(sig os.Signal) bool     { return sig == syscall.SIGHUP }
func isBrokenPipe(sig os.Signal) bool { return sig == syscall.SIGPIPE }

package cli

import (
	"os"
	"syscall"
)

// Go delivers Ctrl-C and Ctrl-Break as os.Interrupt, and the end of the
// console, the log-on or the machine as SIGTERM, says os/signal. It was built and
// vetted, and not run.
var watched = []os.Signal{os.Interrupt, syscall.SIGTERM}

func isHangup(os.Signal) bool     { return false }
func isBrokenPipe(os.Signal) bool { return false }

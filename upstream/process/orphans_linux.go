package process

import (
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A reaper takes note of the ends of processes that weir has not started and
// has become the parent of: what a child has left behind is given to the first
// process, which weir is where it is all that a container runs. Nobody else would
// ever do it, and each stays in the table of processes.
type reaper struct {
	stop chan struct{}
	done chan struct{}
}

// startReaper returns nil where weir inherits nobody.
func startReaper() *reaper {
	if !inherits() {
		return nil
	}
	r := &reaper{stop: make(chan struct{}), done: make(chan struct{})}
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGCHLD)
	go r.run(ends)
	return r
}

// inherits reports whether orphans become children of this process.
func inherits() bool {
	var subreaper int32
	err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&subreaper)), 0, 0, 0) //nolint:gosec // this call is how the kernel wants it
	return os.Getpid() == 1 || err == nil && subreaper != 0
}

// end returns when nothing is left of the reaper, which may be nil.
func (r *reaper) end() {
	if r == nil {
		return
	}
	close(r.stop)
	<-r.done
}

// orphanTime is how long a process must have been a zombie to be nobody's: those
// that weir has started are waited for all the time.
const orphanTime = time.Second

func (r *reaper) run(ends chan os.Signal) {
	defer close(r.done)
	defer signal.Stop(ends)
	for {
		select {
		case <-r.stop:
			return
		case <-ends:
		}
		before := zombies()
		if len(before) == 0 {
			continue
		}
		select {
		case <-r.stop:
			return
		case <-time.After(orphanTime):
		}
		for _, pid := range zombies() {
			if slices.Contains(before, pid) {
				_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil) // gone is as good
			} else {
				notice(ends)
			}
		}
	}
}

// notice makes the reaper look again.
func notice(ends chan os.Signal) {
	select {
	case ends <- syscall.SIGCHLD:
	default:
	}
}

// zombies are the children of this process that have ended and are not reaped.
func zombies() []int {
	own := strconv.Itoa(os.Getpid())
	var found []int
	for _, pid := range processes() {
		if stat(pid, parentProcess) == own && stat(pid, processState) == "Z" {
			found = append(found, pid)
		}
	}
	return found
}

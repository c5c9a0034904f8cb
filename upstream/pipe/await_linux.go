package pipe

import (
	"os"

	"golang.org/x/sys/unix"
)

// inputs is what who waits for input waits for. The kernel is told once: to tell it
// each time costs it more than a tenth of the whole wait.
type inputs struct {
	told  bool
	epoll int // -1: cannot be waited for so, as files cannot
}

// tell is for the reader alone, before it first waits.
func (in *inputs) tell(fds ...int) {
	in.told, in.epoll = true, -1
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return
	}
	for _, fd := range fds {
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &event) != nil {
			_ = unix.Close(epoll)
			return
		}
	}
	in.epoll = epoll
}

func (in *inputs) close() {
	if in.told && in.epoll >= 0 {
		_ = unix.Close(in.epoll)
	}
}

// awaitInput waits for something to read, the deadline or Close. The caller holds
// users, and is the reader.
func (e *End) awaitInput() error {
	if !e.inputs.told {
		e.inputs.tell(e.fd, e.wake)
	}
	if e.inputs.epoll < 0 {
		return e.await(unix.POLLIN)
	}
	for {
		timeout, err := e.timeout()
		if err != nil {
			return err
		}
		var events [2]unix.EpollEvent
		n, err := unix.EpollWait(e.inputs.epoll, events[:], timeout)
		if err != nil && !again(err) {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, event := range events[:max(n, 0)] {
			if int(event.Fd) == e.fd {
				return nil
			}
			e.hear()
		}
	}
}

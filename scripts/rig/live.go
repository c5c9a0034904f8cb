package rig

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"time"
)

// ErrSilent says that a weir tells nothing of itself: it could not make its
// socket, as on a disk that was full.
var ErrSilent = errors.New("weir has no socket to be asked at")

// Goroutines is how many goroutines the process says it has, at the socket where
// "weir servers --live" asks. The error is ErrSilent where it has none.
func (p *Process) Goroutines() (int, error) { return goroutinesOf(p.state, p.Pid()) }

func goroutinesOf(state string, pid int) (int, error) {
	sockets, err := filepath.Glob(filepath.Join(state, "weir", "running", fmt.Sprintf("%d-*.sock", pid)))
	if err != nil {
		panic(err) // the pattern is wrong
	}
	err = ErrSilent
	for _, socket := range sockets {
		var n int
		if n, err = askGoroutines(socket); err == nil {
			return n, nil
		}
	}
	return 0, err
}

// askTime is how long a weir may take to answer: long enough for any that is not
// stuck.
const askTime = 30 * time.Second

func askGoroutines(socket string) (int, error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(askTime)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(c, "\n"); err != nil {
		return 0, err
	}
	text, err := io.ReadAll(c)
	if err != nil {
		return 0, err
	}
	var told struct{ Goroutines int }
	if err := json.Unmarshal(text, &told); err != nil {
		return 0, fmt.Errorf("what weir tells of itself: %w", err)
	}
	return told.Goroutines, nil
}

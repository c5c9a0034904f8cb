package bridge

import (
	"fmt"
	"io"
	"sync"
)

// A trace writes down all lines, in the order in which they pass.
type trace struct {
	mu  sync.Mutex
	log io.Writer
}

func (t *trace) line(process int, direction string, line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.log, "%d %s %s\n", process, direction, line)
}

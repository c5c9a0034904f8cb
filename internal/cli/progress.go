package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// patience is how long a command may take before it says what it waits for.
const patience = time.Second

// A waiting is a line on a terminal that says what a command waits for, shown
// only if the wait is longer than patience.
type waiting struct {
	out  io.Writer
	end  chan struct{}
	done sync.WaitGroup

	mu   sync.Mutex
	what string // guarded by mu
}

// wait starts to wait for something, and shows it if stderr is a terminal. The
// caller calls stop before it prints anything.
func (a *app) wait(what string) *waiting {
	w := &waiting{out: a.Stderr, what: what, end: make(chan struct{})}
	if isTerminal(a.Stderr) {
		w.done.Go(w.show)
	}
	return w
}

// set changes what is waited for. It may be called from any goroutine.
func (w *waiting) set(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.what = what
}

func (w *waiting) stop() {
	close(w.end)
	w.done.Wait()
}

func (w *waiting) show() {
	start := time.Now()
	const clearLine = "\r\x1b[K"
	timer := time.NewTimer(patience)
	defer timer.Stop()
	shown := false
	for {
		select {
		case <-w.end:
			if shown {
				fmt.Fprint(w.out, clearLine)
			}
			return
		case <-timer.C:
			w.mu.Lock()
			what := w.what
			w.mu.Unlock()
			fmt.Fprintf(w.out, "%s%s … %d s", clearLine, printable(what), int(time.Since(start).Seconds()))
			shown = true
			timer.Reset(patience / 4)
		}
	}
}

// progressText says what a progress notification says: as a bar where the server
// tells how much there is in all.
func progressText(name string, params []byte) string {
	members, _ := jsonrpc.ParseObject(nil, params)
	done, total := jsonrpc.Find(members, "progress"), jsonrpc.Find(members, "total")
	text := "calling " + name + ": "
	if bar := progressBar(string(done), string(total)); bar != "" {
		text += bar
	} else {
		text += string(done)
	}
	if message := textOf(members, "message"); message != "" {
		text += " " + message
	}
	return text
}

// progressBar draws how much is done; "" where that cannot be said.
func progressBar(done, total string) string {
	const cells = 20
	part, err := strconv.ParseFloat(done, 64)
	whole, errWhole := strconv.ParseFloat(total, 64)
	if err != nil || errWhole != nil || !(whole > 0) || !(part >= 0) {
		return ""
	}
	share := min(part/whole, 1) // servers count beyond their own total
	full := int(share * cells)
	return fmt.Sprintf("[%s%s] %d %%", strings.Repeat("#", full), strings.Repeat("-", cells-full), int(share*100))
}

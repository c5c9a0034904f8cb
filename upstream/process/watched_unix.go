//go:build unix

package process

import (
	"bufio"
	"io"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// watched is what the guardian knows.
type watched struct {
	token  string
	groups map[int]string // number -> start of the leader
}

// readWatched follows the lines from weir until they end. Before each wait it
// calls idle.
func readWatched(in io.Reader, idle func()) *watched {
	w := &watched{groups: make(map[int]string)}
	lines := bufio.NewReaderSize(in, 512)
	for {
		if lines.Buffered() == 0 {
			idle()
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			return w // a line without an end is not to be believed
		}
		w.note(strings.Fields(line))
	}
}

func (w *watched) note(fields []string) {
	if len(fields) < 2 {
		return
	}
	if fields[0] == "token" {
		w.token = fields[1]
		return
	}
	pid, err := strconv.Atoi(fields[1])
	if err != nil || pid <= 1 {
		return // -1 and 0 would be everybody and ourselves
	}
	switch fields[0] {
	case "+":
		w.groups[pid] = ""
		if len(fields) > 2 {
			w.groups[pid] = fields[2]
		}
	case "-":
		delete(w.groups, pid)
	}
}

// Weir's end is at most five seconds earlier than that of all it has started.
const (
	graceTime  = 2 * time.Second         // from SIGTERM to SIGKILL
	watchTime  = 4500 * time.Millisecond // then the guardian gives up
	watchPause = 50 * time.Millisecond
)

// endAll ends all groups and all who carry the token, round by round, since who
// is ended may start others on the way.
func (w *watched) endAll() {
	begin := time.Now()
	toldGroups, toldCarriers := make(map[int]bool), make(map[int]bool)
	for time.Since(begin) < watchTime {
		sig := syscall.SIGTERM
		if time.Since(begin) >= graceTime {
			sig = syscall.SIGKILL
		}
		left := w.signalGroups(sig, toldGroups) + w.signalCarriers(sig, toldCarriers)
		if left == 0 {
			return
		}
		<-time.After(watchPause)
	}
}

// signalGroups signals the groups and returns how many are left. SIGTERM goes
// to each once: told holds who had it.
func (w *watched) signalGroups(sig syscall.Signal, told map[int]bool) int {
	for pid, started := range w.groups {
		if now := startOf(pid); group(pid).empty() || now != "" && now != started {
			delete(w.groups, pid) // the number may be somebody else's from now on
			continue
		}
		if sig == syscall.SIGKILL || !told[pid] {
			group(pid).signal(sig)
			told[pid] = true
		}
	}
	return len(w.groups)
}

// ignoreSignals: nobody but weir's end ends the guardian.
func ignoreSignals() {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE)
}

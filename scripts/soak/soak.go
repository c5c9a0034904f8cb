package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weir-mcp/weir/scripts/rig"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// patience is how long a call may take before the run gives up.
const patience = time.Minute

// inFlight is how many calls are under way at once.
const inFlight = 32

// A soak is one run.
type soak struct {
	weir      []string // the command
	relay     string   // a program that is a relay when told so
	calls     int
	upstreams int
	told      io.Writer // of how far it has come

	servers []*rig.Server
	process *rig.Process

	slots chan struct{} // one element for each call under way

	mu       sync.Mutex
	open     map[int]bool // calls under way, by their ids
	failed   int          // calls that weir says have failed
	breaks   int          // of servers
	problem  error        // the first
	answered chan struct{}
}

// A sample is what weir takes after so many calls.
type sample struct {
	calls                     int
	files, threads, offspring int
	memory                    int64
}

// samplesWanted is how often a run is looked at.
const samplesWanted = 400

// run runs, and returns what it has seen of weir.
func (s *soak) run(dir string) (samples []sample, err error) {
	s.slots, s.open, s.answered = make(chan struct{}, inFlight), map[int]bool{}, make(chan struct{}, 1)
	defer func() {
		for _, server := range s.servers {
			err = errors.Join(err, server.Close())
		}
	}()
	if err := s.start(dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	every, breakEvery := max(s.calls/samplesWanted, 1), max(min(s.calls/50, 1000), 50)
	begun := time.Now()
	for n := 1; n <= s.calls; n++ {
		if err := s.call(n); err != nil {
			return samples, err
		}
		if n%breakEvery == 0 {
			s.breakOne(n / breakEvery)
		}
		if n%every == 0 {
			now, err := s.sample(n)
			if err != nil {
				return samples, err
			}
			samples = append(samples, now)
		}
		if n%max(s.calls/10, 1) == 0 {
			fmt.Fprintf(s.told, "soak: %d calls, %.0f s, %d failed, %d breaks, %+v\n", n, time.Since(begun).Seconds(), s.failures(), s.breaks, samples[len(samples)-1])
		}
	}
	return samples, s.drain()
}

// start serves, starts weir, and shakes hands.
func (s *soak) start(dir string) error {
	var config strings.Builder
	config.WriteString("policy: {default: execute}\naudit: {file: 'off'}\nservers:\n")
	transports := []rig.Transport{rig.Stdio, rig.HTTP, rig.SSE, rig.WebSocket}
	for i := range s.upstreams {
		script := upstreamtest.Script{Unnoted: true, Tools: nil}
		if i/len(transports)%2 == 1 && transports[i%len(transports)] != rig.SSE {
			script.Versions = []string{upstreamtest.Modern}
		}
		server, err := rig.Serve(transports[i%len(transports)], upstreamtest.NewWith(script, echo{}), rig.Options{Program: s.relay, Dir: dir})
		if err != nil {
			return err
		}
		s.servers = append(s.servers, server)
		fmt.Fprintf(&config, "  s%d: %s\n", i, server.Config())
	}
	file := filepath.Join(dir, "mcp.yaml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		return err
	}
	folders, err := rig.NewFolders(dir)
	if err != nil {
		return err
	}
	s.process, err = rig.Start(append(s.weir, "serve", "--config", file), folders, dir, nil, s.take)
	if err != nil {
		return err
	}
	for id, request := range []string{
		`"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"soak","version":"1"}}`,
		`"method":"tools/list","params":{}`,
	} {
		if err := s.request(-1-id, request); err != nil {
			return err
		}
		if err := s.drain(); err != nil {
			return err
		}
		if id == 0 {
			if err := s.process.Send([]byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n"), patience); err != nil {
				return err
			}
		}
	}
	return nil
}

// echo answers every call with its arguments.
type echo struct{}

// Capabilities implements upstreamtest.Handler.
func (echo) Capabilities(string) []byte { return []byte(`{"tools":{}}`) }

// Handle implements upstreamtest.Handler.
func (echo) Handle(x upstreamtest.Exchange) bool {
	complete := ""
	if x.Modern() {
		complete = `"resultType":"complete",`
	}
	switch string(x.Message().Method) {
	case "tools/list":
		if x.Modern() {
			complete += x.Hints() + ","
		}
		x.Reply(`{` + complete + `"tools":[` + string(upstreamtest.Tool("echo")) + `]}`)
	case "tools/call":
		x.Reply(`{` + complete + `"content":[],"structuredContent":` + string(jsonrpc.Find(x.Message().Fields, "arguments")) + `}`)
	default:
		return false
	}
	return true
}

// call makes the nth call, when there is room for one more.
func (s *soak) call(n int) error {
	return s.request(n, fmt.Sprintf(`"method":"tools/call","params":{"name":"s%d__echo","arguments":{"n":%d,"text":%q}}`,
		n%s.upstreams, n, strings.Repeat("z", n%2000)))
}

func (s *soak) request(id int, members string) error {
	select {
	case s.slots <- struct{}{}:
	case <-time.After(patience):
		return s.missing()
	case <-s.process.Ended():
		return fmt.Errorf("weir has ended: %w", s.process.Outcome())
	}
	s.mu.Lock()
	s.open[id] = true
	problem := s.problem
	s.mu.Unlock()
	if problem != nil {
		return problem
	}
	return s.process.Send([]byte(`{"jsonrpc":"2.0","id":`+strconv.Itoa(id)+`,`+members+"}\n"), patience)
}

// take takes a line of weir's.
func (s *soak) take(line []byte) {
	var m jsonrpc.Message
	err := m.Parse(line)
	if err == nil && m.Kind == jsonrpc.Notification {
		return
	}
	id, wrong := strconv.Atoi(string(m.ID))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil || wrong != nil || !s.open[id]:
		s.problem = errors.Join(s.problem, fmt.Errorf("an answer to nothing: %.300s", line))
		return
	case id < 0:
	case strings.Contains(string(m.Raw), `"weir/error"`):
		s.failed++
	case !strings.HasPrefix(string(jsonrpc.Find(m.Fields, "structuredContent")), `{"n":`+strconv.Itoa(id)+`,`):
		s.problem = errors.Join(s.problem, fmt.Errorf("the answer to another call than %d: %.300s", id, line))
	}
	delete(s.open, id)
	<-s.slots
}

func (s *soak) missing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Errorf("%d calls are not answered within %v", len(s.open), patience)
}

func (s *soak) failures() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// drain waits until nothing is under way.
func (s *soak) drain() error {
	for range inFlight {
		select {
		case s.slots <- struct{}{}:
		case <-time.After(patience):
			return s.missing()
		case <-s.process.Ended():
			return fmt.Errorf("weir has ended: %w", s.process.Outcome())
		}
	}
	for range inFlight {
		<-s.slots
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem
}

// breakOne kills one server, or breaks its connections off, in turn.
func (s *soak) breakOne(turn int) {
	server := s.servers[turn%len(s.servers)]
	s.breaks++
	if server.Transport() == rig.Stdio {
		server.Kill()
		return
	}
	server.Reset()
}

func (s *soak) sample(calls int) (sample, error) {
	files, err1 := s.process.Files()
	threads, err2 := s.process.Threads()
	memory, err3 := s.process.Memory()
	return sample{calls, files, threads, len(s.process.Offspring()), memory}, errors.Join(err1, err2, err3)
}

// maxSaid is how much of what weir said is told when it ends badly, in bytes.
const maxSaid = 8 << 10

// end ends weir, and sees that nothing is left of it.
func (s *soak) end() error {
	s.process.CloseInput()
	select {
	case <-s.process.Ended():
	case <-time.After(patience):
		s.process.Kill()
		return errors.New("weir has not ended with its input")
	}
	if err := s.process.Outcome(); err != nil {
		said, _ := s.process.Stderr() // what there is of it
		return fmt.Errorf("weir: %w: %s", err, said[max(0, len(said)-maxSaid):])
	}
	for end := time.Now().Add(5 * time.Second); len(s.process.Offspring()) > 0; <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("weir has left processes: %v", s.process.Offspring())
		}
	}
	return nil
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weir-mcp/weir/scripts/rig"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// figures are what a weir takes of its system.
type figures struct {
	files, threads, offspring int
	memory                    int64
}

func (p *player) figures() (figures, error) {
	files, err1 := p.process.Files()
	threads, err2 := p.process.Threads()
	memory, err3 := p.process.Memory()
	offspring := slices.DeleteFunc(p.process.Offspring(), rig.Running.Detached)
	return figures{files, threads, len(offspring), memory}, errors.Join(err1, err2, err3)
}

// What a weir may have more than at its start: threads that the runtime keeps,
// and memory that it has not given back. A connection or two of a host that calls
// meanwhile may rest in the pool of HTTP.
const (
	moreFiles   = 4
	moreThreads = 32
	moreMemory  = 96 << 20
)

// takeFigures takes the figures that hold from now on. Nothing must be under way
// to any server.
func (p *player) takeFigures() (figures, error) {
	for _, s := range p.w.living() {
		s.CloseIdle()
	}
	return p.figures()
}

// visit calls every server that can be reached until each has answered as it
// should. One that weir lets alone for longer than anybody would wait is left out.
func (p *player) visit() error {
	for _, s := range p.w.living() {
		end := time.Now().Add(patience)
		for {
			r, err := p.call(s, plain, 0)
			if err != nil {
				return err
			}
			if err := p.awaitAll([]*request{r}); err != nil {
				return err
			}
			failure, failed := failureOf(r.answer)
			if !failed {
				break
			}
			pause := max(failure.retryAfter, 50*time.Millisecond)
			if time.Now().Add(pause).After(end) {
				p.w.journal.note(p.name, "%s is let alone: %.300s", s.name, r.answer.Raw)
				if failure.retryAfter < patience {
					p.w.journal.violated(p.name, "%s is well again and not used: %.300s", s.name, r.answer.Raw)
				}
				break
			}
			<-time.After(pause) // as weir has said
		}
	}
	return nil
}

// finish ends what was begun, when all faults are over, and uses every server
// again.
func (p *player) finish() error {
	if err := p.restoreConfig(); err != nil {
		return err
	}
	if err := p.settle(); err != nil {
		return err
	}
	if err := p.visit(); err != nil {
		return err
	}
	return p.seeLists()
}

// leave ends weir, in either way.
func (p *player) leave() error {
	if p.random.IntN(2) == 0 {
		return p.end()
	}
	return p.dump()
}

// seeLists waits until weir lists of every server that is well what it lists now.
// A change that a modern server made between answering with its list and
// acknowledging the subscription was told to nobody: so all is announced again.
func (p *player) seeLists() error {
	for _, s := range p.w.well() {
		s.scripted.SetTools()
	}
	end := time.Now().Add(patience)
	for {
		versions, err := p.versions()
		if err != nil {
			return err
		}
		var behind []string
		for _, s := range p.w.well() {
			if got, listed := versions[s.name]; !listed || got != s.listed() {
				behind = append(behind, fmt.Sprintf("%s %d (listed: %v), want %d", s.name, got, listed, s.listed()))
			}
		}
		if len(behind) == 0 {
			return nil
		}
		if time.Now().After(end) {
			p.w.journal.violated(p.name, "lists are behind: %s", strings.Join(behind, "; "))
			return nil
		}
		<-time.After(50 * time.Millisecond) // lists come by themselves
	}
}

// compare waits until weir takes no more than at the start.
func (p *player) compare(start figures) error {
	end := time.Now().Add(patience / 2)
	for {
		for _, s := range p.w.living() {
			s.CloseIdle() // how many rest in the pool of HTTP is nobody's business
		}
		now, err := p.figures()
		if err != nil {
			return err
		}
		if now.files <= start.files+moreFiles && now.threads <= start.threads+moreThreads &&
			now.offspring <= start.offspring && now.memory <= start.memory+moreMemory {
			p.w.journal.note(p.name, "takes %+v, at the start %+v", now, start)
			return nil
		}
		if time.Now().After(end) {
			p.w.journal.violated(p.name, "weir takes %+v, at the start %+v; its offspring: %v", now, start, p.process.Offspring())
			return nil
		}
		<-time.After(50 * time.Millisecond) // what ends does so by itself
	}
}

// dump ends weir by SIGQUIT, at which it tells of its goroutines.
func (p *player) dump() error {
	p.process.Signal(syscall.SIGQUIT)
	<-p.process.Ended()
	p.forsake()
	_ = p.process.Outcome() // 2
	p.lives = append(p.lives, p.process)
	return nil
}

// moreGoroutines is how many more goroutines weir may have for each server at
// the end than it had after its start: connections in the pool of HTTP have two
// each.
const moreGoroutines = 4

// checkLives looks at what is left of all weirs of the host, which have ended.
func (p *player) checkLives(first int) {
	for i, life := range p.lives {
		for end := time.Now().Add(5 * time.Second); ; <-time.After(10 * time.Millisecond) {
			left := life.Offspring()
			if len(left) == 0 {
				break
			}
			if time.Now().After(end) {
				p.w.journal.violated(p.name, "life %d has left processes: %v", i, left)
				break
			}
		}
		files, err := life.LeftInTemp()
		if err != nil || len(files) > 0 {
			p.w.journal.violated(p.name, "life %d has left temp files: %q, %v", i, files, err)
		}
		stderr, err := life.Stderr()
		if err != nil {
			p.w.journal.violated(p.name, "stderr of life %d: %v", i, err)
		}
		for _, word := range []string{"panic:", "DATA RACE", "fatal error:"} {
			if at := bytes.Index(stderr, []byte(word)); at >= 0 {
				p.w.journal.violated(p.name, "life %d says: %.6000s", i, stderr[at:])
			}
		}
		stacks := goroutines(stderr)
		if total := sum(stacks); total > 0 {
			p.w.journal.note(p.name, "life %d had %d goroutines", i, total)
			if first > 0 && total > first+moreGoroutines*len(p.w.servers) {
				p.w.journal.violated(p.name, "life %d had %d goroutines, %d at the start: %v", i, total, first, stacks)
			}
		}
	}
}

var created = regexp.MustCompile(`(?m)^created by (\S+)`)

// goroutines counts those in a dump by what has started them.
func goroutines(stderr []byte) map[string]int {
	found := map[string]int{}
	for _, match := range created.FindAllSubmatch(stderr, -1) {
		found[string(match[1])]++
	}
	return found
}

func sum(counts map[string]int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}

// A failure is what weir tells when a call has not come to its end.
type failure struct {
	kind          string
	maybeExecuted bool
	retryAfter    time.Duration
}

// kinds are all that there are.
var kinds = strings.Fields(`server_not_found tool_not_found connection transport authentication authorization protocol tool_execution
	timeout configuration serialization server_exists invalid_url rate_limited validation tool_changed approval_required`)

// failureOf is what weir tells in an answer; none where it is the server's own.
func failureOf(m *jsonrpc.Message) (f failure, failed bool) {
	raw := jsonrpc.Find(m.Fields, "data")
	if m.Kind == jsonrpc.Response {
		meta, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(m.Fields, "_meta"))
		raw = jsonrpc.Find(meta, "weir/error")
	}
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return f, false
	}
	f.kind, err = jsonrpc.String(jsonrpc.Find(members, "kind"))
	f.maybeExecuted = string(jsonrpc.Find(members, "maybeExecuted")) == "true"
	ms, _ := strconv.Atoi(string(jsonrpc.Find(members, "retryAfterMs")))
	f.retryAfter = time.Duration(ms) * time.Millisecond
	return f, err == nil
}

// judge looks at what became of every call, when nothing can be executed any more.
func (h *host) judge() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.all {
		if complaint := h.complaint(r); complaint != "" {
			answer := []byte("nothing")
			if r.answer != nil {
				answer = r.answer.Raw
			}
			h.w.journal.violated(h.name, "%s (%s: %s): %s; executed %d times, answered: %.400s",
				r.task.token, r.server.name, r.task.do, complaint, h.w.ledger.executions(r.task.token), answer)
		}
	}
}

// complaint says what was wrong with a call, "" for nothing.
func (h *host) complaint(r *request) string {
	executions := h.w.ledger.executions(r.task.token)
	switch {
	case executions > 1:
		return "it was executed more than once"
	case r.answer == nil && !r.cancelled && !r.void:
		return "it was never answered"
	case r.answer == nil:
		return ""
	}
	f, failed := failureOf(r.answer)
	switch {
	case failed && r.healthy && !r.cancelled:
		return "a server that is well has failed"
	case failed && !slices.Contains(kinds, f.kind):
		return "unknown kind of failure"
	case failed && !f.maybeExecuted && executions > 0:
		return "it was executed, and weir says that it was not"
	case failed:
		return ""
	case executions == 0:
		return "it was not executed, and is answered as if it had been"
	case r.answer.Kind == jsonrpc.Failure:
		return wrongError(r)
	}
	return wrongResult(r)
}

func wrongError(r *request) string {
	data, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(r.answer.Fields, "data"))
	switch token, _ := jsonrpc.String(jsonrpc.Find(data, "token")); {
	case r.task.do == undecided:
		return "" // neither is the server's word
	case r.task.do != fails:
		return "an error that the server has not sent"
	case token != r.task.token:
		return "the answer to another call"
	}
	return ""
}

func wrongResult(r *request) string {
	refused := string(jsonrpc.Find(r.answer.Fields, "isError")) == "true"
	switch {
	case r.task.do == nonsense && string(r.answer.Result) == "5":
		return "" // the server's own word, such as it is
	case string(jsonrpc.Find(r.answer.Fields, "structuredContent")) != result(r.task):
		return "not the answer to this call, or not all of it"
	case refused != (r.task.do == refuses):
		return "not the answer that the server has sent"
	}
	return ""
}

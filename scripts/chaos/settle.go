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
	goroutines                int // 0 where weir does not say
	memory                    int64
}

func (p *player) figures() (figures, error) {
	files, err1 := p.process.Files()
	threads, err2 := p.process.Threads()
	memory, err3 := p.process.Memory()
	goroutines, err4 := p.process.Goroutines()
	if errors.Is(err4, rig.ErrSilent) {
		err4 = nil
	}
	offspring := slices.DeleteFunc(p.process.Offspring(), rig.Running.Detached)
	return figures{files, threads, len(offspring), goroutines, memory}, errors.Join(err1, err2, err3, err4)
}

// What a weir may have more than at its start: threads that the runtime keeps,
// and memory that it has not given back. A connection or two of a host that calls
// meanwhile may rest in the pool of HTTP, with two goroutines each.
const (
	moreFiles      = 4
	moreThreads    = 32
	moreMemory     = 96 << 20
	moreGoroutines = 4 // for each server
)

// within reports whether this is no more than at the start, with so many servers.
func (f *figures) within(start *figures, servers int) bool {
	return f.files <= start.files+moreFiles && f.threads <= start.threads+moreThreads &&
		f.offspring <= start.offspring && f.memory <= start.memory+moreMemory &&
		(start.goroutines == 0 || f.goroutines <= start.goroutines+moreGoroutines*servers)
}

// takeFigures takes the figures that hold from now on. Nothing must be under way
// to any server. A weir tells of itself a moment after its first answers.
func (p *player) takeFigures() (f figures, err error) {
	for end := time.Now().Add(patience / 2); f.goroutines == 0 && err == nil; <-time.After(50 * time.Millisecond) {
		if time.Now().After(end) {
			return f, errors.New(p.name + ": weir does not tell of itself")
		}
		for _, s := range p.w.living() {
			s.CloseIdle()
		}
		f, err = p.figures()
	}
	return f, err
}

// visit uses every server that can be reached. It returns those that weir lets
// alone for longer than anybody would wait.
func (p *player) visit() (alone []*server, err error) {
	for _, s := range p.w.living() {
		isAlone, err := p.use(s)
		if err != nil {
			return nil, err
		}
		if isAlone {
			alone = append(alone, s)
		}
	}
	return alone, nil
}

// use calls a server until it has answered as it should. It reports whether weir
// lets it alone for longer than anybody would wait.
func (p *player) use(s *server) (alone bool, err error) {
	end := time.Now().Add(patience)
	for {
		r, err := p.call(s, plain, 0)
		if err != nil {
			return false, err
		}
		if err := p.awaitAll([]*request{r}); err != nil {
			return false, err
		}
		failure, failed := failureOf(r.answer)
		if !failed {
			return false, nil
		}
		pause := max(failure.retryAfter, 50*time.Millisecond)
		if time.Now().Add(pause).After(end) {
			p.w.journal.note(p.name, "%s is let alone: %.300s", s.name, r.answer.Raw)
			if failure.retryAfter < patience {
				p.w.journal.violated(p.name, "%s is well again and not used: %.300s", s.name, r.answer.Raw)
			}
			return true, nil
		}
		<-time.After(pause) // as weir has said
	}
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
	alone, err := p.visit()
	if err != nil {
		return err
	}
	return errors.Join(p.seeLists(), p.hearFollowed(alone))
}

// leave ends weir, in either way.
func (p *player) leave() error {
	select {
	case <-p.process.Ended():
		return nil // it was made to tell of its goroutines
	default:
	}
	if p.random.IntN(2) == 0 {
		return p.end()
	}
	p.lose(syscall.SIGKILL)
	return nil
}

// seeLists waits until weir lists of every server that is well what it lists now.
// The host lists only when it is told that something has changed, as hosts do.
func (p *player) seeLists() error {
	for end := time.Now().Add(patience); ; {
		told := p.toldOfChanges()
		behind, err := p.behind()
		if err != nil || behind == "" {
			return err
		}
		if p.awaitUntil(end, func() bool { return p.changes > told }) {
			continue
		}
		if still, err := p.behind(); err != nil || still == "" {
			p.w.journal.violated(p.name, "nothing was told of lists that have changed: %s", behind)
			return err
		}
		p.w.journal.violated(p.name, "lists are behind: %s", behind)
		return nil
	}
}

func (p *player) toldOfChanges() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changes
}

// behind lists the tools, and says of which servers that are well the lists are
// old ones.
func (p *player) behind() (string, error) {
	versions, err := p.versions()
	if err != nil {
		return "", err
	}
	var behind []string
	for _, s := range p.w.well() {
		if got, listed := versions[s.name]; !listed || got != s.listed() {
			behind = append(behind, fmt.Sprintf("%s %d (listed: %v), want %d", s.name, got, listed, s.listed()))
		}
	}
	return strings.Join(behind, "; "), nil
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
		if now.within(&start, len(p.w.servers)) {
			p.w.journal.note(p.name, "takes %+v, at the start %+v", now, start)
			return nil
		}
		if time.Now().After(end) {
			offspring := p.process.Offspring()
			p.w.journal.violated(p.name, "weir takes %+v, at the start %+v; its offspring: %v; its goroutines: %v", now, start, offspring, p.stacks())
			return nil
		}
		<-time.After(50 * time.Millisecond) // what ends does so by itself
	}
}

// lose has a signal end weir, and with it whatever is under way.
func (p *player) lose(by syscall.Signal) {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	p.process.Signal(by)
	<-p.process.Ended()
	p.forsake()
	_ = p.process.Outcome() // that of the signal
	p.lives = append(p.lives, p.process)
}

// stacks ends weir by SIGQUIT, at which it tells what its goroutines are.
func (p *player) stacks() map[string]int {
	p.lose(syscall.SIGQUIT)
	stderr, _ := p.process.Stderr() // it is read once more in the end
	return goroutines(stderr)
}

// checkLives looks at what is left of all weirs of the host, which have ended.
func (p *player) checkLives() {
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
		p.w.journal.seeSecrets(p.name, stderr)
		for _, word := range []string{"panic:", "DATA RACE", "fatal error:"} {
			if at := bytes.Index(stderr, []byte(word)); at >= 0 {
				p.w.journal.violated(p.name, "life %d says: %.6000s", i, stderr[at:])
			}
		}
	}
}

// keepStderr writes behind the journal what all weirs of the host have said.
func (p *player) keepStderr(j *journal) {
	for i, life := range p.lives {
		stderr, err := life.Stderr()
		j.append(fmt.Sprintf("stderr of %s, life %d (%v):\n%s", p.name, i, err, stderr))
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

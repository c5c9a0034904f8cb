package upstream

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/process"
	"github.com/weir-mcp/weir/upstream/transport"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

const guardianArgument = "__guardian"

// TestMain makes the test binary the guardian and the child servers too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == guardianArgument {
		process.GuardianMain()
		syscall.Exit(0)
	}
	if os.Getenv(stubbornVariable) != "" {
		syscall.Exit(stubborn())
	}
	upstreamtest.Child()
	os.Exit(m.Run())
}

// events is a Handler that keeps what it is told.
type events struct {
	mu            sync.Mutex
	notifications []string
	messages      []string // the same, whole
	ofCall        []*Call  // whose stream they came on
	states        []State
	questions     []*Question
	withdrawn     []string // "ID REASON"

	asked func(*jsonrpc.Batch, *Question) // refuses them if nil; set before any
	ready func(*Upstream)                 // may be nil; set before any connection
	heard chan string                     // gets the methods of notifications, if not nil; set before any
	gone  chan string                     // gets what was withdrawn, if not nil; set before any
}

func (e *events) Notification(_ *Upstream, _ *jsonrpc.Batch, m *jsonrpc.Message, call *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notifications = append(e.notifications, string(m.Method))
	e.messages = append(e.messages, string(m.Raw))
	e.ofCall = append(e.ofCall, call)
	if e.heard != nil {
		e.heard <- string(m.Method)
	}
}

func (e *events) Question(b *jsonrpc.Batch, q *Question) {
	e.mu.Lock()
	e.questions = append(e.questions, q)
	e.mu.Unlock()
	if e.asked == nil {
		q.Refuse(b, codeMethodNotFound, "Method not found")
		return
	}
	e.asked(b, q)
}

func (e *events) Withdrawn(_ *jsonrpc.Batch, q *Question, reason []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.withdrawn = append(e.withdrawn, string(q.Message.ID)+" "+string(reason))
	if e.gone != nil {
		e.gone <- e.withdrawn[len(e.withdrawn)-1]
	}
}

// open returns the questions so far.
func (e *events) open() []*Question {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.questions)
}

func (e *events) ended() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.withdrawn)
}

func (e *events) told() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.messages)
}

func keepOpen(*jsonrpc.Batch, *Question) {}

func (e *events) StateChanged(u *Upstream) {
	e.mu.Lock()
	defer e.mu.Unlock()
	state := u.Status().State
	e.states = append(e.states, state)
	if e.ready != nil && state == Ready {
		e.ready(u)
	}
}

func (e *events) count(method string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, m := range e.notifications {
		if m == method {
			n++
		}
	}
	return n
}

const memory = "memory"

// dialMemory reaches a scripted server in memory.
func dialMemory(s *upstreamtest.Server) Dialer {
	return func(_ context.Context, cfg Config, recv transport.Receiver) (transport.Conn, error) {
		p := s.Pipe()
		return transport.NewLines(transport.Pipes(p, p), recv, cfg.MessageLimit), nil
	}
}

// fixture is a Set of one upstream, "u".
type fixture struct {
	*Upstream
	set    *Set
	events *events
}

// open makes the Set for a host of the given era; it is closed with the test,
// or sooner by the test itself.
func open(t testing.TB, cfg Config, dial Dialer, p Peer) fixture {
	t.Helper()
	cfg.Name = "u"
	if cfg.Transport == "" {
		cfg.Transport = memory
	}
	e := &events{}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Name: "weir", Version: "0", Handler: e, Log: zerolog.Nop(),
		Process: ProcessOptions{Environ: os.Environ(), Guardian: []string{program, guardianArgument}},
	}
	if dial != nil {
		o.Dialers = map[string]Dialer{cfg.Transport: dial}
	}
	set := NewSet([]Config{cfg}, o)
	t.Cleanup(set.Close)
	set.Open(p)
	return fixture{set.Get("u"), set, e}
}

var (
	legacyHost = Peer{Version: upstreamtest.Legacy}
	modernHost = Peer{Modern: true, Version: upstreamtest.Modern}
)

// openScript is open for a scripted server in memory.
func openScript(t testing.TB, script upstreamtest.Script, p Peer) (fixture, *upstreamtest.Server) {
	t.Helper()
	return openConfig(t, Config{}, script, p)
}

func openConfig(t testing.TB, cfg Config, script upstreamtest.Script, p Peer) (fixture, *upstreamtest.Server) {
	t.Helper()
	if script.Tools == nil {
		script.Tools = []raw{upstreamtest.Tool("echo")}
	}
	s := newServer(script)
	return open(t, cfg, dialMemory(s), p), s
}

// newServer returns a scripted server. A rule for the nth message only counts
// those that no rule before it took: so the latest come first.
func newServer(script upstreamtest.Script) *upstreamtest.Server {
	script.Rules = slices.Clone(script.Rules)
	slices.SortStableFunc(script.Rules, func(a, b upstreamtest.Rule) int { return b.Nth - a.Nth })
	return upstreamtest.New(script)
}

// told is what a Sink was told at the end.
type told struct {
	raw    string
	err    error
	modern bool
}

// sink keeps what it is told.
type sink struct {
	mu       sync.Mutex
	progress []string
	done     chan told // has room for what must not come
}

func newSink() *sink { return &sink{done: make(chan told, 8)} }

func (s *sink) Progress(_ *jsonrpc.Batch, m *jsonrpc.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = append(s.progress, string(m.Params))
}

func (s *sink) Done(_ *jsonrpc.Batch, a Answer) {
	d := told{err: a.Err, modern: a.Modern}
	if a.Message != nil {
		d.raw = string(a.Message.Raw)
	}
	s.done <- d
}

// wait returns the outcome, and checks that there is no second one yet.
func (s *sink) wait(t testing.TB) told {
	t.Helper()
	select {
	case d := <-s.done:
		if len(s.done) > 0 {
			t.Errorf("got a second outcome %+v", <-s.done)
		}
		return d
	case <-time.After(30 * time.Minute):
		t.Fatal("the call has no outcome")
		return told{}
	}
}

func (s *sink) none(t testing.TB) {
	t.Helper()
	select {
	case d := <-s.done:
		t.Errorf("got outcome %+v, want none", d)
	default:
	}
}

func (s *sink) progressed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.progress)
}

// toolCall is a call of a tool with these raw params beside its name.
func toolCall(s Sink, tool, params string) *Call {
	text := `{"name":` + string(quoted(tool))
	if params != "" {
		text += "," + params
	}
	members, err := jsonrpc.ParseObject(nil, []byte(text+"}"))
	if err != nil {
		panic(err)
	}
	return &Call{Method: "tools/call", Name: tool, Params: members, Meta: metaOf(members), Sink: s}
}

// Do is the Upstream's. Afterwards it does what every caller may do with its memory:
// it writes something else there.
func (u fixture) Do(b *jsonrpc.Batch, call *Call) {
	params, meta := call.Params, call.Meta
	u.Upstream.Do(b, call)
	for _, m := range slices.Concat(params, meta) {
		if len(m.Value) < jsonrpc.Large {
			copy(m.Value, strings.Repeat("#", len(m.Value)))
		}
	}
	clear(params)
	clear(meta)
}

// call makes a call and waits for its outcome.
func (u fixture) call(t testing.TB, tool, params string) told {
	t.Helper()
	s := newSink()
	u.Do(nil, toolCall(s, tool, params))
	return s.wait(t)
}

func (u fixture) mustCall(t testing.TB, tool string) told {
	t.Helper()
	d := u.call(t, tool, "")
	if d.err != nil {
		t.Fatalf("calling %q: %v", tool, d.err)
	}
	return d
}

// fault checks the kind of an error and whether it says that the call may have
// been executed, and returns it.
func fault(t testing.TB, err error, kind Kind, maybe bool) *Fault {
	t.Helper()
	f, ok := errors.AsType[Failure](err)
	if !ok {
		t.Fatalf("got error %v, want a Failure of kind %q", err, kind)
	}
	if f.Kind() != kind || f.Detail().MaybeExecuted != maybe {
		t.Errorf("got kind %q, maybe executed %v (%v), want %q, %v", f.Kind(), f.Detail().MaybeExecuted, err, kind, maybe)
	}
	if SafeToRetry(err) == maybe {
		t.Errorf("SafeToRetry(%v) = %v", err, !maybe)
	}
	return f.Detail()
}

func methods(s *upstreamtest.Server, names ...string) string {
	var out []string
	for _, name := range names {
		for range s.Received(name) {
			out = append(out, name)
		}
	}
	return strings.Join(out, " ")
}

package aggregator

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/aggregator/overrides"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/aggregator/telemetry"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// DefaultMaxAge is how old a stored list may be before it is refreshed.
const DefaultMaxAge = 24 * time.Hour

// DefaultPatience is how long the first list waits for servers that have never
// been listed.
const DefaultPatience = 5 * time.Second

// Config is what an Aggregator is made of.
type Config struct {
	Servers   []Server // in the order of the configuration
	Names     namespace.Rules
	Policy    *policy.Policy   // nil denies everything
	Principal policy.Principal // whom every Session serves: the policy is theirs
	Expose    Exposure         // how hosts learn of tools
	MaxTools  int              // in a list, weir's own among them; 0 = as many as there are, or with ExposeAuto as the host bears
	MaxAge    time.Duration    // of stored lists; 0 = DefaultMaxAge
	Patience  time.Duration    // for the first list; 0 = DefaultPatience
	Store     *catalog.Store   // required
	Pins      *pins.Store      // nil pins nothing: then servers whose pins block show nothing

	// Approvals keeps what people have approved, and what waits for that. nil
	// refuses all that somebody would have to approve.
	Approvals *approval.Store

	// Admin changes the configuration for hosts that may have that done. nil leaves
	// the tools for that out.
	Admin Administrator

	MessageLimit int    // bytes of one message from the host; 0 = upstream.DefaultMessageLimit
	Version      string // of weir, as serverInfo and clientInfo tell it

	// Notice says why there are no servers: none is configured, the
	// configuration is broken. It becomes the instructions and the text of
	// weir__servers. "" when there are servers.
	Notice string

	// Auth keeps the logins of servers. nil: nobody can log in.
	Auth *auth.Keeper

	Audit *audit.Log // who asked for what, and what became of it; nil for nowhere
	// Telemetry is where spans of requests go; nil for nowhere.
	Telemetry *telemetry.Exporter

	// Stored is called whenever lists of a server were put on the disk. It must not
	// wait. nil for nothing.
	Stored func()

	// Answered is called whenever a new host has had its first answer, for what need
	// not keep it waiting: on a goroutine that Close waits for. nil for nothing.
	Answered func()

	Process upstream.ProcessOptions
	Dialers map[string]upstream.Dialer // of further transports; nil for none
	Log     zerolog.Logger
}

// Server is one configured upstream and how it is exposed.
type Server struct {
	upstream.Config
	Prefix  string // "" exposes the names as they are
	Aliases []string
	Tools   policy.Filters // over original names
	Pin     pins.Mode      // what becomes of definitions that have changed

	Questions Questions

	Overrides map[string]*overrides.Override // of its tools, by original names
	Validate  bool                           // check arguments against the tools' own schemas

	// AsSent shows hosts what the server wrote to be shown as it stands: without
	// hygiene.
	AsSent bool

	// Redact names the detectors of secrets that are taken out of what the server
	// sends to be read (package redact); nil for none.
	Redact []string

	Limits Limits
}

// upstream is the configuration of the upstream that the server is.
func (s *Server) upstream() upstream.Config {
	cfg := s.Config
	cfg.Withheld = s.Questions.withheld()
	return cfg
}

// An Aggregator is one MCP server made of many. It owns the upstreams and all
// that keeps the catalog fresh. Its methods are safe for concurrent use.
type Aggregator struct {
	cfg Config
	log zerolog.Logger
	set *upstream.Set

	serverInfo []byte // raw

	shaping sync.Mutex // one at a time makes a world, or opens it
	merging merging
	world   atomic.Pointer[world]
	view    atomic.Pointer[view] // of the world
	problem atomic.Pointer[string]
	whole   chan struct{} // closed when the first lists are in, or were waited for long enough
	opening sync.Once
	opened  atomic.Bool
	variant catalog.Variant // what lists are stored under; written once by open

	rehearsing bool // no server is to be started or asked

	ctx    context.Context //nolint:containedctx // the life of the Aggregator itself
	cancel context.CancelFunc
	wait   sync.WaitGroup
	pushes pusher

	unserved tally // of requests that are for no server

	pinsSeen atomic.Int64 // when it was last looked whether the user has approved something

	seal    *sealer
	tasks   *taskSealer
	learned *learned
	schemas schemas
	storing *storing

	mu        sync.Mutex
	sessions  map[*session]struct{}
	questions map[*upstream.Question]func(b *jsonrpc.Batch, reason []byte) // by which each is withdrawn
	followers map[followed]int                                             // how many are interested
	farewells map[followed]*farewell
	closed    bool
}

// ErrClosed is the error of Serve after Close.
var ErrClosed = errors.New("aggregator is closed")

// New makes an Aggregator. It starts nothing before a host's first message;
// close it all the same.
func New(cfg Config) *Aggregator {
	if cfg.Pins == nil {
		cfg.Pins = &pins.Store{}
	}
	a := &Aggregator{
		cfg:       cfg,
		log:       cfg.Log,
		whole:     make(chan struct{}),
		learned:   newLearned(),
		seal:      newSealer(),
		tasks:     newTaskSealer(cfg.Store.Secret(tasksOf(cfg.Principal))),
		sessions:  make(map[*session]struct{}),
		questions: make(map[*upstream.Question]func(*jsonrpc.Batch, []byte)),
		followers: make(map[followed]int),
		farewells: make(map[followed]*farewell),
	}
	a.serverInfo = jsonrpc.AppendObject(nil, []jsonrpc.Member{
		jsonrpc.NewMember("name", []byte(`"weir"`)),
		jsonrpc.NewMember("version", jsonrpc.AppendString(nil, cfg.Version)),
	})
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.storing = newStoring(cfg.Store, cfg.Stored, cfg.Log, a.spawn)
	a.pushes.push = a.pushChanges
	a.set = upstream.NewSet(nil, upstream.Options{
		Name: "weir", Version: cfg.Version,
		Process: cfg.Process, Dialers: cfg.Dialers, Handler: (*events)(a), Auth: cfg.Auth, Log: cfg.Log,
		InUse: a.inUse,
	})
	servers := make([]*server, len(cfg.Servers))
	for i := range cfg.Servers {
		servers[i] = newServer(a, &cfg.Servers[i], a.set.Add(cfg.Servers[i].upstream()))
	}
	a.world.Store(newWorld(&cfg, servers))
	a.setSnapshot()
	return a
}

// Serve is one host: it reads requests from in and writes answers to out until
// in ends, ctx does, or out fails; nil means that the host has closed in. What
// was asked and not answered by then is given up. in is unblocked by closing
// it if it is an io.Closer.
func (a *Aggregator) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	s := newSession(a, out)
	if !a.add(s) {
		return ErrClosed
	}
	defer a.remove(s)
	return s.run(ctx, in)
}

// Close ends every upstream and returns when nothing is left: after 2 s at the
// latest. Sessions should have ended before.
func (a *Aggregator) Close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.cancel()
	a.pushes.stop()
	a.set.Close()
	a.wait.Wait()
}

func (a *Aggregator) add(s *session) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.sessions[s] = struct{}{}
	}
	return !a.closed
}

func (a *Aggregator) remove(s *session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.sessions, s)
}

// spawn runs f on a goroutine that Close waits for; not after Close.
func (a *Aggregator) spawn(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.wait.Go(f)
	}
}

// open tells the upstreams who the host is, with its first message, and begins
// to list. A second host finds what the first has opened.
func (a *Aggregator) open(p upstream.Peer) {
	a.opening.Do(func() {
		a.shaping.Lock()
		defer a.shaping.Unlock()
		a.opened.Store(true)
		a.variant = catalog.Variant{Modern: p.Modern, Capabilities: string(p.Capabilities)}
		wanted, untried := a.load(a.world.Load().servers)
		a.setSnapshot()
		if a.rehearsing {
			a.rehearse(untried)
			return
		}
		a.set.Open(p)
		a.list(wanted, untried)
	})
}

// ServerStatus is a moment in the life of one server, for people.
type ServerStatus struct {
	Name      string
	Transport string
	upstream.Status

	// What it lists.
	Tools     int
	Prompts   int
	Resources int // and templates

	// Cleaned is of how many of these, and of the instructions, something was
	// taken out (package hygiene).
	Cleaned int

	// Fetched is when it told the oldest of its lists; zero if it has not told
	// all of them yet.
	Fetched time.Time

	// Changed are the definitions that are not those pinned, or cannot be
	// compared; all of them if pins cannot be read. Withheld says that hosts do
	// not see them.
	Changed  int
	Withheld bool

	// Failure is why it did not tell a newer one, if that was tried last.
	Failure catalog.Failure
}

// Status returns the status of every server, in the order of the
// configuration.
func (a *Aggregator) Status() []ServerStatus {
	w := a.world.Load()
	out := make([]ServerStatus, len(w.servers))
	for i, s := range w.servers {
		out[i] = ServerStatus{Name: s.Name, Transport: s.Transport, Status: s.up.Status()}
		lists, standing := s.listsAndStanding()
		if lists != nil {
			out[i].count(lists)
			if !w.exposed[i].AsSent {
				out[i].Cleaned = len(unclean(lists))
			}
		}
		out[i].Changed, out[i].Withheld = standing.count(lists), standing.withholdsAny()
	}
	return out
}

func (s *ServerStatus) count(lists *catalog.Lists) {
	s.Tools, s.Prompts = len(lists.Tools.Items), len(lists.Prompts.Items)
	s.Resources = len(lists.Resources.Items) + len(lists.Templates.Items)
	s.Failure = lists.Failure
	s.Fetched = lists.Tools.Fetched
	for k := range catalog.Kind(catalog.Kinds) {
		if fetched := lists.Of(k).Fetched; fetched.Before(s.Fetched) {
			s.Fetched = fetched
		}
	}
}

// sessionList returns the sessions there are now.
func (a *Aggregator) sessionList() []*session {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]*session, 0, len(a.sessions))
	for s := range a.sessions {
		out = append(out, s)
	}
	return out
}

// events is the Aggregator as its upstreams see it.
type events Aggregator

// Notification implements upstream.Handler. What is not known is dropped.
func (e *events) Notification(u *upstream.Upstream, b *jsonrpc.Batch, m *jsonrpc.Message, work *upstream.Call) {
	a := (*Aggregator)(e)
	from := a.world.Load().of(u)
	if from.announced(m.Method) {
		return
	}
	m = from.redacted(m)
	switch string(m.Method) {
	case "notifications/message":
		a.logged(b, from, m, work)
	case "notifications/elicitation/complete":
		a.elicitationComplete(b, from, m)
	case updatedMethod:
		a.updated(b, from, m)
	case "notifications/tasks/status":
		a.taskStatus(b, from, m)
	case "notifications/tasks":
		a.taskTold(b, from, m)
	}
}

// StateChanged implements upstream.Handler. A server that has just connected
// may list other things than it did in its former life; one may want a login, or
// want none any more.
func (e *events) StateChanged(u *upstream.Upstream) {
	s := (*Aggregator)(e).world.Load().of(u)
	if s == nil {
		return
	}
	if u.Status().State == upstream.Ready {
		s.connected()
	}
	s.noteLogin()
}

// inUse reports whether a call of any host is with the upstream, be it between two
// requests to it.
func (a *Aggregator) inUse(u *upstream.Upstream) bool {
	s := a.world.Load().of(u)
	return s != nil && a.works(s)
}

// Question implements upstream.Handler.
func (e *events) Question(b *jsonrpc.Batch, q *upstream.Question) { (*Aggregator)(e).question(b, q) }

// Withdrawn implements upstream.Handler.
func (e *events) Withdrawn(b *jsonrpc.Batch, q *upstream.Question, reason []byte) {
	(*Aggregator)(e).withdrawn(b, q, reason)
}

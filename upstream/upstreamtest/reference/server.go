package reference

import (
	"fmt"
	"os"
	"sync"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// The error codes of MCP that the server uses (2026-07-28 and 2025-11-25).
const (
	codeInvalidParams   = -32602
	codeNotFound        = -32002 // a resource, in the legacy era
	codeNeedsURL        = -32042 // legacy: the user must open a URL
	codeNeedsCapability = -32021
	codeNeedsHeader     = -32020
)

// New returns the server. The script says which revisions it speaks and how it
// is served; what rules it has come first.
func New(script upstreamtest.Script) *upstreamtest.Server {
	script.ServerInfo = []byte(serverInfo)
	if script.Instructions == "" {
		script.Instructions = "Ask <it> kindly. é"
	}
	s := &server{
		clients:    map[*upstreamtest.Client]*client{},
		questions:  map[string]*question{},
		extra:      map[kind]bool{},
		streams:    map[*stream]struct{}{},
		tasks:      map[string]*task{},
		consented:  map[string]bool{},
		hanging:    make(chan struct{}, 16),
		cancelled:  make(chan string, 16),
		progressed: make(chan string, 16),
	}
	return upstreamtest.NewWith(script, s)
}

// Main serves the standard streams with the script in this file and returns the
// exit code.
func Main(file string) int {
	script, err := upstreamtest.Load(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return New(script).Main()
}

// A server is the Handler. All that its clients share is here.
type server struct {
	hanging    chan struct{} // one for each call of "hang" that has begun
	cancelled  chan string   // the raw reason of each that was cancelled
	progressed chan string   // the raw progress of the client on what it was asked

	mu        sync.Mutex // guards all below
	clients   map[*upstreamtest.Client]*client
	asked     int                  // questions so far
	questions map[string]*question // that wait for their answer, by raw id
	extra     map[kind]bool        // of which lists the further item is in
	streams   map[*stream]struct{} // of modern clients
	tasks     map[string]*task     // by id
	created   int                  // tasks so far
	consented map[string]bool      // to what URLs were to be opened for
}

// A client is what the server knows of one that has shaken hands.
type client struct {
	*upstreamtest.Client
	version      string
	capabilities []byte      // raw
	roots        chan string // the answers to what it was asked after they changed

	// Guarded by the server's mu.
	level      string // of the log; "" before it was set
	subscribed map[string]bool
}

// Capabilities implements upstreamtest.Handler.
func (s *server) Capabilities(version string) []byte {
	switch {
	case version >= upstreamtest.Modern:
		return []byte(modernCapabilities)
	case version >= upstreamtest.Legacy:
		return []byte(tasksCapabilities)
	}
	return []byte(legacyCapabilities)
}

// Handle implements upstreamtest.Handler.
func (s *server) Handle(x upstreamtest.Exchange) bool {
	m := x.Message()
	switch m.Kind {
	case jsonrpc.Response, jsonrpc.Failure:
		s.answered(m)
		return true
	case jsonrpc.Notification:
		s.notified(x)
		return true
	default:
	}
	method := string(m.Method)
	if method == "initialize" {
		s.greeted(x)
		return false
	}
	f := methodsOf(x.Version())[method]
	if f == nil {
		return false
	}
	if c := s.call(x); c != nil {
		f(c)
	}
	return true
}

// methodsOf returns what there is in this revision.
func methodsOf(version string) map[string]func(*call) {
	methods := map[string]func(*call){
		"tools/list":               (*call).listTools,
		"tools/call":               (*call).callTool,
		"prompts/list":             (*call).listPrompts,
		"prompts/get":              (*call).getPrompt,
		"resources/list":           (*call).listResources,
		"resources/templates/list": (*call).listTemplates,
		"resources/read":           (*call).readResource,
		"completion/complete":      (*call).complete,
	}
	switch {
	case version >= upstreamtest.Modern:
		methods["subscriptions/listen"] = (*call).listen
		methods["tasks/get"] = (*call).getDetailedTask
		methods["tasks/update"] = (*call).updateTask
		methods["tasks/cancel"] = (*call).cancelDetailedTask
		return methods
	case version >= upstreamtest.Legacy:
		methods["tasks/get"] = (*call).getTask
		methods["tasks/result"] = (*call).taskResult
		methods["tasks/list"] = (*call).listTasks
		methods["tasks/cancel"] = (*call).cancelTask
	}
	methods["logging/setLevel"] = (*call).setLevel
	methods["resources/subscribe"] = (*call).subscribe
	methods["resources/unsubscribe"] = (*call).unsubscribe
	return methods
}

// greeted remembers who shakes hands.
func (s *server) greeted(x upstreamtest.Exchange) {
	capabilities := jsonrpc.Find(x.Message().Fields, "capabilities")
	if capabilities == nil {
		capabilities = []byte("{}")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[x.Client()] = &client{
		Client: x.Client(), version: x.Version(), capabilities: capabilities,
		roots: make(chan string, 16), subscribed: map[string]bool{},
	}
}

func (s *server) client(x upstreamtest.Exchange) *client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients[x.Client()]
}

// notified takes what legacy clients tell.
func (s *server) notified(x upstreamtest.Exchange) {
	m := x.Message()
	switch string(m.Method) {
	case "notifications/roots/list_changed":
		if c := s.client(x); c != nil {
			s.askRoots(c)
		}
	case "notifications/progress":
		s.progress(m)
	}
}

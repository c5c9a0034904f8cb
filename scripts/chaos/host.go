package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weir-mcp/weir/scripts/rig"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// patience is how long a host waits for what must come. Nothing is measured by
// it: it only ends a wait that would be without end.
const patience = 40 * time.Second

// A host is one program with a weir of its own, which it starts as often as it
// ends. Methods are for one goroutine, but for take.
type host struct {
	w       *world
	name    string
	version string   // the revision that it speaks
	prefix  string   // before the names of tools, where another weir stands between
	config  string   // the file
	command []string // of weir

	process *rig.Process
	tasks   int  // calls so far
	topics  int  // likewise
	shaky   bool // no server can be relied on

	ear sync.Mutex // held while it does not read

	mu       sync.Mutex
	last     int
	requests map[string]*request // by raw id, of the present process
	tokens   map[string]*request // by raw progress token, likewise
	changed  chan struct{}       // closed, and replaced, with each answer
	all      []*request          // of calls, by all processes

	leaving       bool                     // the present process is to end
	killed        bool                     // it ends in the midst of whatever it does
	subscriptions map[string]*subscription // by raw id, of the present process
	changes       int                      // of the list of tools that it was told, by all processes
}

// A request is one that the host has made, and what came of it.
type request struct {
	method  string
	server  *server       // of a call; nil for others
	opens   *subscription // by it; nil for others
	task    task
	healthy bool // nothing may go wrong

	// Guarded by the host's mu.
	id        string // the latest: a modern host answers questions by another request
	cancelled bool
	void      bool // its weir was killed, or ended by its host
	answer    *jsonrpc.Message
	progress  int // the last one; -1 before the first
}

// asksUsers reports whether the user can be asked over this host.
func (h *host) asksUsers() bool { return h.version >= "2025-06-18" }

func (h *host) isModern() bool { return h.version >= upstreamtest.Modern }

func (h *host) capabilities() string {
	if h.asksUsers() {
		return `{"elicitation":{}}`
	}
	return `{}`
}

// start starts weir and shakes hands.
func (h *host) start() error {
	h.mu.Lock()
	h.requests, h.tokens, h.changed = map[string]*request{}, map[string]*request{}, make(chan struct{})
	h.subscriptions, h.leaving = map[string]*subscription{}, false
	h.killed = false
	if !h.isModern() {
		h.subscriptions[""] = &subscription{tools: true, topics: map[string]*topic{}, acked: true}
	}
	h.mu.Unlock()
	environ := []string{"SSL_CERT_FILE=" + h.w.trusted, "GORACE=" + h.w.detector()}
	process, err := rig.Start(append(h.command, "serve", "--config", h.config), h.w.folders, h.w.dir, environ, h.take)
	if err != nil {
		return err
	}
	h.process = process
	if h.isModern() {
		_, err := h.listen(true)
		return err
	}
	r, err := h.send("initialize", `"protocolVersion":`+quote(h.version)+`,"capabilities":`+h.capabilities()+`,"clientInfo":{"name":"chaos","version":"1"}`, &request{})
	if err != nil {
		return err
	}
	if err := h.await("the answer to initialize", func() bool { return r.answer != nil }); err != nil {
		return err
	}
	return h.write(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// write sends one line. A weir that was ended meanwhile takes none.
func (h *host) write(line string) error {
	if err := h.process.Send([]byte(line+"\n"), patience); err != nil {
		return fmt.Errorf("%s: weir does not read its input: %w", h.name, err)
	}
	return nil
}

// send makes a request with these members of its params, and enters it into r.
func (h *host) send(method, members string, r *request) (*request, error) {
	meta := h.meta()
	h.mu.Lock()
	r.method, r.progress = method, -1
	h.number(r)
	if r.task.do == progress || r.task.do == afterthought {
		token := quote("progress of " + r.task.token)
		meta = join(meta, `"progressToken":`+token)
		h.tokens[token] = r
	}
	if r.server != nil {
		h.all = append(h.all, r)
	}
	if r.opens != nil {
		r.opens.id = r.id
		h.subscriptions[r.id] = r.opens
	}
	line := requestLine(r, members, meta)
	h.mu.Unlock()
	return r, h.write(line)
}

// meta are the members that each request has in its _meta.
func (h *host) meta() string {
	if !h.isModern() {
		return ""
	}
	return `"io.modelcontextprotocol/protocolVersion":` + quote(h.version) +
		`,"io.modelcontextprotocol/clientInfo":{"name":"chaos","version":"1"},"io.modelcontextprotocol/clientCapabilities":` + h.capabilities()
}

func requestLine(r *request, members, meta string) string {
	if meta != "" {
		members = join(members, `"_meta":{`+meta+`}`)
	}
	return `{"jsonrpc":"2.0","id":` + r.id + `,"method":` + quote(r.method) + `,"params":{` + members + `}}`
}

// number gives a request an id. The caller holds h.mu.
func (h *host) number(r *request) {
	h.last++
	r.id = h.newID()
	h.requests[r.id] = r
}

// newID makes ids of both kinds, that differ by their kind alone. The caller
// holds h.mu.
func (h *host) newID() string {
	id := strconv.Itoa(h.last / 2)
	if h.last%2 == 0 {
		return id
	}
	return quote(id)
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "," + b
}

// call calls a server's tool.
func (h *host) call(s *server, do deed, pad int) (*request, error) {
	h.tasks++
	token := fmt.Sprintf("%s-%d", h.name, h.tasks)
	t := task{token: token, do: do}
	arguments := `{"token":` + quote(token) + `,"do":` + quote(string(do)) + `,"exact":[1.0e2,9007199254740993,"\ud83d"]`
	if pad > 0 {
		arguments += `,"pad":"` + strings.Repeat("y", pad) + `"`
	}
	t.arguments = []byte(arguments + "}")
	r := &request{server: s, task: t, healthy: !s.faulty && !h.shaky}
	h.w.journal.note(h.name, "calls %s to do %q as %s", s.name, do, token)
	return h.send("tools/call", h.callMembers(r), r)
}

func (h *host) callMembers(r *request) string {
	return `"name":` + quote(h.prefix+r.server.name+"__work") + `,"arguments":` + string(r.task.arguments)
}

// cancel tells weir that the answer is not wanted any more.
func (h *host) cancel(r *request) error {
	h.mu.Lock()
	r.cancelled = true
	id := r.id
	h.mu.Unlock()
	h.w.journal.note(h.name, "cancels %s", r.task.token)
	return h.write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + `}}`)
}

// take takes a line of weir's output.
func (h *host) take(line []byte) {
	h.ear.Lock()   // unless it does not read
	h.ear.Unlock() //nolint:staticcheck // nothing is done that would have to be alone
	h.w.journal.seeSecrets(h.name, line)
	var m jsonrpc.Message
	if err := m.Parse(line); err != nil {
		if h.isKilled() {
			return // in the midst of this line
		}
		h.w.journal.violated(h.name, "stdout carries %.300q: %v", line, err)
		return
	}
	switch m.Kind {
	case jsonrpc.Response, jsonrpc.Failure:
		h.takeAnswer(&m)
	case jsonrpc.Notification:
		h.takeNotification(&m)
	case jsonrpc.Request:
		h.answer(&m)
	case jsonrpc.Invalid:
	}
}

func (h *host) isKilled() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.killed
}

func (h *host) takeAnswer(m *jsonrpc.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.requests[string(m.ID)]
	switch {
	case r == nil:
		h.w.journal.violated(h.name, "an answer to nothing: %.300s", m.Raw)
		return
	case r.answer != nil || r.id != string(m.ID):
		h.w.journal.violated(h.name, "%s %s is answered twice, with %.300s", r.method, r.task.token, m.Raw)
		return
	}
	if string(jsonrpc.Find(m.Fields, "resultType")) == `"input_required"` {
		h.goOn(r, m)
		return
	}
	r.answer = m
	if r.server != nil {
		h.w.journal.note(h.name, "%s is answered: %.200s", r.task.token, bytes.TrimPrefix(m.Raw, []byte(`{"jsonrpc":"2.0",`)))
	}
	if r.opens != nil {
		h.endSubscription(r.opens, m)
	}
	h.wake()
}

// goOn answers the questions in an answer by another request, whatever the call
// was: a server over pipes does not tell for which it asks. The caller holds h.mu.
func (h *host) goOn(r *request, m *jsonrpc.Message) {
	h.w.journal.note(h.name, "%s is answered by questions", r.task.token)
	if r.cancelled {
		return
	}
	members := h.callMembers(r)
	if state := jsonrpc.Find(m.Fields, "requestState"); state != nil {
		members += `,"requestState":` + string(state)
	}
	questions, err := jsonrpc.ParseObject(nil, jsonrpc.Find(m.Fields, "inputRequests"))
	if err != nil {
		h.w.journal.violated(h.name, "inputRequests of %s: %.300s", r.task.token, m.Raw)
		return
	}
	var answers []string
	for _, q := range questions {
		answers = append(answers, string(q.Name)+":"+elicited(q.Value))
	}
	h.number(r)
	line := requestLine(r, members+`,"inputResponses":{`+strings.Join(answers, ",")+`}`, h.meta())
	_ = h.process.Send([]byte(line+"\n"), patience) // a weir that ends takes no more
}

func (h *host) takeNotification(m *jsonrpc.Message) {
	switch string(m.Method) {
	case "notifications/progress":
	case "notifications/subscriptions/acknowledged", toolsChangedMethod, updatedMethod:
		h.takeNews(m)
		return
	default:
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.tokens[string(jsonrpc.Find(m.Fields, "progressToken"))]
	if r == nil {
		h.w.journal.violated(h.name, "progress of nothing: %.300s", m.Raw)
		return
	}
	n, err := strconv.Atoi(string(jsonrpc.Find(m.Fields, "progress")))
	switch {
	case err != nil || n <= r.progress:
		h.w.journal.violated(h.name, "%s: progress %d is followed by %.300s", r.task.token, r.progress, m.Raw)
	case r.answer != nil:
		h.w.journal.violated(h.name, "%s: progress behind the answer: %.300s", r.task.token, m.Raw)
	}
	r.progress = n
}

// answer answers what weir asks, from the goroutine that reads: weir must take
// it, whatever it does meanwhile.
func (h *host) answer(m *jsonrpc.Message) {
	answer := `"error":{"code":-32601,"message":"Method not found"}`
	switch string(m.Method) {
	case "ping":
		answer = `"result":{}`
	case "elicitation/create":
		answer = `"result":` + elicited(m.Params)
	}
	// A weir that has ended needs no answer.
	_ = h.process.Send([]byte(`{"jsonrpc":"2.0","id":`+string(m.ID)+`,`+answer+"}\n"), patience)
}

// elicited answers a question with the token that stands in it.
func elicited(question []byte) string {
	_, behind, _ := strings.Cut(string(question), "<<")
	token, _, _ := strings.Cut(behind, ">>")
	return `{"action":"accept","content":{"token":` + quote(token) + `}}`
}

// errEnded says that weir has ended while it was waited for.
var errEnded = errors.New("weir has ended")

// await waits until done says so, under h.mu.
func (h *host) await(what string, done func() bool) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		h.mu.Lock()
		ok, changed := done(), h.changed
		h.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-h.process.Ended():
			return fmt.Errorf("%s: waiting for %s: %w", h.name, what, errEnded)
		case <-timeout.C:
			return fmt.Errorf("%s: %s has not come within %v", h.name, what, patience)
		}
	}
}

// pending are the calls of the present process that wait for an answer.
func (h *host) pending() []*request {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []*request
	for _, r := range h.all {
		if r.answer == nil && !r.cancelled && !r.void {
			found = append(found, r)
		}
	}
	return found
}

// settle waits until each call is answered.
func (h *host) settle() error {
	waiting := h.pending()
	for _, r := range waiting {
		if err := h.await("the answer to "+r.task.token+" ("+r.server.name+": "+string(r.task.do)+")", func() bool { return r.answer != nil }); err != nil {
			return err
		}
	}
	return nil
}

// forsake makes void what is not answered: weir ends, or has.
func (h *host) forsake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.all {
		r.void = r.void || r.answer == nil
	}
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-mcp/weir/scripts/rig"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A server does what calls want done, and counts it. It is an
// [upstreamtest.Handler].
type server struct {
	*rig.Server
	name   string
	faulty bool
	dead   bool // nothing of it can ever be reached
	config string

	w         *world
	scripted  *upstreamtest.Server
	transport rig.Transport
	spoiled   atomic.Bool // its certificate is a bad one

	unnamed atomic.Bool // the name by which it is reached is not known yet
	host    string      // that name; "" where it is none

	tokens *tokens // that it wants; nil where it wants none

	news *news

	mu        sync.Mutex
	version   int                      // of its list of tools
	turnedOff map[string]bool          // tokens that the door has sent away
	deceived  map[string]bool          // remote addresses that were shown a bad certificate
	shown     int                      // bad certificates
	gates     map[string]chan struct{} // by token
	questions map[string]chan []byte   // by raw id
}

// Capabilities implements upstreamtest.Handler.
func (s *server) Capabilities(string) []byte {
	return []byte(`{"tools":{"listChanged":true},"resources":{"subscribe":true}}`)
}

// Handle implements upstreamtest.Handler.
func (s *server) Handle(x upstreamtest.Exchange) bool {
	m := x.Message()
	switch m.Kind {
	case jsonrpc.Response, jsonrpc.Failure:
		s.answered(m)
		return true
	case jsonrpc.Request:
	case jsonrpc.Notification, jsonrpc.Invalid:
		return false
	}
	switch string(m.Method) {
	case "tools/list":
		s.list(x)
	case "tools/call":
		s.call(x)
	default:
		return s.handleNews(x)
	}
	return true
}

// pageSize makes lists such that they could be torn.
const pageSize = 2

// toolsOf are the names in a version of the list: one to call, and some that
// tell the version and how many they are.
func toolsOf(version int) []string {
	names := []string{"work"}
	n := version%4 + 1
	for i := range n {
		names = append(names, fmt.Sprintf("v%d_%d_of_%d", version, i, n))
	}
	return names
}

// list answers a page. Its cursor holds on to the version of the first.
func (s *server) list(x upstreamtest.Exchange) {
	s.mu.Lock()
	version, from := s.version, 0
	s.mu.Unlock()
	if raw := jsonrpc.Find(x.Message().Fields, "cursor"); raw != nil {
		cursor, _ := jsonrpc.String(raw)
		if _, err := fmt.Sscanf(cursor, "%d:%d", &version, &from); err != nil {
			x.Fail(-32602, "Invalid cursor", "")
			return
		}
	}
	names := toolsOf(version)
	to := min(len(names), from+pageSize)
	var tools []string
	for _, name := range names[min(from, to):to] {
		tools = append(tools, string(upstreamtest.Tool(name)))
	}
	result := `"tools":[` + strings.Join(tools, ",") + `]`
	if to < len(names) {
		result += fmt.Sprintf(`,"nextCursor":"%d:%d"`, version, to)
	}
	if x.Modern() {
		result += `,"resultType":"complete",` + x.Hints()
	}
	x.Reply("{" + result + "}")
}

// change makes the next version of the list, and announces it.
func (s *server) change() {
	s.mu.Lock()
	s.version++
	s.mu.Unlock()
	s.announce()
}

// announce says that the list is another one.
func (s *server) announce() { s.news.toolsChanged(func() { s.scripted.SetTools() }) }

// listed is the present version.
func (s *server) listed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// A task is what a call asks for.
type task struct {
	token     string
	do        deed
	arguments []byte // raw
}

func taskOf(m *jsonrpc.Message) (task, bool) {
	t := task{arguments: jsonrpc.Find(m.Fields, "arguments")}
	members, err := jsonrpc.ParseObject(nil, t.arguments)
	if err != nil {
		return t, false
	}
	t.token, err = jsonrpc.String(jsonrpc.Find(members, "token"))
	do, wrong := jsonrpc.String(jsonrpc.Find(members, "do"))
	t.do = deed(do)
	return t, err == nil && wrong == nil
}

// result is what a call of these arguments comes to: they come back as they
// were sent, so that no byte of them may differ.
func result(t task) string {
	return `{"token":` + quote(t.token) + `,"exact":[9007199254740993,1.0e400,"\ud83d"],"arguments":` + string(t.arguments) + fill(t.do) + `}`
}

func fill(do deed) string {
	switch do {
	case large:
		return `,"fill":"` + strings.Repeat("x", 100_000) + `"`
	case oversized:
		return `,"fill":"` + strings.Repeat("x", messageLimit+1) + `"`
	default:
		return ""
	}
}

func quote(text string) string { return string(jsonrpc.AppendString(nil, text)) }

func (s *server) call(x upstreamtest.Exchange) {
	t, ok := taskOf(x.Message())
	if !ok {
		x.Fail(-32602, "no task", "")
		return
	}
	if jsonrpc.Find(x.Message().Fields, "requestState") == nil { // a call that goes on is no second one
		s.w.ledger.executed(t.token)
	}
	s.do(x, t)
}

func (s *server) do(x upstreamtest.Exchange, t task) {
	switch t.do {
	case late:
		s.pause(x, 20*time.Millisecond)
	case progress:
		for i := range 5 {
			s.progress(x, i)
		}
	case fails:
		x.Fail(4242, "as told", `{"token":`+quote(t.token)+`}`)
		return
	case refuses:
		x.Reply(s.members(x, t, `"isError":true,`))
		return
	case gated:
		s.awaitGate(x, t.token)
	case asks:
		if !s.ask(x, t) {
			return
		}
	default:
		if !s.misbehave(x, t) {
			return
		}
	}
	s.succeed(x, t)
	switch t.do {
	case twice:
		s.succeed(x, t)
	case afterthought:
		s.progress(x, 9)
	case lastWords:
		x.Break()
	default:
	}
}

// misbehave does what comes before the answer. It reports whether that comes.
func (s *server) misbehave(x upstreamtest.Exchange, t task) bool {
	id := string(x.Message().ID)
	switch t.do {
	case never, stalls:
		s.wait(x)
		return false
	case strangers:
		for _, stranger := range []string{"987654321", `"stranger"`, "-1", "1.0", quote(id + " "), "null"} {
			s.say(x, `{"jsonrpc":"2.0","id":`+stranger+`,"result":`+s.members(x, t, "")+`}`)
		}
	case nonsense:
		s.say(x, `{"jsonrpc":"2.0","id":`+id+`,"result":5}`)
		return false
	case undecided:
		s.say(x, `{"jsonrpc":"2.0","id":`+id+`,"result":{},"error":{"code":1,"message":"or not"}}`)
		return false
	case babble:
		s.say(x, `{"jsonrpc":"2.0","method":"notifications/unheard","params":{"of":1}}`)
		s.say(x, `{"jsonrpc":"2.0","id":"unheard","method":"un/heard"}`)
		s.say(x, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"unheard","progress":1}}`)
	case garbage:
		for _, text := range []string{"no JSON", "{}", "[]", "\xff\xfe", `{"jsonrpc":"1.0"}`, strings.Repeat("[", 100_000)} {
			s.say(x, text)
		}
	case crash:
		x.Break()
		return false
	case flood:
		for i := range 1000 {
			s.say(x, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":`+strconv.Itoa(i)+`}}`)
		}
	case halfLine:
		x.SendRaw(s.head() + `{"jsonrpc":"2.0","id":` + id + `,"result":{"content":[{"ty`)
		s.wait(x)
		return false
	case cutLine:
		x.SendRaw(s.head() + `{"jsonrpc":"2.0","id":` + id + `,"result":{"content":[{"ty` + s.foot())
		return false
	case slowly:
		answer := s.head() + `{"jsonrpc":"2.0","id":` + id + `,"result":` + s.members(x, t, "") + "}" + s.foot()
		// What others say meanwhile stands in between: that is a fault as well.
		for i := 0; i < len(answer); i += 16 {
			x.SendRaw(answer[i:min(i+16, len(answer))])
		}
		return false
	case shouts:
		for range 2000 {
			x.Stderr(strings.Repeat("noise ", 20))
		}
	default:
	}
	return true
}

func (s *server) succeed(x upstreamtest.Exchange, t task) { x.Reply(s.members(x, t, "")) }

func (s *server) members(x upstreamtest.Exchange, t task, further string) string {
	if x.Modern() {
		further += `"resultType":"complete",`
	}
	return `{` + further + `"content":[{"type":"text","text":` + quote(t.token) + `}],"structuredContent":` + result(t) + `}`
}

// say sends one message, or what is none.
func (s *server) say(x upstreamtest.Exchange, text string) {
	if jsonrpc.Valid([]byte(text)) {
		x.Send(text)
		return
	}
	x.SendRaw(s.head() + text + s.foot())
}

// head and foot are what a message stands between in the raw.
func (s *server) head() string {
	if s.overHTTP() {
		return "event: message\ndata: "
	}
	return ""
}

func (s *server) foot() string {
	if s.overHTTP() {
		return "\n\n"
	}
	return "\n"
}

func (s *server) overHTTP() bool { return s.transport == rig.HTTP || s.transport == rig.TLS }

// progress tells of progress, if that is wanted.
func (s *server) progress(x upstreamtest.Exchange, n int) {
	meta, err := jsonrpc.ParseObject(nil, jsonrpc.Find(x.Message().Fields, "_meta"))
	token := jsonrpc.Find(meta, "progressToken")
	if err != nil || token == nil {
		return
	}
	x.Send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":%d}}`, token, n))
}

func (s *server) pause(x upstreamtest.Exchange, d time.Duration) {
	select {
	case <-time.After(d):
	case <-x.Context().Done():
	}
}

// wait waits until nobody wants the answer any more.
func (s *server) wait(x upstreamtest.Exchange) {
	select {
	case <-x.Context().Done():
	case <-s.w.over:
	}
}

// ask asks the user for the token of the call, which only the question tells. It
// reports whether the answer is there.
func (s *server) ask(x upstreamtest.Exchange, t task) bool {
	const schema = `"requestedSchema":{"type":"object","properties":{"token":{"type":"string"}},"required":["token"]}`
	question := `"message":` + quote("say <<"+t.token+">>") + "," + schema
	if x.Modern() {
		m := x.Message()
		if jsonrpc.Find(m.Fields, "requestState") == nil {
			x.Reply(`{"resultType":"input_required","requestState":` + quote("state of "+t.token) +
				`,"inputRequests":{"k":{"method":"elicitation/create","params":{"mode":"form",` + question + `}}}}`)
			return false
		}
		if state, _ := jsonrpc.String(jsonrpc.Find(m.Fields, "requestState")); state != "state of "+t.token {
			s.w.journal.violated(s.name, "the requestState of %s came back as %q", t.token, state)
		}
		responses, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(m.Fields, "inputResponses"))
		return s.agreed(x, t, jsonrpc.Find(responses, "k"))
	}
	id := quote("question " + t.token)
	answer := make(chan []byte, 1)
	s.mu.Lock()
	s.questions[id] = answer
	s.mu.Unlock()
	x.Send(`{"jsonrpc":"2.0","id":` + id + `,"method":"elicitation/create","params":{` + question + `}}`)
	select {
	case raw := <-answer:
		return s.agreed(x, t, raw)
	case <-x.Context().Done():
	case <-s.w.over:
	}
	return false
}

// agreed ends the call of a user who has not answered, by an error that no host
// may see who is there. It reports whether one has.
func (s *server) agreed(x upstreamtest.Exchange, t task, answer []byte) bool {
	answered := s.judge(t, answer)
	if !answered {
		x.Fail(4243, "nobody has answered", `{"token":`+quote(t.token)+`}`)
	}
	return answered
}

// judge looks whether an answer belongs to its question. It reports whether the
// user has answered at all.
func (s *server) judge(t task, answer []byte) bool {
	members, _ := jsonrpc.ParseObject(nil, answer)
	content, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(members, "content"))
	if action, _ := jsonrpc.String(jsonrpc.Find(members, "action")); action != "accept" {
		return false // its host is gone
	}
	if got, _ := jsonrpc.String(jsonrpc.Find(content, "token")); got != t.token {
		s.w.journal.violated(s.name, "the question of %s was answered with %.300s", t.token, answer)
	}
	return true
}

func (s *server) answered(m *jsonrpc.Message) {
	s.mu.Lock()
	answer := s.questions[string(m.ID)]
	delete(s.questions, string(m.ID))
	s.mu.Unlock()
	if answer == nil {
		return // an answer to babble
	}
	answer <- bytes.Clone(m.Result)
}

func (s *server) gate(token string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gates[token]
	if g == nil {
		g = make(chan struct{})
		s.gates[token] = g
	}
	return g
}

func (s *server) awaitGate(x upstreamtest.Exchange, token string) {
	select {
	case <-s.gate(token):
	case <-x.Context().Done():
	case <-s.w.over:
	}
}

// door stands before the handler of what goes over HTTP: it has the faults that
// lie in HTTP itself.
func (s *server) door(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.seeTrust(r)
		if s.turnedAway(w, r) {
			return
		}
		if r.Method != http.MethodPost {
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var m jsonrpc.Message
		if m.Parse(body) == nil && string(m.Method) == "tools/call" {
			if t, ok := taskOf(&m); ok && s.spoil(w, r, t) {
				return
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}

// spoil answers what is to go wrong.
func (s *server) spoil(w http.ResponseWriter, r *http.Request, t task) (spoiled bool) {
	if status := statusOf(t.do); status != 0 {
		if !s.turnAway(t.token) {
			return false
		}
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(status)
		return true
	}
	switch t.do {
	case too500, resets, cutBody, stalls, page, accepted:
		s.w.ledger.executed(t.token)
	default:
		return false
	}
	switch t.do {
	case too500:
		w.WriteHeader(http.StatusInternalServerError)
	case resets:
		rig.ResetConnection(w)
	case cutBody, stalls:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"con`) // the client may be gone
		_ = http.NewResponseController(w).Flush()
		if t.do == stalls {
			select {
			case <-r.Context().Done():
			case <-s.w.over:
			}
		}
		panic(http.ErrAbortHandler)
	case page:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>Please sign in.</html>")
	case accepted:
		w.WriteHeader(http.StatusAccepted)
	default:
	}
	return true
}

// turnAway reports whether this is the first time that the token comes.
func (s *server) turnAway(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.turnedOff[token]
	s.turnedOff[token] = true
	return first
}

func statusOf(do deed) int {
	switch do {
	case status404, status429, status500, status503:
		status, _ := strconv.Atoi(string(do))
		return status
	default:
		return 0
	}
}

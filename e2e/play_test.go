package e2e

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A player is the host of one row of the table on one leg: with a server
// directly, or with weir. It writes down what it sees, in words that are the
// same in both eras: which requests it sent for that, and how it was asked
// (by a request, or by input_required), is not in them.
type player struct {
	*session
	t    *testing.T
	way  way // empty where it leads to the server directly
	seen []string

	answers map[string][]reaction // by the method of the question, in their order
	stream  string                // the id of the open listen stream, "" without one
	held    string                // the raw id of the question that is not answered yet
	names   aliases
	last    *jsonrpc.Message // that hear has heard

	atOnce bool // what is asked is asked at once, in no order
}

// A reaction is what the host does when it is asked.
type reaction struct {
	result   string // raw
	failure  string // raw; an error instead
	progress string // members of the progress to tell before; "" = none
	hold     bool   // do not answer
	perhaps  bool   // it is no matter if nobody asks
	leaveOut bool   // answer all that is asked at once but this; in the modern era
}

func (p *player) see(line string) { p.seen = append(p.seen, line) }

// exposed is what a host calls the tool or prompt that the server calls so.
func (p *player) exposed(name string) string {
	return p.way.prefix() + name
}

// react says what to do when next asked so.
func (p *player) react(method string, r reaction) {
	if p.answers == nil {
		p.answers = map[string][]reaction{}
	}
	p.answers[method] = append(p.answers[method], r)
}

func (p *player) answer(method, result string) { p.react(method, reaction{result: result}) }

// callTool calls a tool and sees it through.
func (p *player) callTool(name, arguments string) {
	p.t.Helper()
	p.callToolWith(name, arguments, "")
}

// callToolWith also has members of params, and of its _meta after a ";".
func (p *player) callToolWith(name, arguments, more string) *jsonrpc.Message {
	p.t.Helper()
	more, meta, _ := strings.Cut(more, ";")
	return p.ask("tools/call", join(`"name":`+quoted(p.exposed(name))+`,"arguments":`+arguments, more), meta)
}

func quoted(text string) string { return string(jsonrpc.AppendString(nil, text)) }

// ask sends a request and sees it through: it answers what it is asked.
func (p *player) ask(method, params, meta string) *jsonrpc.Message {
	p.t.Helper()
	return p.follow(p.begin(p.t, method, params, meta), method, params, meta)
}

// follow sees a request through that was sent.
func (p *player) follow(id, method, params, meta string) *jsonrpc.Message {
	p.t.Helper()
	for {
		m := p.await(id, meta)
		responses, again := p.respond(m)
		if !again {
			p.see(p.outcome(method, m))
			return m
		}
		id = p.begin(p.t, method, join(params, responses), meta)
	}
}

// await waits for the answer to a request, with these members of _meta. What
// comes before it and belongs to requests is dealt with.
func (p *player) await(id, meta string) *jsonrpc.Message {
	p.t.Helper()
	for {
		m := p.next("the answer to "+id, func(m *jsonrpc.Message) bool {
			if string(m.Method) == "notifications/progress" {
				return strings.HasSuffix(meta, `"progressToken":`+string(jsonrpc.Find(m.Fields, "progressToken")))
			}
			return m.Kind == jsonrpc.Request || m.Method == nil && string(m.ID) == id || ofRequests[string(m.Method)]
		})
		switch {
		case m.Kind == jsonrpc.Request:
			p.asked(m)
		case m.Method == nil:
			return m
		default:
			p.see(p.told(m))
		}
	}
}

// ofRequests are the notifications that come with requests, beside progress.
var ofRequests = map[string]bool{
	"notifications/message": true, "notifications/cancelled": true, "notifications/elicitation/complete": true,
}

func (p *player) next(what string, match func(*jsonrpc.Message) bool) *jsonrpc.Message {
	p.t.Helper()
	line, err := p.take(what, match)
	if err != nil {
		p.t.Fatalf("%v\nseen so far:\n%s", err, p.transcript())
	}
	m, err := parse(line)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// asked answers a question that came as a request.
func (p *player) asked(m *jsonrpc.Message) {
	p.t.Helper()
	method, id := string(m.Method), string(m.ID)
	p.see(p.question(method, m.Params))
	r := p.reaction(method)
	if r.progress != "" {
		token := jsonrpc.Find(objectOf(p.t, jsonrpc.Find(m.Fields, "_meta")), "progressToken")
		p.notify(p.t, "notifications/progress", `"progressToken":`+string(token)+","+r.progress)
	}
	reply := `"result":` + r.result
	switch {
	case r.hold:
		p.held = id
		return
	case r.failure != "":
		reply = `"error":` + r.failure
	}
	if err := p.send(`{"jsonrpc":"2.0","id":` + id + `,` + reply + `}`); err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) reaction(method string) reaction {
	p.t.Helper()
	waiting := p.answers[method]
	if len(waiting) == 0 {
		p.t.Fatalf("asked for %s, which the row does not answer\nseen so far:\n%s", method, p.transcript())
	}
	p.answers[method] = waiting[1:]
	return waiting[0]
}

// respond returns what to add to the request for its next try, if it is to be
// tried again (2026-07-28, Multi round-trip requests).
func (p *player) respond(m *jsonrpc.Message) (params string, again bool) {
	p.t.Helper()
	if string(jsonrpc.Find(m.Fields, "resultType")) != `"input_required"` {
		return "", false
	}
	if state := jsonrpc.Find(m.Fields, "requestState"); state != nil {
		params = `"requestState":` + string(state)
	}
	requests := jsonrpc.Find(m.Fields, "inputRequests")
	if requests == nil {
		p.see("told to try again")
		return params, true
	}
	return join(`"inputResponses":`+p.responses(requests), params), true
}

// responses answers all of inputRequests.
func (p *player) responses(requests []byte) string {
	p.t.Helper()
	var responses []string
	for _, r := range objectOf(p.t, requests) {
		request := objectOf(p.t, r.Value)
		method, err := jsonrpc.String(jsonrpc.Find(request, "method"))
		if err != nil {
			p.t.Fatalf("inputRequests: %v: %s", err, requests)
		}
		p.see(p.question(method, jsonrpc.Find(request, "params")))
		if answer := p.reaction(method); !answer.leaveOut {
			responses = append(responses, string(r.Name)+":"+answer.result)
		}
	}
	return "{" + strings.Join(responses, ",") + "}"
}

// list sees all pages of a list.
func (p *player) list(method, member string) {
	p.t.Helper()
	for params := ""; ; {
		m := p.request(p.t, method, params)
		if m.Kind != jsonrpc.Response {
			p.see(p.outcome(method, m))
			return
		}
		items, err := jsonrpc.ParseArray(nil, jsonrpc.Find(m.Fields, member))
		if err != nil {
			p.t.Fatalf("%s: %v: %s", method, err, m.Raw)
		}
		for _, item := range items {
			p.see(member + ": " + p.item(item))
		}
		cursor := jsonrpc.Find(m.Fields, "nextCursor")
		if cursor == nil {
			p.see(method + " tells" + p.facts(m))
			return
		}
		params = `"cursor":` + string(cursor)
	}
}

// watch has the host told of changes: of the lists, which a legacy host is told
// of anyway, and of resources.
func (p *player) watch(lists []string, uris ...string) {
	p.t.Helper()
	if !p.isModern() {
		for _, uri := range uris {
			p.ask("resources/subscribe", `"uri":`+quoted(uri), "")
		}
		return
	}
	var filter []string
	for _, list := range lists {
		filter = append(filter, quoted(list+"ListChanged")+":true")
	}
	if uris != nil {
		all := make([]string, len(uris))
		for i, uri := range uris {
			all[i] = quoted(uri)
		}
		filter = append(filter, `"resourceSubscriptions":[`+strings.Join(all, ",")+`]`)
	}
	p.listen(strings.Join(filter, ","))
}

// listen opens a listen stream, whose filter has these members.
func (p *player) listen(filter string) {
	p.t.Helper()
	p.stream = p.begin(p.t, "subscriptions/listen", `"notifications":{`+filter+`}`, "")
	p.hear("notifications/subscriptions/acknowledged")
}

// unwatch undoes watch.
func (p *player) unwatch(uris ...string) {
	p.t.Helper()
	if p.isModern() {
		p.notify(p.t, "notifications/cancelled", `"requestId":`+p.stream)
		p.stream = ""
		return
	}
	for _, uri := range uris {
		p.ask("resources/unsubscribe", `"uri":`+quoted(uri), "")
	}
}

// hear waits for a notification.
func (p *player) hear(method string) {
	p.t.Helper()
	for {
		m := p.next(method, func(m *jsonrpc.Message) bool { return m.Kind == jsonrpc.Notification && string(m.Method) == method })
		if !p.isTwin(m) {
			p.last = m
			p.see(p.told(m))
			return
		}
	}
}

// isTwin reports whether a notification is the last one again. While weir has one
// stream to a server take another's place, an update may be told on both, and
// nothing says that it is the same one.
func (p *player) isTwin(m *jsonrpc.Message) bool {
	return len(p.way) > 0 && p.last != nil && string(m.Method) == "notifications/resources/updated" && bytes.Equal(m.Raw, p.last.Raw)
}

// beAsked waits for a question that belongs to no request.
func (p *player) beAsked(method string) {
	p.t.Helper()
	p.asked(p.next(method, func(m *jsonrpc.Message) bool { return m.Kind == jsonrpc.Request && string(m.Method) == method }))
}

// finish looks for what came that nobody waited for, and was not asked.
func (p *player) finish() {
	p.t.Helper()
	p.call(p.t, p.exposed("echo"), "{}")
	for _, line := range p.drain() {
		switch m, err := parse(line); {
		case err != nil || m.Kind != jsonrpc.Notification:
			p.see("left: " + string(line))
		case !p.isTwin(m):
			p.see("left: " + p.told(m))
		}
	}
	for method, left := range p.answers {
		for _, r := range left {
			if !r.perhaps {
				p.see("never asked for " + method)
			}
		}
	}
}

// drain takes all that has come.
func (p *player) drain() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.inbox
	p.inbox = nil
	return all
}

func (p *player) transcript() string {
	if p.atOnce {
		slices.Sort(p.seen)
	}
	return strings.Join(p.seen, "\n") + "\n"
}

func objectOf(t *testing.T, raw []byte) []jsonrpc.Member {
	t.Helper()
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		t.Fatalf("%v: %q", err, raw)
	}
	return members
}

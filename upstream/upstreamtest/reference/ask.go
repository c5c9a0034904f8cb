package reference

import (
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A question is something that the client is asked.
type question struct {
	key    string // among those asked at once
	method string
	params string // raw; "" for none
	needs  string // what the client must be able to do: a path in its capabilities, with blanks between
	token  string // for progress on it, raw; "" = none is wanted
	answer chan string
}

// ask asks the client, all questions at once, and returns the raw answers in
// their order. Where it returns nil the call is over: it goes on, if at all, as
// another request.
//
// An answer of a legacy client that is an error stands as {"error":…}.
func (c *call) ask(questions ...*question) []string {
	for _, q := range questions {
		if !can(c.declared, q.needs) {
			c.refuse(q.needs)
			return nil
		}
	}
	if c.x.Modern() {
		return c.inquire(questions)
	}
	return c.request(questions)
}

// refuse ends a call for which the client cannot do enough.
func (c *call) refuse(needs string) {
	method := string(c.x.Message().Method)
	switch {
	case c.x.Modern():
		c.x.Fail(codeNeedsCapability, "the client cannot be asked", `{"requiredCapabilities":`+nested(needs)+`,"vendor":1}`)
	case method == "tools/call":
		c.succeed(`"content":[{"type":"text","text":`+quote("the client lacks "+needs)+`}],"isError":true`, "")
	default:
		c.x.Fail(-32603, "the client lacks "+needs, "")
	}
}

// request asks a legacy client.
func (c *call) request(questions []*question) []string {
	ids := make([]string, len(questions))
	for i, q := range questions {
		ids[i] = c.server.ask(q, c.x.Send)
	}
	answers := make([]string, len(questions))
	for i, q := range questions {
		select {
		case answers[i] = <-q.answer:
		case <-c.x.Context().Done():
			for _, id := range ids[i:] {
				c.withdraw(id, "the call is over")
			}
			return nil
		}
	}
	return answers
}

// ask sends the question as a request and returns its raw id.
func (s *server) ask(q *question, send func(string)) (id string) {
	if q.answer == nil {
		q.answer = make(chan string, 1)
	}
	s.mu.Lock()
	s.asked++
	id = strconv.Itoa(s.asked)
	switch {
	case q.method == "sampling/createMessage":
		id = "9007199254740993" + id // no float holds it
	case s.asked%2 == 0:
		id = quote("ask <" + id + ">é")
	}
	s.questions[id] = q
	s.mu.Unlock()
	params := ""
	if q.params != "" {
		params = `,"params":` + q.params
	}
	send(`{"jsonrpc":"2.0","id":` + id + `,"method":"` + q.method + `"` + params + `}`)
	return id
}

// withdraw tells the client that the answer to a question is not wanted any
// more.
func (c *call) withdraw(id, reason string) {
	c.mu.Lock()
	_, open := c.questions[id]
	delete(c.questions, id)
	c.mu.Unlock()
	if open {
		c.notify("notifications/cancelled", `{"requestId":`+id+`,"reason":`+quote(reason)+`}`)
	}
}

// answered takes a client's answer to a question.
func (s *server) answered(m *jsonrpc.Message) {
	id := string(m.ID)
	if strings.HasPrefix(id, `"`) {
		id = quote(text(m.ID)) // a client may write it otherwise
	}
	s.mu.Lock()
	q := s.questions[id]
	delete(s.questions, id)
	s.mu.Unlock()
	switch {
	case q == nil:
	case m.Kind == jsonrpc.Failure:
		q.answer <- `{"error":` + string(m.Error) + `}`
	default:
		q.answer <- string(m.Result)
	}
}

// progress takes a client's progress on a question.
func (s *server) progress(m *jsonrpc.Message) {
	token := string(jsonrpc.Find(m.Fields, "progressToken"))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.questions {
		if q.token == "" || q.token != token {
			continue
		}
		var rest []jsonrpc.Member
		for _, member := range m.Fields {
			if string(member.Key) != "progressToken" {
				rest = append(rest, member)
			}
		}
		select {
		case s.progressed <- string(jsonrpc.AppendObject(nil, rest)):
		default: // nobody wants so much
		}
	}
}

// askRoots asks a client for its roots, for no request of its own.
func (s *server) askRoots(c *client) {
	if !can(c.capabilities, "roots") {
		c.roots <- "null"
		return
	}
	q := rootsQuestion("")
	q.answer = c.roots
	s.ask(q, c.Push)
}

// can reports whether the path is in the capabilities. An elicitation that
// names no mode can do forms (2025-11-25, Elicitation).
func can(capabilities []byte, path string) bool {
	switch path {
	case "":
		return true
	case "elicitation form":
		elicitation := find(capabilities, "elicitation")
		return elicitation != nil && (find(elicitation, "form") != nil || find(elicitation, "url") == nil)
	}
	return find(capabilities, path) != nil
}

// find returns what is at a path of an object, nil without it.
func find(raw []byte, path string) []byte {
	for part := range strings.FieldsSeq(path) {
		raw = jsonrpc.Find(members(raw), part)
	}
	return raw
}

// elicitForm asks the user to fill in a form.
func (c *call) elicitForm(key, message string) *question {
	mode := ""
	if c.x.Version() >= upstreamtest.Legacy {
		mode = `"mode":"form"`
	}
	params := join(`"requestedSchema":`+formSchema, `"message":`+quote(message), mode, `"vendor":{"z":9007199254740993,"a":1.0}`)
	return &question{key: key, method: "elicitation/create", params: "{" + params + "}", needs: "elicitation form"}
}

// elicitURL asks the user to open a URL.
func (c *call) elicitURL(key, id string) *question {
	params := `"message":"Sign <in> é","mode":"url","url":"https://example.com/in?a=1&b=2","vendor":1.0`
	if !c.x.Modern() {
		params = join(params, `"elicitationId":`+quote(id))
	}
	return &question{key: key, method: "elicitation/create", params: "{" + params + "}", needs: "elicitation url"}
}

func sampling(key, further, needs string) *question {
	return &question{key: key, method: "sampling/createMessage", params: "{" + join(samplingParams, further) + "}", needs: needs}
}

func rootsQuestion(key string) *question {
	return &question{key: key, method: "roots/list", needs: "roots"}
}

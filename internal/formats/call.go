package formats

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Call is what a model wants called.
type Call struct {
	ID        []byte // a raw JSON string; nil where the API does without
	Name      string // in that API
	Arguments []byte // a raw object

	// Problem says why Arguments are none, in words for the model that wrote them;
	// nil if they are.
	Problem error
}

// ErrNoCall is the error of text in which there is no call.
var ErrNoCall = errors.New("there is no tool call in it")

// ReadCalls reads what a model has answered: one call, an array with calls in it,
// or the message that has such an array. What is beside calls in an array, as
// text, is passed over. several reports whether there was an array.
func (a API) ReadCalls(raw []byte) (calls []Call, several bool, err error) {
	raw = bytes.TrimSpace(raw)
	if !jsonrpc.Valid(raw) {
		return nil, false, errors.New("it is not JSON")
	}
	if list := object(raw).find(a.listKey()); isArray(list) {
		raw = list
	}
	several = isArray(raw)
	items := [][]byte{raw}
	if several {
		items = elements(raw)
	}
	for _, item := range items {
		call, ok, err := a.readCall(item)
		if err != nil {
			return nil, several, err
		}
		if ok {
			calls = append(calls, call)
		}
	}
	if len(calls) == 0 {
		return nil, several, ErrNoCall
	}
	return calls, several, nil
}

// listKey is the member of a model's message in which its calls are.
func (a API) listKey() string {
	switch a {
	case OpenAI:
		return "tool_calls"
	case OpenAIResponses:
		return "output"
	case Anthropic:
		return "content"
	case Gemini:
	}
	return "parts"
}

// readCall reads one call; ok is false of what is none.
func (a API) readCall(raw []byte) (c Call, ok bool, err error) {
	m := object(raw)
	kind := text(m.find("type"))
	switch a {
	case OpenAI:
		f := object(m.find("function"))
		c = Call{ID: m.find("id"), Name: text(f.find("name"))}
		c.setWritten(f.find("arguments"))
		ok = m.has("function") && (kind == "" || kind == "function")
	case OpenAIResponses:
		c = Call{ID: m.find("call_id"), Name: text(m.find("name"))}
		c.setWritten(m.find("arguments"))
		ok = kind == "function_call"
	case Anthropic:
		c = Call{ID: m.find("id"), Name: text(m.find("name"))}
		c.set(m.find("input"))
		ok = kind == "tool_use"
	case Gemini:
		if inner := m.find("functionCall"); inner != nil {
			m = object(inner)
		}
		c = Call{ID: m.find("id"), Name: text(m.find("name"))}
		c.set(m.find("args"))
		ok = m.has("name")
	}
	if !ok {
		return c, false, nil
	}
	if c.Name == "" {
		return c, true, errors.New("a tool call in it has no name")
	}
	if !isString(c.ID) && (a != Gemini || c.ID != nil) {
		return c, true, fmt.Errorf("the call of %q in it has no %s", c.Name, a.idKey())
	}
	return c, true, nil
}

// idKey is what the id of a call is called.
func (a API) idKey() string {
	if a == OpenAIResponses {
		return "call_id"
	}
	return "id"
}

// setWritten takes arguments that are written as a text, as OpenAI's models do.
func (c *Call) setWritten(raw []byte) {
	if !isString(raw) {
		c.set(raw)
		return
	}
	written := bytes.TrimSpace([]byte(text(raw)))
	if len(written) == 0 {
		written = nil
	}
	c.set(written)
}

// set takes arguments; none are an empty object.
func (c *Call) set(raw []byte) {
	c.Arguments = []byte("{}")
	if raw == nil || string(raw) == "null" {
		return
	}
	if _, err := jsonrpc.ParseObject(nil, raw); err != nil {
		c.Problem = fmt.Errorf("the arguments are not a JSON object: %w", err)
		return
	}
	c.Arguments = raw
}

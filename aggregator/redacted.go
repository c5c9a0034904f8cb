package aggregator

import (
	"bytes"

	"github.com/weir-mcp/weir/aggregator/redact"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file takes secrets out of what a server sends hosts to be read, where the
// user wants that: content, structured content, resources' text, messages of
// prompts, log messages, progress, errors. What a host gives back as it got it
// stays whole: URIs, ids, states, _meta; and so do pictures.

// newRedactor is the Redactor of these detectors; nil for none.
func newRedactor(detectors []string) *redact.Redactor {
	if len(detectors) == 0 {
		return nil
	}
	r, err := redact.New(detectors...)
	if err != nil {
		r, _ = redact.New(redact.All) // rather too much than too little
	}
	return r
}

// redacted is a message of the server without secrets: the same if there are
// none, or none are looked for.
func (s *server) redacted(m *jsonrpc.Message) *jsonrpc.Message {
	if s == nil || s.redactor == nil || m == nil {
		return m
	}
	r := redaction{Redactor: s.redactor}
	r.fields(m.Fields)
	if m.Kind == jsonrpc.Failure && string(jsonrpc.Find(m.Fields, "code")) == urlElicitation {
		r.edits = nil // it is about URLs to be opened
	}
	return edited(m, r.edits)
}

const urlElicitation = "-32042"

// edited is a message with edits, in any order; the same if there are none.
func edited(m *jsonrpc.Message, edits []jsonrpc.Edit) *jsonrpc.Message {
	if len(edits) == 0 {
		return m
	}
	inOrder(edits)
	out := new(jsonrpc.Message)
	if err := out.Parse(jsonrpc.Splice(make([]byte, 0, len(m.Raw)), m.Raw, edits...)); err != nil {
		panic(err) // values have become values
	}
	return out
}

// A redaction gathers what is to be other in one message.
type redaction struct {
	*redact.Redactor
	edits []jsonrpc.Edit
}

// value takes the secrets out of any value.
func (r *redaction) value(raw []byte) {
	if with := r.JSON(make([]byte, 0, len(raw)), raw); !bytes.Equal(with, raw) {
		r.edits = append(r.edits, jsonrpc.Edit{At: raw, With: with})
	}
}

// fields are the members of a result, of an error or of params.
func (r *redaction) fields(members []jsonrpc.Member) {
	for i := range members {
		switch value := members[i].Value; string(members[i].Key) {
		case "content", "contents":
			r.blocks(value)
		case "messages":
			r.messages(value)
		case "structuredContent", "completion", "message", "data", "description", "statusMessage":
			r.value(value)
		case "result", "error", "task": // in those of a task
			inner, _ := jsonrpc.ParseObject(nil, value) // what is no object has no members
			r.fields(inner)
		}
	}
}

func (r *redaction) messages(raw []byte) {
	messages, _ := jsonrpc.ParseArray(nil, raw)
	for _, m := range messages {
		r.blocks(memberOf(m, "content"))
	}
}

// blocks are content: one block or a list of them.
func (r *redaction) blocks(raw []byte) {
	if isObject(raw) {
		r.block(raw)
		return
	}
	blocks, _ := jsonrpc.ParseArray(nil, raw)
	for _, b := range blocks {
		r.block(b)
	}
}

// block is one of content, or a resource in one.
func (r *redaction) block(raw []byte) {
	members, _ := jsonrpc.ParseObject(nil, raw)
	for i := range members {
		switch value := members[i].Value; string(members[i].Key) {
		case "type", "uri", "mimeType", "data", "blob", "_meta", "icons":
		case "resource":
			r.block(value)
		case "content": // of what a tool has answered a model
			r.blocks(value)
		default:
			r.value(value)
		}
	}
}

// screened is the outcome of a call as its host may see it: without secrets, and
// not too large.
func (c *call) screened(a upstream.Answer) upstream.Answer {
	if a.Message == nil || c.server == nil {
		return a
	}
	a.Message = c.server.redacted(a.Message)
	return c.bounded(a)
}

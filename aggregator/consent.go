package aggregator

import (
	"bytes"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// askConsent asks a modern host to let the user open the URLs that a server
// wants opened before the call is made again (2025-11-25, error -32042).
func (c *call) askConsent(b *jsonrpc.Batch, m *jsonrpc.Message) bool {
	var questions []*openQuestion
	for _, e := range elicitations(m) {
		params, err := jsonrpc.ParseObject(nil, bytes.Clone(e))
		if err != nil {
			return false
		}
		params = rewrittenMembers(params, "mode", nil)
		params = append([]jsonrpc.Member{jsonrpc.NewMember("mode", []byte(`"url"`))}, params...)
		if !safeURL("elicitation/create", params) {
			return false
		}
		params = rewrittenMembers(namedAsker(c.server, "elicitation/create", params), "elicitationId", nil)
		questions = append(questions, &openQuestion{
			method: "elicitation/create", params: jsonrpc.AppendObject(nil, params),
		})
	}
	if len(questions) == 0 || !c.enlistConsent(questions) {
		return false
	}
	c.park(b)
	return true
}

// agree goes on once the host has answered weir's own questions: with the call,
// if the user has agreed to all.
func (c *call) agree(b *jsonrpc.Batch, answers []answeredQuestion) {
	c.s.mu.Lock()
	c.waiting.consent = false
	e, link := c.errand, c.link
	c.link = nil
	c.s.mu.Unlock()
	if link != nil {
		link <- bytes.Clone(answers[0].value)
		return
	}
	if e != nil {
		c.answeredForm(e, answers[0].value)
		return
	}
	for _, a := range answers {
		if action, err := jsonrpc.String(memberOf(a.value, "action")); err != nil || action != "accept" {
			if c.end() {
				c.fail(b, upstream.AuthorizationError{Fault: &upstream.Fault{
					Server: c.server.Name, Text: "the user has not agreed to open the page that the server asks for",
				}})
			}
			return
		}
	}
	c.s.mu.Lock()
	c.work = &upstream.Call{
		Method: c.op.method, Params: c.kept.params, Meta: c.kept.meta, Name: c.name,
		Definition: c.first.Definition, Progress: c.first.Progress, Sink: c,
	}
	work := c.work
	c.s.mu.Unlock()
	c.server.up.Do(b, work)
}

package aggregator

import (
	"cmp"
	"slices"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is what must change in a result on its way to the host. All else
// stays as the server wrote it.

// passResult writes a result of the server for the host.
func (c *call) passResult(b *jsonrpc.Batch, a upstream.Answer) {
	m := a.Message
	if c.op.succeeded != nil {
		c.op.succeeded(c)
	}
	if m.Result[0] != '{' {
		c.pass(b, m, m.Result, nil)
		return
	}
	if c.modern {
		if err := c.server.checkRequests(m.Fields, c.task()); err != nil {
			c.fail(b, err)
			return
		}
	}
	c.s.a.learn(c.server, m.Fields)
	if !c.modern && a.Modern && !complete(m.Fields) {
		c.fail(b, c.unsuitable())
		return
	}
	c.expectRound(m.Fields)
	edits := c.resultEdits(a)
	if len(edits) > 1 {
		inOrder(edits)
	}
	c.pass(b, m, m.Result, edits)
}

// task is the server's id of the task that the call is about; "" for none.
func (c *call) task() string {
	if c.op.kind == "task" {
		return c.name
	}
	return ""
}

// inOrder sorts edits of one text by where they stand in it: slices of one array
// that start later have less capacity.
func inOrder(edits []jsonrpc.Edit) {
	slices.SortStableFunc(edits, func(a, b jsonrpc.Edit) int { return cmp.Compare(cap(b.At), cap(a.At)) })
}

// resultEdits is what the host's era, its revision and the names of weir's own
// make necessary.
func (c *call) resultEdits(a upstream.Answer) []jsonrpc.Edit {
	m := a.Message
	var edits []jsonrpc.Edit
	if head := c.missing(a); len(head) > 0 {
		edits = append(edits, insertion(m.Result, m.Fields, head))
	}
	if c.modern {
		if meta := jsonrpc.Find(m.Fields, "_meta"); meta != nil {
			edits = c.s.a.appendIdentity(edits, meta)
		}
		if !complete(m.Fields) || c.op.kind == "task" {
			edits = namedRequests(edits, c.server, jsonrpc.Find(m.Fields, "inputRequests"))
		}
	} else {
		edits = c.downgrade(edits, a)
	}
	task := taskOf(m.Fields) != nil
	if task || c.op.kind == "task" {
		edits = c.taskEdits(edits, m.Fields)
	}
	if task {
		c.s.mu.Lock()
		c.lasts = true
		c.s.mu.Unlock()
	}
	return c.exposeURIs(edits, m.Fields)
}

// missing is the members that the host must find and the server has left out,
// with a comma behind each. Content is required in both eras; some servers leave
// it out beside structuredContent. A modern result says what sort it is, who
// answers, and what is read says how long it is good: a legacy server's never is.
func (c *call) missing(a upstream.Answer) (head []byte) {
	fields := a.Message.Fields
	if c.op == toolCall && complete(fields) && taskOf(fields) == nil && !c.hasContent(a) {
		head = append(head, `"content":[],`...)
	}
	if !c.modern {
		return head
	}
	if jsonrpc.Find(fields, "resultType") == nil {
		head = append(head, `"resultType":"complete",`...)
	}
	if c.op == resourceRead && complete(fields) {
		if jsonrpc.Find(fields, "ttlMs") == nil {
			head = append(head, `"ttlMs":0,`...)
		}
		if jsonrpc.Find(fields, "cacheScope") == nil {
			head = append(head, `"cacheScope":"private",`...)
		}
	}
	if jsonrpc.Find(fields, "_meta") == nil {
		head = append(c.s.a.appendServerMeta(head), ',')
	}
	return head
}

// hasContent reports whether a result has content, or will have: what takes the
// place of a structuredContent that the host does not know.
func (c *call) hasContent(a upstream.Answer) bool {
	if jsonrpc.Find(a.Message.Fields, "content") != nil {
		return true
	}
	structured := jsonrpc.Find(a.Message.Fields, "structuredContent")
	return !c.modern && a.Modern && structured != nil && !isObject(structured)
}

// namedRequests appends the edits that name the asking server in what a modern
// server asks of a modern host: the raw inputRequests.
func namedRequests(edits []jsonrpc.Edit, asker *server, requests []byte) []jsonrpc.Edit {
	members, err := jsonrpc.ParseObject(nil, requests)
	if err != nil {
		return edits
	}
	for _, r := range members {
		method, err := jsonrpc.String(memberOf(r.Value, "method"))
		if err != nil || method != "elicitation/create" {
			continue
		}
		edits = appendNaming(edits, asker, memberOf(memberOf(r.Value, "params"), "message"))
	}
	return edits
}

// appendNaming appends the edit that puts the asking server's name before a raw
// message to the user, if it is one.
func appendNaming(edits []jsonrpc.Edit, asker *server, raw []byte) []jsonrpc.Edit {
	message, err := jsonrpc.String(raw)
	if err != nil {
		return edits
	}
	return append(edits, jsonrpc.Edit{At: raw, With: jsonrpc.AppendString(nil, attributed(asker, message))})
}

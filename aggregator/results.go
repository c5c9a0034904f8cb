package aggregator

import (
	"bytes"
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
	c.s.a.learn(c.server, m.Fields)
	if !c.modern && a.Modern && !complete(m.Fields) {
		c.fail(b, c.unsuitable())
		return
	}
	edits := c.resultEdits(a)
	if len(edits) > 1 {
		inOrder(edits)
	}
	c.pass(b, m, m.Result, edits)
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
		raw := memberOf(memberOf(r.Value, "params"), "message")
		message, err := jsonrpc.String(raw)
		if err != nil {
			continue
		}
		edits = append(edits, jsonrpc.Edit{At: raw, With: jsonrpc.AppendString(nil, "["+asker.Name+"] "+message)})
	}
	return edits
}

// downgrade changes what a legacy host's revision has no room for.
func (c *call) downgrade(edits []jsonrpc.Edit, a upstream.Answer) []jsonrpc.Edit {
	fields := a.Message.Fields
	switch c.op {
	case toolCall, taskResult:
		if a.Modern {
			edits = c.downgradeStructured(edits, a.Message.Result, fields)
		}
		edits = c.downgradeContent(edits, jsonrpc.Find(fields, "content"))
	case promptGet:
		messages, _ := jsonrpc.ParseArray(nil, jsonrpc.Find(fields, "messages")) // what is none has no content
		if c.lacksContent() == nil {
			return edits
		}
		for _, m := range messages {
			if content := memberOf(m, "content"); isObject(content) {
				edits = c.downgradeBlock(edits, content)
			}
		}
	}
	return edits
}

// downgradeStructured takes out a structuredContent that is no object: a legacy
// host knows no other (2025-11-25, tools). It becomes a text, unless there is one
// already, as there should be.
func (c *call) downgradeStructured(edits []jsonrpc.Edit, result []byte, fields []jsonrpc.Member) []jsonrpc.Edit {
	i := slices.IndexFunc(fields, func(m jsonrpc.Member) bool { return string(m.Key) == "structuredContent" })
	if i < 0 || isObject(fields[i].Value) {
		return edits
	}
	text := jsonrpc.AppendString([]byte(`{"type":"text","text":`), string(fields[i].Value))
	text = append(text, '}')
	raw := jsonrpc.Find(fields, "content")
	if raw == nil {
		with := append(append([]byte(`"content":[`), text...), ']')
		return append(edits, jsonrpc.Edit{At: span(result, fields[i].Name, fields[i].Value), With: with})
	}
	edits = append(edits, removal(result, fields, i))
	content, err := jsonrpc.ParseArray(nil, raw)
	if err != nil || slices.ContainsFunc(content, isText) {
		return edits
	}
	if len(content) > 0 {
		text = append(text, ',')
	}
	return append(edits, jsonrpc.Edit{At: raw[1:1], With: text})
}

// span is the part of text from the beginning of one part to the end of another.
func span(text, first, last []byte) []byte {
	from := cap(text) - cap(first)
	return text[from : cap(text)-cap(last)+len(last)]
}

// removal takes member i out of an object that has others.
func removal(object []byte, members []jsonrpc.Member, i int) jsonrpc.Edit {
	if i > 0 {
		before := members[i-1].Value
		return jsonrpc.Edit{At: span(object, before[len(before):], members[i].Value)}
	}
	return jsonrpc.Edit{At: span(object, members[0].Name, members[1].Name[:0])}
}

func isText(block []byte) bool { return string(memberOf(block, "type")) == `"text"` }

// lacksContent is the types of content that the host's revision does not know.
func (c *call) lacksContent() []string {
	switch v := c.s.declared.Load().version; {
	case v < "2025-03-26":
		return []string{`"audio"`, `"resource_link"`}
	case v < "2025-06-18":
		return []string{`"resource_link"`}
	}
	return nil
}

func (c *call) downgradeContent(edits []jsonrpc.Edit, content []byte) []jsonrpc.Edit {
	lacks := c.lacksContent()
	if !slices.ContainsFunc(lacks, func(kind string) bool { return bytes.Contains(content, []byte(kind)) }) {
		return edits
	}
	blocks, _ := jsonrpc.ParseArray(nil, content) // what is none has no blocks
	for _, block := range blocks {
		edits = c.downgradeBlock(edits, block)
	}
	return edits
}

// downgradeBlock makes a text of a block that the host would not know.
func (c *call) downgradeBlock(edits []jsonrpc.Edit, block []byte) []jsonrpc.Edit {
	members, err := jsonrpc.ParseObject(nil, block)
	if err != nil || !slices.Contains(c.lacksContent(), string(jsonrpc.Find(members, "type"))) {
		return edits
	}
	text := "[audio"
	if uri, err := jsonrpc.String(jsonrpc.Find(members, "uri")); err == nil {
		text = "[resource " + uri
	}
	for _, key := range []string{"name", "mimeType"} {
		if value, err := jsonrpc.String(jsonrpc.Find(members, key)); err == nil {
			text += ", " + value
		}
	}
	with := jsonrpc.AppendString([]byte(`{"type":"text","text":`), text+"]")
	return append(edits, jsonrpc.Edit{At: block, With: append(with, '}')})
}

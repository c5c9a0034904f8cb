package aggregator

import (
	"bytes"
	"slices"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is what a legacy host's revision has no room for, in results; what
// it has none for in lists, the shapes of lists see to.

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

package aggregator

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file makes results fit the size that the user allows a server. Of what a
// tool has answered, a model can use the beginning; of a resource or a prompt half
// would pass for the whole, so that there is an error instead.

// bounded is the outcome of a call, made to fit.
func (c *call) bounded(a upstream.Answer) upstream.Answer {
	limit, m := c.server.Limits.ResultBytes, a.Message
	if limit == 0 || m.Kind != jsonrpc.Response || len(m.Result) <= limit || !isObject(m.Result) || !complete(m.Fields) {
		return a
	}
	result := m.Result
	if c.op.kind == "task" {
		if inner := jsonrpc.Find(m.Fields, "result"); isObject(inner) {
			result = inner // of a task that has ended (2026-07-28, the tasks extension)
		}
	}
	switch {
	case c.op == toolCall, c.op.kind == "task":
		cut := cutter{server: c.server.Name, limit: limit, needsStructured: declaresOutput(c.first.Definition)}
		a.Message = edited(m, []jsonrpc.Edit{{At: result, With: cut.result(result)}})
		return a
	case c.op.isWork():
		return upstream.Answer{Modern: a.Modern, Err: c.tooLarge(len(result))}
	}
	return a
}

// declaresOutput reports whether a tool promises structured content. Hosts refuse
// a result without it, unless that is an error.
func declaresOutput(definition []byte) bool {
	return definition != nil && memberOf(definition, "outputSchema") != nil
}

func (c *call) tooLarge(size int) error {
	return upstream.SerializationError{Fault: &upstream.Fault{
		Server: c.server.Name,
		Text:   fmt.Sprintf("the result has %s, and weir's configuration allows max_result %s", bytesText(size), bytesText(c.server.Limits.ResultBytes)),
		Hint:   "Ask for less, or tell the user.",
	}}
}

// bytesText is a number of bytes for people.
func bytesText(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// A cutter makes the result of a tool fit: it keeps the beginning of its texts,
// and of all else what fits whole.
type cutter struct {
	server          string
	limit           int
	needsStructured bool

	left    int // bytes
	dropped []string
	cut     bool // a text
}

// markerRoom is how many bytes what is said of a cut may take, and what holds the
// result together.
const markerRoom = 700

func (c *cutter) result(raw []byte) []byte {
	members, _ := jsonrpc.ParseObject(nil, raw) // it is an object
	c.left = max(0, c.limit-markerRoom)
	out := make([]jsonrpc.Member, 0, len(members)+2)
	var content, structured []jsonrpc.Member
	for _, m := range members {
		switch string(m.Key) {
		case "content":
			content = append(content, m)
		case "structuredContent":
			structured = append(structured, m)
		default:
			out = c.member(out, m)
		}
	}
	blocks := c.content(content)
	before := len(out)
	for _, m := range structured {
		out = c.member(out, m)
	}
	if c.needsStructured && len(out) == before {
		out = rewrittenMembers(out, "isError", nil)
		out = append(out, jsonrpc.NewMember("isError", []byte("true")))
	}
	marker := jsonrpc.AppendString([]byte(`{"type":"text","text":`), c.marker(len(raw)))
	blocks = append(append(blocks, marker...), '}', ']')
	out = append(out, jsonrpc.NewMember("content", blocks))
	return jsonrpc.AppendObject(make([]byte, 0, c.limit), out)
}

// member keeps a member that fits.
func (c *cutter) member(out []jsonrpc.Member, m jsonrpc.Member) []jsonrpc.Member {
	if size := len(m.Name) + len(m.Value) + len(`:,`); size <= c.left {
		c.left -= size
		return append(out, m)
	}
	c.dropped = append(c.dropped, plainName(m.Key))
	return out
}

// plainName is the name of a member where that is a word.
func plainName(key []byte) string {
	const longest = 32
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	}
	if len(key) > longest || bytes.ContainsFunc(key, odd) {
		return "a further member"
	}
	return string(key)
}

// content is the blocks that fit, as the beginning of an array with a comma at its
// end; and of the first text that does not its beginning.
func (c *cutter) content(members []jsonrpc.Member) []byte {
	out := []byte{'['}
	missing := 0
	for _, m := range members {
		blocks, err := jsonrpc.ParseArray(nil, m.Value)
		if err != nil {
			missing++
		}
		for _, b := range blocks {
			if b = c.block(b); b == nil {
				missing++
				continue
			}
			c.left -= len(b) + 1
			out = append(append(out, b...), ',')
		}
	}
	if missing > 0 {
		c.dropped = append(c.dropped, fmt.Sprintf("%d of the content's blocks", missing))
	}
	return out
}

// block is a block, or the beginning of a text, that fits; nil for none.
func (c *cutter) block(raw []byte) []byte {
	if len(raw)+1 <= c.left {
		return raw
	}
	text := memberOf(raw, "text")
	if c.cut || !isText(raw) || len(text) < 2 || text[0] != '"' {
		return nil
	}
	room := c.left - 1 - (len(raw) - len(text)) - len(`""`)
	if room <= 0 {
		return nil
	}
	c.cut = true
	head := append(append([]byte{'"'}, beginning(text[1:len(text)-1], room)...), '"')
	return jsonrpc.Splice(nil, raw, jsonrpc.Edit{At: text, With: head})
}

// beginning is the beginning of what stands in a JSON string, of size bytes at
// most. It ends with a whole character.
func beginning(text []byte, size int) []byte {
	end := 0
	for end < len(text) {
		n := 1
		switch {
		case text[end] == '\\':
			n = escapeLength(text[end:])
		case text[end] >= utf8.RuneSelf:
			_, n = utf8.DecodeRune(text[end:])
		}
		if end+n > size {
			break
		}
		end += n
	}
	return text[:end]
}

// escapeLength is the length of the escape sequence at the head of text; of a
// surrogate pair, that of both.
func escapeLength(text []byte) int {
	const one, pair = len(`\u0000`), len(`\u0000\u0000`)
	if text[1] != 'u' {
		return 2
	}
	high := text[2]|0x20 == 'd' && strings.IndexByte("89abAB", text[3]) >= 0
	if high && len(text) >= pair && text[6] == '\\' && text[7] == 'u' && text[8]|0x20 == 'd' && strings.IndexByte("cdefCDEF", text[9]) >= 0 {
		return pair
	}
	return one
}

// marker says what was done to a result of so many bytes.
func (c *cutter) marker(size int) string {
	shown := max(0, c.limit-markerRoom) - c.left
	text := fmt.Sprintf("[weir cut this result: %d of %d bytes shown; server %q allows max_result %s", shown, size, c.server, bytesText(c.limit))
	if len(c.dropped) > 0 {
		const most = 5
		names := c.dropped[:min(len(c.dropped), most)]
		text += "; left out: " + strings.Join(names, ", ")
		if len(c.dropped) > most {
			text += " and more"
		}
	}
	const longest = markerRoom / 2
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text + "]"
}

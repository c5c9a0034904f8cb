package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A view shows people what servers answered. A program that reads stdout gets
// texts as they came; on a terminal characters that could do more than show are
// left out, and structured content becomes tables. Bytes go into files in either
// case, and a line names each.
type view struct {
	out      io.Writer
	terminal bool
	paint    paint
	width    int // as of [app.width]
	files    shelf
}

// view is one onto stdout. What has no text is saved in folder, under a name that
// begins with stem.
func (a *app) view(folder, stem string) *view {
	return &view{
		out:      a.Stdout,
		terminal: isTerminal(a.Stdout),
		paint:    a.paint(),
		width:    a.width(),
		files:    shelf{dir: folder, stem: stem},
	}
}

// result shows what a tool answered.
func (v *view) result(r *toolResult) {
	if !v.terminal {
		for _, block := range r.Content {
			v.block(block)
		}
		if len(r.Content) == 0 && r.Structured != nil {
			v.line(indented(r.Structured))
		}
		return
	}
	s := newStructured(r.Structured)
	said := false
	for _, block := range r.Content {
		if s.isRepeatedBy(block) {
			continue
		}
		said = said || s.isSaidBy(block)
		v.block(block)
	}
	if r.Structured != nil && !said {
		v.value(s.value)
	}
}

// block shows one content block: a text as it is, anything else in a line.
func (v *view) block(raw []byte) {
	block, _ := jsonrpc.ParseObject(nil, raw)
	switch kind := textOf(block, "type"); kind {
	case "text":
		v.line(textOf(block, "text"))
	case "image", "audio":
		v.line(v.saved(kind, textOf(block, "mimeType"), textOf(block, "data")))
	case "resource_link":
		v.line(describeLink(block))
	case "resource":
		v.resource(jsonrpc.Find(block, "resource"))
	default:
		v.line(string(raw))
	}
}

// resource shows the contents of one, embedded or read.
func (v *view) resource(raw []byte) {
	resource, _ := jsonrpc.ParseObject(nil, raw)
	if jsonrpc.Find(resource, "text") != nil {
		v.line(textOf(resource, "text"))
		return
	}
	v.line(v.saved("resource "+textOf(resource, "uri"), textOf(resource, "mimeType"), textOf(resource, "blob")))
}

// describeLink says what a link leads to, in one line.
func describeLink(block []jsonrpc.Member) string {
	text := fmt.Sprintf("[resource %s: %s", textOf(block, "name"), textOf(block, "uri"))
	if about := textOf(block, "description"); about != "" {
		text += ", " + about
	}
	return printable(text + "]")
}

// saved puts bytes into a file, and says which. Where that cannot be it says why.
func (v *view) saved(what, mimeType, encoded string) string {
	about := printable(what)
	if mimeType != "" {
		about += ", " + printable(mimeType)
	}
	data, err := decodeBytes(encoded)
	if err != nil {
		return fmt.Sprintf("[%s, not saved: its data is not base64; --json has it]", about)
	}
	about += ", " + plural(len(data), "byte", "bytes")
	path, err := v.files.put(mimeType, data)
	if err != nil {
		return fmt.Sprintf("[%s, not saved: %v; --json has it]", about, err)
	}
	return fmt.Sprintf("[%s: saved as %s]", about, path)
}

// decodeBytes reads base64. Some servers leave out the padding.
func decodeBytes(encoded string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return base64.RawStdEncoding.DecodeString(encoded)
	}
	return data, nil
}

// line shows a text, with a line end behind it.
func (v *view) line(text string) {
	if v.terminal {
		text = withoutControls(text)
	}
	printLine(v.out, text)
}

func printLine(w io.Writer, text string) {
	_, _ = io.WriteString(w, text) // nobody is left to tell
	if text == "" || text[len(text)-1] != '\n' {
		_, _ = io.WriteString(w, "\n")
	}
}

// indented returns JSON over several lines, its values as they were.
func indented(raw []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

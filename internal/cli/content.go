package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// printResult writes what a tool answered for a person: texts as they are,
// the rest in a line each. On a terminal, characters that could do more than
// show are left out.
func (a *app) printResult(r *toolResult) {
	show := func(text string) string { return text }
	if isTerminal(a.Stdout) {
		show = withoutControls
	}
	for _, block := range r.Content {
		printLine(a.Stdout, show(describeBlock(block)))
	}
	if len(r.Content) == 0 && r.Structured != nil {
		printLine(a.Stdout, show(indented(r.Structured)))
	}
}

func printLine(w io.Writer, text string) {
	_, _ = io.WriteString(w, text) // nobody is left to tell
	if text == "" || text[len(text)-1] != '\n' {
		_, _ = io.WriteString(w, "\n")
	}
}

// describeBlock says what a content block is; a text block is its text.
func describeBlock(raw []byte) string {
	block, _ := jsonrpc.ParseObject(nil, raw)
	switch kind := textOf(block, "type"); kind {
	case "text":
		return textOf(block, "text")
	case "image", "audio":
		size := base64.StdEncoding.DecodedLen(len(textOf(block, "data")))
		return fmt.Sprintf("[%s, %s, about %d bytes; --json has it]", kind, textOf(block, "mimeType"), size)
	case "resource_link":
		return fmt.Sprintf("[resource %s: %s]", textOf(block, "name"), textOf(block, "uri"))
	case "resource":
		return describeResource(jsonrpc.Find(block, "resource"))
	}
	return string(raw)
}

func describeResource(raw []byte) string {
	resource, _ := jsonrpc.ParseObject(nil, raw)
	if jsonrpc.Find(resource, "text") != nil {
		return textOf(resource, "text")
	}
	return fmt.Sprintf("[resource %s, %s; --json has it]", textOf(resource, "uri"), textOf(resource, "mimeType"))
}

// indented returns JSON over several lines, its values as they were.
func indented(raw []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

package catalog

import (
	"strings"
	"unicode/utf8"

	"github.com/weir-mcp/weir/aggregator/hygiene"
	"github.com/weir-mcp/weir/aggregator/namespace"
)

// Bounds of the instructions, in bytes: of one server's, and of all together.
const (
	maxInstructions    = 4 << 10
	maxAllInstructions = 16 << 10
)

const ellipsis = "…"

// Instructions returns what the permitted servers say of how to use them: the
// text of each under a line with its name and how the names of its tools begin.
// The text of a server that is alone and whose names are as it gave them stands
// for itself. What could hide something from who reads it is taken out.
func (s *Snapshot) Instructions(permitted func(server string) bool) string {
	if len(s.servers) == 1 && s.servers[0].Prefix == "" {
		if only := &s.servers[0]; only.Lists != nil && permitted(only.Name) {
			return clip(only.instructions(), maxAllInstructions)
		}
		return ""
	}
	var all strings.Builder
	for i := range s.servers {
		from := &s.servers[i]
		if from.Lists == nil || !permitted(from.Name) {
			continue
		}
		text := strings.TrimSpace(clip(from.instructions(), maxInstructions))
		if text == "" {
			continue
		}
		if all.Len() > 0 {
			all.WriteString("\n\n")
		}
		all.WriteString("# " + from.Name)
		if head := namespace.Head(s.rules, from.Server); head != "" {
			all.WriteString(" (tools: " + head + "*)")
		}
		all.WriteString("\n" + text)
	}
	return clip(all.String(), maxAllInstructions)
}

// instructions are what the server says, as hosts see it.
func (s *Server) instructions() string {
	if s.AsSent {
		return s.Lists.Instructions
	}
	return hygiene.Text(s.Lists.Instructions)
}

// clip cuts text at a rune so that it has no more than limit bytes.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	limit -= len(ellipsis)
	for !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + ellipsis
}

package catalog

import (
	"strings"
	"unicode/utf8"

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
			return clip(plain(only.Lists.Instructions), maxAllInstructions)
		}
		return ""
	}
	var all strings.Builder
	for i := range s.servers {
		from := &s.servers[i]
		if from.Lists == nil || !permitted(from.Name) {
			continue
		}
		text := strings.TrimSpace(clip(plain(from.Lists.Instructions), maxInstructions))
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

// plain returns text without what a terminal or a model reads and a person does
// not see: escape sequences and other controls, marks that turn the direction
// of writing, characters without width, tags.
func plain(text string) string {
	var b strings.Builder
	for text != "" {
		if n := escapeSequence(text); n > 0 {
			text = text[n:]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		if !unseen(r) {
			b.WriteRune(r)
		}
		text = text[size:]
	}
	return b.String()
}

// escapeSequence returns the length of the one that text begins with, 0 for
// none (ECMA-48).
func escapeSequence(text string) int {
	const esc, csi = '\x1b', "\u009b"
	at := len(csi)
	switch {
	case strings.HasPrefix(text, csi):
	case text[0] != esc:
		return 0
	case len(text) == 1 || text[1] != '[':
		return 1
	}
	for at < len(text) && text[at] >= ' ' && text[at] <= '?' {
		at++
	}
	if at < len(text) && text[at] >= '@' && text[at] <= '~' {
		at++
	}
	return at
}

func unseen(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case r < ' ', r >= 0x7f && r <= 0x9f: // controls
	case r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069: // direction
	case r == 0x00ad, r >= 0x200b && r <= 0x200d, r >= 0x2060 && r <= 0x2064, r == 0xfeff: // no width
	case r >= 0xe0000 && r <= 0xe007f: // tags
	default:
		return false
	}
	return true
}

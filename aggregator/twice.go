package aggregator

import (
	"fmt"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// maxArgumentDepth is how deep arguments may nest that somebody looks at.
const maxArgumentDepth = 1000

// twice says which member stands twice in one object of a valid JSON text, at any
// depth, or "". It reads the text once: to take each level apart anew would make
// the host's reader wait for as many readings as there are levels.
func twice(text []byte) string {
	type level struct {
		seen map[string]bool // nil for an array
		key  bool            // a string here is a name
		n    int             // members or elements
	}
	var levels []level
	for at := 0; at < len(text); at++ {
		top := len(levels) - 1
		switch text[at] {
		case '{', '[':
			if len(levels) > maxArgumentDepth {
				return "too deep nesting"
			}
			l := level{key: text[at] == '{'}
			if l.key {
				l.seen = make(map[string]bool)
			}
			levels = append(levels, l)
		case '}', ']':
			levels = levels[:top]
		case ',':
			if levels[top].n++; levels[top].n >= jsonrpc.MaxMembers {
				return "too many members or elements"
			}
			levels[top].key = levels[top].seen != nil
		case '"':
			end := jsonrpc.EndOfString(text, at)
			if top >= 0 && levels[top].key {
				levels[top].key = false
				name, err := jsonrpc.String(text[at:end])
				if err != nil {
					return "a name that is no text"
				}
				if levels[top].seen[name] {
					return fmt.Sprintf("member %q stands twice", clip(name))
				}
				levels[top].seen[name] = true
			}
			at = end - 1
		}
	}
	return ""
}

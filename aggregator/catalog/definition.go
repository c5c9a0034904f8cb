package catalog

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/weir-mcp/weir/aggregator/hygiene"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Shape is what definitions look like to hosts of a sort.
type Shape struct {
	// Legacy is for hosts of the legacy era: without an output schema that such a
	// host may not bear (2025-11-25, tools: the root must be of type "object").
	Legacy bool

	// Polled is for hosts that know no tasks of the core: weir waits for the end of
	// a task for them, so that one which the server requires is none to them.
	Polled bool
}

// AppendDefinition appends the definition as hosts see it: the server's own, to
// the byte, but for the name and, of a tool, the URI of its page, where those are
// others, for what hygiene takes out, and for the shape.
func (r *Route) AppendDefinition(dst []byte, in Shape) []byte {
	if r.pages != nil || r.isCleaned() || in.Legacy && r.LooseOutput() || in.Polled && r.polled {
		return jsonrpc.Splice(dst, r.shown().raw, r.edits(in)...)
	}
	before, after := r.shown().aroundName()
	dst = append(dst, before...)
	dst = r.appendName(dst)
	return append(dst, after...)
}

// appendName appends the exposed name, as the server wrote it if it is its own.
func (r *Route) appendName(dst []byte) []byte {
	if r.Exposed == r.shown().name {
		return append(dst, r.shown().RawName()...)
	}
	return jsonrpc.AppendString(dst, r.Exposed)
}

// edits are all that is other in the definition, in its order.
func (r *Route) edits(in Shape) []jsonrpc.Edit {
	name := jsonrpc.Edit{At: r.shown().RawName(), With: r.appendName(nil)}
	edits := append(slices.Clone(r.pages), name)
	if r.isCleaned() {
		edits = append(edits, hygiene.Edits(r.shown().raw)...)
	}
	if in != (Shape{}) {
		edits = append(edits, r.shaped(in)...)
	}
	return outermost(r.shown().raw, edits)
}

func (r *Route) isCleaned() bool { return !r.asSent && r.shown().Unclean() }

// outermost returns the edits in the order of the text, without those within
// others. Of several at the same place the first one counts.
func outermost(raw []byte, edits []jsonrpc.Edit) []jsonrpc.Edit {
	offset := func(e jsonrpc.Edit) int {
		before, _ := jsonrpc.Cut(raw, e.At)
		return len(before)
	}
	slices.SortStableFunc(edits, func(a, b jsonrpc.Edit) int {
		return cmp.Or(offset(a)-offset(b), len(b.At)-len(a.At))
	})
	end := 0
	return slices.DeleteFunc(edits, func(e jsonrpc.Edit) bool {
		start := offset(e)
		if start < end {
			return true
		}
		end = start + len(e.At)
		return false
	})
}

// aroundName is what stands before and after the name in the definition.
func (i *Item) aroundName() (before, after []byte) {
	return i.raw[:i.nameAt], i.raw[i.nameEnd:]
}

// AppOnly reports whether a tool is for the apps of a host that shows apps, not
// for its model (MCP Apps, _meta.ui.visibility).
func (r *Route) AppOnly() bool { return r.shown().traits&appOnly != 0 }

// LooseOutput reports whether a tool has an output schema that only the modern
// era allows.
func (r *Route) LooseOutput() bool { return r.shown().traits&looseOutput != 0 }

// Polled reports whether the tool is another one to hosts without tasks.
func (r *Route) Polled() bool { return r.polled }

// shaped are the edits that a shape makes.
func (r *Route) shaped(in Shape) (edits []jsonrpc.Edit) {
	raw := r.shown().raw
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil // it was parsed before
	}
	if in.Legacy && r.LooseOutput() {
		edits = without(raw, members, "outputSchema")
	}
	for i := range members {
		if in.Polled && r.polled && string(members[i].Key) == "execution" {
			if support := taskSupport(members[i].Value); string(support) == `"required"` {
				edits = append(edits, jsonrpc.Edit{At: support, With: []byte(`"optional"`)})
			}
		}
	}
	return edits
}

// without returns the edits that take all members called key out of an object
// that has others.
func without(raw []byte, members []jsonrpc.Member, key string) (cuts []jsonrpc.Edit) {
	end := func(m jsonrpc.Member) int {
		before, _ := jsonrpc.Cut(raw, m.Value)
		return len(before) + len(m.Value)
	}
	start := func(m jsonrpc.Member) int {
		before, _ := jsonrpc.Cut(raw, m.Name)
		return len(before)
	}
	// The first ones go with the comma behind them, the others with the one
	// before.
	first := slices.IndexFunc(members, func(m jsonrpc.Member) bool { return string(m.Key) != key })
	if first > 0 {
		cuts = append(cuts, jsonrpc.Edit{At: raw[start(members[0]):start(members[first])]})
	}
	for i := first + 1; i < len(members); i++ {
		if string(members[i].Key) == key {
			cuts = append(cuts, jsonrpc.Edit{At: raw[end(members[i-1]):end(members[i])]})
		}
	}
	return cuts
}

// AppendList appends the member of a list result that holds the items of a kind,
// in a shape.
func AppendList(dst []byte, k Kind, routes []*Route, in Shape) []byte {
	size := len(`"":[]`) + len(kinds[k].list)
	for _, r := range routes {
		size += len(r.shown().raw) + len(r.Exposed) + len(`"",`)
	}
	dst = append(slices.Grow(dst, size), '"')
	dst = append(append(dst, kinds[k].list...), `":[`...)
	for i, r := range routes {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.AppendDefinition(dst, in)
	}
	return append(dst, ']')
}

// Same reports whether a host would see the same definitions in the same order.
// It costs little where both alias the same lists.
func Same(a, b []*Route) bool {
	return slices.EqualFunc(a, b, func(a, b *Route) bool {
		beforeA, afterA := a.shown().aroundName()
		beforeB, afterB := b.shown().aroundName()
		return a.Exposed == b.Exposed && a.asSent == b.asSent && a.polled == b.polled && bytes.Equal(beforeA, beforeB) && bytes.Equal(afterA, afterB) &&
			slices.EqualFunc(a.pages, b.pages, sameEdit)
	})
}

func sameEdit(a, b jsonrpc.Edit) bool { return bytes.Equal(a.With, b.With) }

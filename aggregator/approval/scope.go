package approval

import (
	"slices"

	"github.com/weir-mcp/weir/policy"
)

// A Scope is how far a yes goes. The zero Scope is none.
type Scope string

// The scopes. The last two are for any arguments, and the last one ends when the
// definition changes, as ToolThisSession does.
const (
	ThisCall        Scope = "call"
	TheseArguments  Scope = "arguments"
	ToolThisSession Scope = "session"
	ToolAlways      Scope = "tool"
)

// Scopes are those that a yes to it can have, the narrowest first. Where there is
// no definition that could change none is for any arguments: a resource has no
// arguments at all.
func (b binding) Scopes() []Scope {
	if b.Definition == "" {
		return []Scope{ThisCall, TheseArguments}
	}
	return []Scope{ThisCall, TheseArguments, ToolThisSession, ToolAlways}
}

// Words say to a person what a scope is here.
func (b binding) Words(scope Scope) string {
	switch scope {
	case ThisCall:
		return "once"
	case TheseArguments:
		if b.Kind == policy.Resource.String() {
			return "this resource always"
		}
		return "these arguments always"
	case ToolThisSession:
		return "this " + b.Kind + " for this session"
	case ToolAlways:
		return "this " + b.Kind + " always"
	}
	return string(scope)
}

// ScopeOf is the scope that exactly these words say; "" if it has none such.
func (b binding) ScopeOf(words string) Scope {
	scopes := b.Scopes()
	i := slices.IndexFunc(scopes, func(s Scope) bool { return b.Words(s) == words })
	if i < 0 {
		return ""
	}
	return scopes[i]
}

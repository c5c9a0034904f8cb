package policy

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// facts are what the conditions of one decision look at, each found out when the
// first condition wants it. They are for one goroutine.
type facts struct {
	request Request
	tags    []string

	arguments, tool, server map[string]any
	claims                  map[string]any // tool with what its server says of it
	principal, client       map[string]string
	argumentsErr, claimsErr error

	claimed bool // the condition at hand wants claims
}

// A fault is why a condition could not be evaluated. The zero fault is none.
type fault struct {
	reason string // a sentence: `args.sql is missing`
	hint   string // how to test for it, if something is missing
}

// holds evaluates a condition.
func (f *facts) holds(c *condition) (bool, fault) {
	if problem := f.prepare(c); problem != (fault{}) {
		return false, problem
	}
	out, _, err := c.program.Eval(f)
	switch out {
	case types.True:
		return true, fault{}
	case types.False:
		return false, fault{}
	}
	if err == nil {
		return false, fault{reason: "its result is neither true nor false"}
	}
	return false, f.explain(c, err.Error())
}

// prepare decodes what a condition looks at. What cannot be decoded closes the
// condition even where the value would not have mattered.
func (f *facts) prepare(c *condition) fault {
	if c.arguments && f.arguments == nil && f.argumentsErr == nil {
		f.arguments, f.argumentsErr = decodeObject(f.request.argumentsOf())
	}
	if c.arguments && f.argumentsErr != nil {
		return fault{reason: "the arguments cannot be judged: " + f.argumentsErr.Error()}
	}
	f.claimed = c.claims
	if c.claims && f.claims == nil && f.claimsErr == nil {
		f.claims, f.claimsErr = f.request.describedTool()
	}
	if c.claims && f.claimsErr != nil {
		return fault{reason: "what the server says of its tool cannot be judged: " + f.claimsErr.Error()}
	}
	return fault{}
}

// argumentsOf are those of the kinds that have some.
func (r *Request) argumentsOf() []byte {
	if r.Kind == Tool || r.Kind == Prompt {
		return r.Arguments
	}
	return nil
}

// describedTool is the variable tool; it is empty for what is no tool.
func (r *Request) describedTool() (map[string]any, error) {
	if r.Kind != Tool {
		return map[string]any{}, nil
	}
	title, annotations, err := decodeTool(r.Definition)
	return map[string]any{"name": r.Name, "title": title, "annotations": annotations}, err
}

// ResolveName is how CEL asks for a variable.
func (f *facts) ResolveName(name string) (any, bool) {
	switch name {
	case varArguments:
		return f.arguments, true
	case varTool:
		return f.aboutTool(), true
	case varServer:
		if f.server == nil {
			f.server = map[string]any{"name": f.request.Server, "tags": f.tags}
		}
		return f.server, true
	case varPrincipal:
		if f.principal == nil {
			p := f.request.Principal
			f.principal = map[string]string{"key": p.Key, "team": p.Team, "org": p.Org, "profile": p.Profile}
		}
		return f.principal, true
	case varClient:
		if f.client == nil {
			f.client = map[string]string{"name": f.request.Client.Name, "version": f.request.Client.Version}
		}
		return f.client, true
	default:
		return nil, false
	}
}

// Parent is for CEL: there are no further variables.
func (f *facts) Parent() cel.Activation { return nil }

func (f *facts) aboutTool() map[string]any {
	if f.claimed {
		return f.claims
	}
	if f.tool == nil {
		f.tool = map[string]any{}
		if f.request.Kind == Tool {
			f.tool["name"] = f.request.Name
		}
	}
	return f.tool
}

// explain puts an error of CEL into words. Nothing of the arguments is repeated:
// the words reach hosts, logs and terminals.
func (f *facts) explain(c *condition, text string) fault {
	if key, ok := strings.CutPrefix(text, "no such key: "); ok {
		for _, p := range c.paths {
			if p.keys[len(p.keys)-1] == key && f.lacks(p.keys) {
				return fault{reason: p.written + " is missing", hint: p.test}
			}
		}
		return fault{reason: "a member that it looks at is missing"}
	}
	switch {
	case strings.HasPrefix(text, "no such overload"):
		return fault{reason: "a value is not of the type that it expects"}
	case strings.Contains(text, "cost limit exceeded"):
		return fault{reason: "it takes more work than a condition may"}
	default:
		return fault{reason: "its evaluation fails"}
	}
}

// lacks reports whether the last of the keys is missing in a place that is
// there.
func (f *facts) lacks(keys []string) bool {
	var at any
	switch keys[0] {
	case varArguments:
		at = f.arguments
	case varTool:
		at = f.aboutTool()
	}
	for i, key := range keys[1:] {
		object, isObject := at.(map[string]any)
		if !isObject {
			return false
		}
		var there bool
		if at, there = object[key]; !there {
			return i == len(keys)-2
		}
	}
	return false
}

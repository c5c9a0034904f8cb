package aggregator

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/schema"
)

// This file is what becomes of the arguments of a call before they are sent: they
// can be read in one way only, the user's own go before the host's, and they fit
// the tool's schema where that is demanded.

// checkReading refuses arguments in which a member stands twice, where the policy or
// an override looks at them: readers differ on which of the two counts. What is not
// there for the principal is left to the policy.
func (v *view) checkReading(t *target) *refusal {
	looks := t.way.looksAtArguments || t.item.Override != nil && t.item.Override.EditsArguments()
	if !looks || t.arguments == nil || !v.listed(t.item) {
		return nil
	}
	if why := twice(t.arguments); why != "" {
		return &refusal{code: codeInvalidRequest, message: "Invalid request: " + why + " in arguments"}
	}
	return nil
}

// amendArguments puts the user's own arguments in place: from here on they are what
// is judged and what is sent.
func (v *view) amendArguments(t *target) {
	o := t.tool.Override
	if o == nil || !o.EditsArguments() {
		return
	}
	amended, problems := o.Arguments(t.arguments)
	t.amended = !bytes.Equal(amended, t.arguments)
	t.arguments, t.problems = amended, problems
}

// sent is the members of params with the arguments that were judged. It changes
// nothing of params.
func (t *target) sent(params []jsonrpc.Member) []jsonrpc.Member {
	if !t.amended {
		return params
	}
	params = slices.Clone(params)
	for i := range params {
		if string(params[i].Key) == "arguments" {
			params[i].Value = t.arguments
			return params
		}
	}
	return append(params, jsonrpc.NewMember("arguments", t.arguments))
}

// checkArguments refuses what the user's overrides do not let a host send, and what
// does not fit the tool's own schema, where the user wants that checked.
func (v *view) checkArguments(s *session, q query, t *target) *refusal {
	problems := t.problems
	if t.way.validates {
		problems = append(problems, s.a.unfit(t)...)
	}
	if problems == nil {
		return nil
	}
	return &refusal{result: s.a.unfitResult(t, problems, q.modern)}
}

// unfit lists how the arguments do not fit the tool's schema. One that cannot be
// used is no reason to refuse: the log tells of it, and the server checks by itself.
func (a *Aggregator) unfit(t *target) (problems []string) {
	compiled, fresh, err := a.schemas.of(t.tool)
	if err != nil {
		if fresh {
			a.log.Warn().Err(err).Str("upstream", t.tool.Server).Str("tool", t.name).
				Msg("arguments are not checked: the tool's schema cannot be used")
		}
		return nil
	}
	if compiled == nil {
		return nil
	}
	arguments := t.arguments
	if arguments == nil {
		arguments = []byte("{}")
	}
	for _, p := range compiled.Check(arguments) {
		problems = append(problems, p.String())
	}
	return problems
}

// unfitResult tells a model how its call was wrong.
func (a *Aggregator) unfitResult(t *target, problems []string, modern bool) []byte {
	text := fmt.Sprintf("Tool %q of server %q was not called, its arguments are wrong:\n- %s",
		t.tool.Called(), t.tool.Server, strings.Join(problems, "\n- "))
	data := errorData(upstream.KindValidation, &upstream.Fault{Server: t.tool.Server}, t.tool.Called())
	return a.toolError(text, data, modern)
}

// schemas are those of tools, made when they are first needed. The zero schemas are
// ready for use, from any goroutine.
type schemas struct {
	mu    sync.Mutex
	known map[string]*knownSchema // guarded by mu; by server and tool
}

type knownSchema struct {
	definition []byte         // that it was made of
	schema     *schema.Schema // nil if the tool has none
	err        error          // why it cannot be used
}

// maxSchemas is how many schemas are kept.
const maxSchemas = 500

// of returns the schema of a tool's arguments, nil if it has none; fresh says that
// it was not known before.
func (k *schemas) of(route *catalog.Route) (s *schema.Schema, fresh bool, err error) {
	key := route.Server + "\x00" + route.Item.Name()
	definition := route.Item.Raw()
	k.mu.Lock()
	found := k.known[key]
	k.mu.Unlock()
	if found != nil && bytes.Equal(found.definition, definition) {
		return found.schema, false, found.err
	}
	found = &knownSchema{definition: definition}
	if members, err := jsonrpc.ParseObject(nil, definition); err == nil {
		if raw := jsonrpc.Find(members, "inputSchema"); raw != nil {
			found.schema, found.err = schema.Compile(raw)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil || len(k.known) >= maxSchemas {
		k.known = make(map[string]*knownSchema)
	}
	k.known[key] = found
	return found.schema, true, found.err
}

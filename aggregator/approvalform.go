package aggregator

import (
	"strings"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is the form by which weir asks a host's user (2025-11-25 and
// 2026-07-28, elicitation, form mode).

// maxForm is how many bytes a question may be. A longer one is for a terminal:
// nobody reads it in a dialog, and a part of the arguments must not be shown for
// the whole.
const maxForm = 16 << 10

// choice is the one field of the form.
const choice = "approval"

// approvalForm is the raw params of the question; nil if it is too long. All
// that others wrote stands indented: where hosts take a message for Markdown that
// is text and nothing else, and no line of it can begin like one of weir's own.
func approvalForm(c *approval.Call) []byte {
	const indent = "    "
	lines := []string{"weir asks: may " + verbs[c.Kind] + "?", ""}
	for _, field := range [][2]string{
		{"server:", approval.Visible(c.Server)},
		{c.Kind + ":", approval.Visible(c.Name)},
		{"because:", approval.Visible(c.Why())},
		{"arguments:", c.Shown(indent + "  ")},
	} {
		if field[1] != "" {
			lines = append(lines, indent+field[0]+" "+field[1])
		}
	}
	message := strings.Join(lines, "\n")
	if len(message) > maxForm {
		return nil
	}
	out := jsonrpc.AppendString([]byte(`{"mode":"form","message":`), message)
	out = append(out, `,"requestedSchema":{"type":"object","properties":{"`+choice+`":{"type":"string","title":"Approve",`...)
	out = append(out, `"description":"How far your approval goes. Decline to refuse.","enum":[`...)
	for i, scope := range c.Scopes() {
		if i > 0 {
			out = append(out, ',')
		}
		out = jsonrpc.AppendString(out, c.Words(scope))
	}
	return append(out, `]}},"required":["`+choice+`"]}}`...)
}

// verbs say what is to be done with an item, by its kind.
var verbs = map[string]string{
	"tool":     "this tool be called",
	"prompt":   "this prompt be fetched",
	"resource": "this resource be read",
}

// chosenScope is what a user has chosen; "" for no yes, and then what it is. The
// answer is raw, nil for none. What can be read in two ways is no yes.
func chosenScope(c *approval.Call, answer []byte) (scope approval.Scope, refusal string) {
	const nonsense = "the user has approved nothing: the host's answer is none of the choices"
	members, err := jsonrpc.ParseObject(nil, answer)
	if err != nil || standsTwice(members) {
		return "", nonsense
	}
	action, _ := jsonrpc.String(jsonrpc.Find(members, "action")) // another kind is no action
	switch action {
	case "accept":
	case "decline":
		return "", "the user has declined"
	case "cancel":
		return "", "the user has dismissed the question"
	default:
		return "", nonsense
	}
	content, err := jsonrpc.ParseObject(nil, jsonrpc.Find(members, "content"))
	if err != nil || standsTwice(content) {
		return "", nonsense
	}
	words, err := jsonrpc.String(jsonrpc.Find(content, choice))
	if err != nil {
		return "", nonsense
	}
	if scope = c.ScopeOf(words); scope == "" {
		return "", nonsense
	}
	return scope, ""
}

func standsTwice(members []jsonrpc.Member) bool { return ambiguous(members, nil) != "" }

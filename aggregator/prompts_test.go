package aggregator

import (
	"strings"
	"testing"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestPromptArguments: a condition judges the arguments of a prompt as they are
// sent. While they are being thought of it keeps nobody from completing them.
func TestPromptArguments(t *testing.T) {
	for _, e := range []era{legacy, modern} {
		bubble(t, e.String(), func(t *testing.T) {
			reply := upstreamtest.Rule{On: "prompts/get", Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"complete","messages":[]}`)}}}
			servers := twoWithFiles(reply, upstreamtest.Rule{On: "completion/complete", Do: []upstreamtest.Step{{Reply: raw(`{"resultType":"complete","completion":{"values":["ok"]}}`)}}})
			p := ruled(t, policy.Rule{Server: text("b"), Prompt: text("ask"), Level: level(policy.Deny), When: text(`args.x == "bad"`)})
			_, h := startListed(t, servers, p, "b")
			if e == modern {
				h.send(e.open()...)
			}
			get := func(id, arguments string) string {
				return strings.Join(h.send(e.request(id, "prompts/get", `"name":"b__ask","arguments":`+arguments, "")), "\n")
			}
			wantText(t, "forbidden", get("1", `{"x":"bad"}`), "-32603", "may not be used with these arguments")
			wantText(t, "twice", get("2", `{"x":"ok","x":"bad"}`), "-32600", "stands twice in arguments")
			wantText(t, "missing", get("3", `{}`), "-32603", "has(args.x)")
			wantEqual(t, "so far", len(servers["b"].Received("prompts/get")), 0)
			wantText(t, "allowed", get("4", `{"x":"ok"}`), `"messages":[]`)
			completed := h.send(e.request("5", "completion/complete", `"ref":{"type":"ref/prompt","name":"b__ask"},"argument":{"name":"x","value":"o"}`, ""))
			wantText(t, "completed", strings.Join(completed, "\n"), `"values":["ok"]`)
		})
	}
}

package aggregator

import (
	"fmt"
	"strings"
	"time"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// weir's own tool. It stands on the server "weir", which no default and no
// glob of a policy covers.
const (
	serversTool      = "weir__servers"
	serversToolShort = "servers"
)

// ownTools is the policy's word on weir__servers. Without any rule it may be
// used while no server is configured, for somebody must say what to do.
func (v *view) ownTools() policy.Verdict {
	verdict := v.judgeOwn(serversToolShort)
	if len(v.servers) == 0 && verdict.Rule == "" {
		return policy.Verdict{Level: policy.Execute}
	}
	return verdict
}

const serversDefinition = `{"name":"` + serversTool + `","title":"Servers behind weir",` +
	`"description":"Lists the MCP servers that weir is configured with: state, protocol revision, how much it lists, and what is wrong with each that does not work.",` +
	`"inputSchema":{"type":"object","properties":{},"additionalProperties":false},` +
	`"annotations":{"readOnlyHint":true,"openWorldHint":false}}`

// appendOwnTools puts weir's own definitions at the end of a "tools" member.
func appendOwnTools(tools []byte, alone bool) []byte {
	tools = tools[:len(tools)-1]
	if !alone {
		tools = append(tools, ',')
	}
	return append(append(tools, serversDefinition...), ']')
}

// callOwnTool answers a call of weir__servers. It reports false for any other
// name, and when the tool does not exist for the principal.
func (s *session) callOwnTool(r *request, name string) bool {
	if name != serversTool {
		return false
	}
	verdict := s.view().ownTools()
	if !verdict.Listed() {
		return false
	}
	if !verdict.Callable() {
		text := fmt.Sprintf("Tool %q may be seen but not called: %s.", name, verdict.Reason)
		data := errorData(upstream.KindAuthorization, &upstream.Fault{Server: policy.Own}, serversToolShort)
		result := s.a.toolError(text, data, r.modern)
		s.recordOwn(r, serversToolShort, verdict, len(result))
		s.reply(&s.batch, r.id, result)
		return true
	}
	if verdict.Ask {
		modern := r.modern
		r.told.server, r.told.name, r.told.judged = policy.Own, serversToolShort, judgedAs(&verdict)
		s.askForOwn(r, approval.Subject{
			Name: serversToolShort, Arguments: jsonrpc.Find(r.params, "arguments"),
			Definition: []byte(serversDefinition), Why: askedBy(verdict),
		}, func() []byte { return s.a.textResult(s.a.describeServers(), modern) })
		return true
	}
	result := s.a.textResult(s.a.describeServers(), r.modern)
	s.recordOwn(r, serversToolShort, verdict, len(result))
	s.reply(&s.batch, r.id, result)
	return true
}

// askForOwn lets a tool of weir's own answer once that is approved.
func (s *session) askForOwn(r *request, subject approval.Subject, answer func() (result []byte)) {
	subject.Server, subject.Kind = policy.Own, policy.Tool
	asked, refused := s.newApproval(toolCall, subject, r.modern)
	if refused != nil {
		s.record(&r.told, &audit.Record{
			Server: policy.Own, Kind: auditKind(toolCall.method), Method: toolCall.method, Name: subject.Name,
			Outcome: audit.Refused, ResponseBytes: len(refused.result),
		})
		s.refuseWith(&s.batch, r.id, refused)
		return
	}
	s.whenApproved(r, toolCall, &errand{asked: asked, params: cloneMembers(r.params), run: func(b *jsonrpc.Batch, c *call) {
		if c.end() {
			result := answer()
			c.record(audit.OK, len(result), "", false)
			s.reply(b, c.id, result)
		}
	}})
}

// textResult is a result of one text.
func (a *Aggregator) textResult(text string, modern bool) []byte {
	out := jsonrpc.AppendString([]byte(`{"content":[{"type":"text","text":`), text)
	out = append(out, `}]`...)
	if modern {
		out = a.appendServerMeta(append(out, `,"resultType":"complete",`...))
	}
	return append(out, '}')
}

// describeServers tells the state of every server in words.
func (a *Aggregator) describeServers() string {
	var b strings.Builder
	if notice := a.world.Load().notice; notice != "" {
		b.WriteString(notice + "\n")
	}
	if problem := a.problem.Load(); problem != nil {
		b.WriteString(*problem + "\n")
	}
	for _, s := range a.Status() {
		fmt.Fprintf(&b, "%s: %s, %d tools", s.Name, s.State, s.Tools)
		if s.Prompts > 0 {
			fmt.Fprintf(&b, ", %d prompts", s.Prompts)
		}
		if s.Resources > 0 {
			fmt.Fprintf(&b, ", %d resources", s.Resources)
		}
		if s.Facts.Version != "" {
			fmt.Fprintf(&b, ", protocol %s", s.Facts.Version)
		}
		if !s.Fetched.IsZero() {
			fmt.Fprintf(&b, ", listed %v ago", time.Since(s.Fetched).Round(time.Second))
		}
		if s.Changed > 0 && s.Withheld {
			fmt.Fprintf(&b, ", %d definitions held back as they have changed (`weir pins diff` in a terminal shows how)", s.Changed)
		}
		if s.Reason != nil {
			fmt.Fprintf(&b, ": %s", publicReason(s.Reason))
		}
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n")
}

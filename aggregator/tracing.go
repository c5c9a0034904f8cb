package aggregator

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/aggregator/telemetry"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file makes spans of what the audit log is told: one for each request of the
// host, below the span that the host names in its _meta, and below that one for the
// server's part of it, which is what the server is told to be below of (2026-07-28,
// basic, _meta: traceparent). Names of spans and attributes are OpenTelemetry's for
// MCP, as far as it has any. Nothing of arguments, results and URIs is in them.

const metaTraceparent = "traceparent"

// A traced is a request while it is traced.
type traced struct {
	own     telemetry.Context
	parent  telemetry.Context // the host's; zero for none
	id      []byte            // of the request, raw
	subject string            // what the host wrote of what it is about; "" where that is no name

	// part is the server's, which may be worked on through several requests of the
	// host. nil before there is one, and once the host was asked in its stead.
	part *serverPart
}

// serverPart is what a server does for a request.
type serverPart struct {
	own    telemetry.Context
	parent telemetry.Context // the request that it began with
	begun  time.Time
}

// trace begins the span of a request, if it is to be recorded.
func (s *session) trace(r *request) {
	if !s.a.cfg.Telemetry.Traces() {
		return
	}
	var parent telemetry.Context
	if text, err := jsonrpc.String(jsonrpc.Find(r.meta, metaTraceparent)); err == nil {
		parent, _ = telemetry.Parse(text) // what cannot be read is as if it were not there
	}
	own, recorded := s.a.cfg.Telemetry.Begin(parent)
	if recorded {
		r.told.span = &traced{own: own, parent: parent, id: bytes.Clone(r.id)}
	}
}

// traceName notes what a request is about, as the host has written it.
func (t *account) traceName(op *operation, subject string) {
	if t.span != nil && (op == toolCall || op == promptGet) {
		t.span.subject = subject
	}
}

// passTrace begins the server's part of a traced request, and returns its params
// and meta with that as what the server's own spans are below of.
func (t *account) passTrace(params, meta []jsonrpc.Member) (_, _ []jsonrpc.Member) {
	if t.span == nil {
		return params, meta
	}
	part := &serverPart{own: t.span.own.Child(), parent: t.span.own, begun: time.Now()}
	t.span.part = part
	value := append(part.own.Append([]byte{'"'}), '"')
	meta = withMember(meta, metaTraceparent, value)
	return withMember(params, "_meta", jsonrpc.AppendObject(nil, meta)), meta
}

// withMember is the members with this one, in the place of the one of its name if
// there is one.
func withMember(members []jsonrpc.Member, key string, value []byte) []jsonrpc.Member {
	members = slices.Clone(members)
	at := slices.IndexFunc(members, func(m jsonrpc.Member) bool { return string(m.Key) == key })
	if at < 0 {
		return append(members, jsonrpc.NewMember(key, value))
	}
	members[at].Value = value
	return members
}

// withoutPart is the account of a request that was answered while the server goes
// on with its part.
func (t account) withoutPart() account {
	if t.span != nil && t.span.part != nil {
		alone := *t.span
		alone.part = nil
		t.span = &alone
	}
	return t
}

// takeOver makes the account that of another request of the host, which goes on
// with what the one before has begun.
func (t *account) takeOver(next *account) {
	t.begun, t.size = next.begun, next.size
	if t.span != nil && next.span != nil {
		next.span.part, next.span.subject = t.span.part, t.span.subject
	}
	t.span = next.span
}

// recordSpans ends the spans of a request.
func (s *session) recordSpans(told *account, r *audit.Record) {
	t := told.span
	if t == nil {
		return
	}
	failed := errorType(r)
	end := r.Time.Add(r.Duration)
	s.a.cfg.Telemetry.Record(telemetry.Span{
		Context: t.own, Parent: t.parent.Span, Kind: telemetry.Server, Start: r.Time, End: end, Error: failed,
		Name: spanName(r.Method, t.subject),
		Attributes: append(
			attributesOf(r, t.subject),
			telemetry.Text("jsonrpc.request.id", strings.Trim(clip(string(t.id)), `"`)),
			telemetry.Text("network.transport", "pipe"),
			telemetry.Text("weir.outcome", r.Outcome),
		),
	})
	if t.part == nil {
		return
	}
	name := ""
	if t.subject != "" {
		name = r.Name
	}
	s.a.cfg.Telemetry.Record(telemetry.Span{
		Context: t.part.own, Parent: t.part.parent.Span, Kind: telemetry.Client, Start: t.part.begun, End: end, Error: failed,
		Name: spanName(r.Method, name), Attributes: attributesOf(r, name),
	})
}

// spanName is the method, and what it is about where that is one of a few.
func spanName(method, name string) string {
	switch {
	case method == "":
		return "message"
	case name == "":
		return method
	}
	return method + " " + clip(name)
}

func attributesOf(r *audit.Record, name string) []telemetry.Attribute {
	out := make([]telemetry.Attribute, 0, 8)
	out = append(out, telemetry.Text("mcp.method.name", r.Method))
	if r.Server != "" {
		out = append(out, telemetry.Text("weir.server", r.Server))
	}
	switch {
	case name == "":
	case r.Kind == audit.KindTool:
		out = append(out, telemetry.Text("gen_ai.tool.name", clip(name)), telemetry.Text("gen_ai.operation.name", "execute_tool"))
	case r.Kind == audit.KindPrompt:
		out = append(out, telemetry.Text("gen_ai.prompt.name", clip(name)))
	}
	return out
}

// errorType is what sort of failure a request ended with; "" for none.
func errorType(r *audit.Record) string {
	switch r.Outcome {
	case audit.OK, audit.Asked:
		return ""
	case audit.Failed:
		return r.Failure
	case audit.Error:
		if r.Kind == audit.KindTool {
			return "tool_error"
		}
	}
	return r.Outcome
}

// Metrics are the figures of now, as a collector is told them. A server that is
// not there stands among them: with a state, and with no connections.
func (a *Aggregator) Metrics() []telemetry.Metric {
	servers, _ := a.Figures()
	servers = append(servers, a.unserved.figures(policy.Own))
	m := metricsOf(servers)
	state := telemetry.Metric{
		Name: "weir.server.state", Unit: "1", Description: "1 for the state that a server is in", Form: telemetry.Gauge,
	}
	for _, s := range a.Status() {
		state.Points = append(state.Points, telemetry.Point{Value: 1, Attributes: []telemetry.Attribute{
			telemetry.Text("weir.server", s.Name), telemetry.Text("weir.state", string(s.State)),
		}})
	}
	return append(m, state)
}

func metricsOf(servers []Figures) []telemetry.Metric {
	requests := telemetry.Metric{Name: "weir.requests", Unit: "{request}", Description: "Requests of hosts, by what became of them"}
	failures := telemetry.Metric{Name: "weir.request.failures", Unit: "{request}", Description: "Requests without an answer, by the kind of failure"}
	busy := telemetry.Metric{Name: "weir.requests.active", Unit: "{request}", Description: "Requests being worked on", Form: telemetry.Gauge}
	bytes := telemetry.Metric{Name: "weir.io", Unit: "By", Description: "Bytes of requests, and of their answers"}
	durations := telemetry.Metric{Name: "weir.request.duration", Unit: "s", Description: "Time until the host had its answer", Form: telemetry.Histogram}
	connections := telemetry.Metric{Name: "weir.connections", Unit: "{connection}", Description: "Connections to servers, and how they went"}
	questions := telemetry.Metric{Name: "weir.questions", Unit: "{question}", Description: "Questions that servers asked hosts"}
	listings := telemetry.Metric{Name: "weir.listings", Unit: "{listing}", Description: "Times that servers were asked for their lists"}
	for _, bound := range new(Durations).Bounds() {
		durations.Bounds = append(durations.Bounds, bound.Seconds())
	}
	for i := range servers {
		f := &servers[i]
		server := telemetry.Text("weir.server", f.Server)
		point := func(m *telemetry.Metric, value uint64, more ...telemetry.Attribute) {
			m.Points = append(m.Points, telemetry.Point{Value: value, Attributes: append([]telemetry.Attribute{server}, more...)})
		}
		for _, o := range f.outcomes() {
			point(&requests, o.count, telemetry.Text("weir.outcome", o.name))
		}
		for kind, n := range f.Failed {
			point(&failures, n, telemetry.Text("error.type", string(kind)))
		}
		point(&busy, uint64(f.InFlight))
		point(&bytes, f.RequestBytes, telemetry.Text("weir.direction", "request"))
		point(&bytes, f.ResponseBytes, telemetry.Text("weir.direction", "response"))
		durations.Points = append(durations.Points, telemetry.Point{
			Attributes: []telemetry.Attribute{server}, Counts: f.Durations.Counts(), Sum: f.Durations.Sum, Max: f.Durations.Max,
		})
		point(&connections, f.Connections.Made, telemetry.Text("weir.event", "made"))
		point(&connections, f.Connections.Lost, telemetry.Text("weir.event", "lost"))
		point(&connections, f.Connections.Failed, telemetry.Text("weir.event", "failed"))
		point(&questions, f.Questions)
		point(&listings, f.Listings)
	}
	return []telemetry.Metric{requests, failures, busy, bytes, durations, connections, questions, listings}
}

// An outcomeCount is how often something became of a request.
type outcomeCount struct {
	name  string
	count uint64
}

// outcomes are all of them, those that did not occur too.
func (f *Figures) outcomes() []outcomeCount {
	return []outcomeCount{
		{audit.OK, f.OK},
		{audit.Error, f.Errors},
		{audit.Failed, f.Failures()},
		{audit.Denied, f.Denied},
		{audit.Refused, f.Refused},
		{audit.Unknown, f.Unknown},
		{audit.Asked, f.Asked},
		{audit.Cancelled, f.Cancelled},
	}
}

package aggregator

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// listTools answers tools/list from the catalog, as soon as that has had its
// chance to hear from every server. The list is one page.
func (s *session) listTools(r *request) {
	if cursor := jsonrpc.Find(r.params, "cursor"); cursor != nil && string(cursor) != "null" {
		s.refuse(&s.batch, r.id, codeInvalidParams, "Invalid params: unknown cursor")
		return
	}
	if s.a.listsAreIn() {
		s.replyTools(&s.batch, r.id, r.modern)
		s.a.refreshOld()
		return
	}
	s.park(r, func(c *call) {
		s.out.WaitBelow(maxUnwritten)
		if c.end() {
			s.replyTools(nil, c.id, c.modern)
		}
	})
}

func (s *session) replyTools(b *jsonrpc.Batch, id []byte, modern bool) {
	v := s.look()
	if !modern {
		s.write(b, replyHead(id), []byte("{"), v.tools, []byte("}}"))
		return
	}
	ttl, _ := v.snapshot.Hints(catalog.Tools, time.Now())
	tail := append([]byte(`,"resultType":"complete","ttlMs":`), strconv.FormatInt(ttl.Milliseconds(), 10)...)
	tail = s.a.appendServerMeta(append(tail, `,"cacheScope":"private",`...))
	s.write(b, replyHead(id), []byte("{"), v.tools, tail, []byte("}}"))
}

// callTool takes tools/call as far as it goes without waiting.
func (s *session) callTool(r *request) {
	name, err := jsonrpc.String(jsonrpc.Find(r.params, "name"))
	if err != nil {
		s.refuse(&s.batch, r.id, codeInvalidParams, "Invalid params: tools/call needs the name of a tool")
		return
	}
	if s.callOwnTool(r, name) {
		return
	}
	route := s.a.resolve(name)
	if route == nil && !s.a.listsAreIn() {
		s.callLater(r, name)
		return
	}
	if verdict := s.a.verdict(route); !verdict.Callable() {
		s.refuseCall(&s.batch, r.id, r.modern, name, route, verdict)
		return
	}
	if c := s.begin(r); c != nil {
		c.bind(route, r.params, r.meta)
		c.server.up.Do(&s.batch, &c.Call)
	}
}

// callLater calls a tool that nobody has listed yet, when the first lists are
// in.
func (s *session) callLater(r *request, name string) {
	params := slices.Clone(r.params)
	for i, p := range params {
		params[i] = jsonrpc.Member{Key: slices.Clone(p.Key), Name: slices.Clone(p.Name), Value: slices.Clone(p.Value)}
	}
	s.park(r, func(c *call) {
		route := s.a.resolve(name)
		if verdict := s.a.verdict(route); !verdict.Callable() {
			if c.end() {
				s.refuseCall(nil, c.id, c.modern, name, route, verdict)
			}
			return
		}
		meta, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(params, "_meta")) // it was parsed before
		if c.bind(route, params, meta) {
			c.server.up.Do(nil, &c.Call)
		}
	})
}

// resolve finds the tool that is meant by name. No name of weir's own tools
// ever means another's, be they there for the principal or not.
func (a *Aggregator) resolve(name string) *catalog.Route {
	if strings.HasPrefix(name, namespace.Reserved) {
		return nil
	}
	return a.view.Load().snapshot.Resolve(name, a.listed)
}

// verdict is the policy's word on a tool that was called; nil is denied.
func (a *Aggregator) verdict(route *catalog.Route) policy.Verdict {
	if route == nil {
		return policy.Verdict{}
	}
	return a.judge(route)
}

// refuseCall answers a call that may not go on. What is denied does not exist:
// it is answered like what nobody has.
func (s *session) refuseCall(b *jsonrpc.Batch, id []byte, modern bool, name string, route *catalog.Route, v policy.Verdict) {
	if !v.Listed() {
		s.refuseWith(b, id, unknownTool(name))
		return
	}
	s.a.log.Info().Str("upstream", route.Server).Str("tool", route.Item.Name()).
		Stringer("rule", v.Pos).Msg("call refused by policy")
	s.reply(b, id, s.a.deniedResult(route, v, modern))
}

// bind makes the request a call of the tool at the end of route. What was judged
// is what is sent: the members of params as they were read, with the tool's own
// name. It reports false if the request has ended.
func (c *call) bind(route *catalog.Route, params, meta []jsonrpc.Member) bool {
	for i := range params {
		if string(params[i].Key) == "name" {
			params[i].Value = route.Item.RawName()
		}
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.route, c.server, c.cancel = route, c.s.a.byName[route.Server], nil
	c.Call = upstream.Call{
		Method: "tools/call", Params: params, Meta: meta,
		Name: route.Item.Name(), Definition: route.Item.Raw(),
		Progress: c.token != nil, Sink: c,
	}
	return c.s.calls[c.key] == c
}

// park handles a request on a goroutine of its own when the first lists are
// in. It can be cancelled until then.
func (s *session) park(r *request, then func(*call)) {
	c := s.begin(r)
	if c == nil {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.mu.Lock()
	c.cancel = cancel
	s.mu.Unlock()
	s.parked.Go(func() {
		defer cancel()
		if s.a.firstLists(ctx) {
			then(c)
		}
	})
}

// answer writes the outcome of a call for the host.
func (c *call) answer(b *jsonrpc.Batch, a upstream.Answer) {
	c.log(a)
	m := a.Message
	switch {
	case a.Err != nil:
		c.s.reply(b, c.id, c.s.a.failedResult(c, a.Err))
	case m.Kind == jsonrpc.Failure:
		c.passError(b, m)
	case a.Modern && !c.modern && !complete(m.Fields):
		c.s.reply(b, c.id, c.s.a.failedResult(c, c.unsuitable()))
	default:
		c.pass(b, m, m.Result, c.s.a.resultEdits(m, c.modern))
	}
}

// pass writes the upstream's message with the host's id, and with edits that lie
// within payload, a member of it. All other bytes stay as they are.
func (c *call) pass(b *jsonrpc.Batch, m *jsonrpc.Message, payload []byte, edits []jsonrpc.Edit) {
	before, after := jsonrpc.Cut(m.Raw, m.ID)
	if len(edits) == 0 {
		c.s.write(b, before, c.id, after)
		return
	}
	id := jsonrpc.Edit{At: m.ID, With: c.id}
	if beforePayload, _ := jsonrpc.Cut(m.Raw, payload); len(before) < len(beforePayload) {
		edits = slices.Insert(edits, 0, id)
	} else {
		edits = append(edits, id)
	}
	c.s.write(b, pieces(m.Raw, edits)...)
}

// pieces is jsonrpc.Splice without the copy.
func pieces(raw []byte, edits []jsonrpc.Edit) [][]byte {
	out := make([][]byte, 0, 2*len(edits)+1)
	for _, e := range edits {
		before, after := jsonrpc.Cut(raw, e.At)
		out = append(out, before, e.With)
		raw = after
	}
	return append(out, raw)
}

// log tells of a call that has ended, where anybody wants to know.
func (c *call) log(a upstream.Answer) {
	if c.begun.IsZero() {
		return
	}
	outcome := "ok"
	switch {
	case a.Err != nil:
		outcome = "failed"
	case a.Message.Kind == jsonrpc.Failure:
		outcome = "error"
	}
	c.s.a.log.Debug().Err(a.Err).Str("upstream", c.route.Server).Str("tool", c.route.Item.Name()).
		Dur("took", time.Since(c.begun)).Str("outcome", outcome).Msg("called")
}

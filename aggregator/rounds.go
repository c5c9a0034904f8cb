package aggregator

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file goes on with a call whose server has answered in a way that only
// the other era understands: it asks a legacy host what a modern server wants to
// know (2026-07-28, multi round-trip requests), and asks the server again.

// Bounds of what a modern server may ask of a legacy host in one call.
const (
	maxRounds      = 10
	maxEmptyRounds = 3 // rounds in which it wants to know nothing, but to be asked again
	maxInputs      = 32
	roundsTime     = 30 * time.Minute
	emptyRoundWait = time.Second // before the second of them, twice that before the third
)

// kept is a request that outlives the line it came in.
type kept struct {
	params, meta []jsonrpc.Member // as they were sent
	declared     *declared        // what the host can be asked
	digest       digest
	polls        bool // the server's task is the host's plain call, see tasks.go
}

// keptFor returns what the call may have to be made again with, nil for none. An
// answer can only need that where the eras differ, or may, and where somebody may
// have to log in first.
func (c *call) keptFor(t *target, params, meta []jsonrpc.Member) *kept {
	polls := c.pollsTask(t, params)
	if !polls && (!c.op.asks || t.server.speaks(c.modern) && t.server.desk == nil) {
		return nil
	}
	k := &kept{params: cloneMembers(params), meta: cloneMembers(meta), polls: polls}
	k.declared = c.s.declared.Load()
	if c.modern {
		k.declared = readDeclared(jsonrpc.Find(meta, upstream.MetaCapabilities))
		k.digest = c.op.digest(params)
	}
	k.params = t.sent(k.params)
	if t.value != nil {
		c.op.replace(k.params, t.value)
	}
	if polls {
		k.params = append(k.params, jsonrpc.NewMember("task", []byte("{}")))
	}
	return k
}

// goesOn takes over an outcome that is not the host's yet. It runs on the
// goroutine that reads the server.
func (c *call) goesOn(b *jsonrpc.Batch, a upstream.Answer) bool {
	m := a.Message
	switch {
	case m == nil:
		return c.logsInFirst(a.Err)
	case m.Kind == jsonrpc.Failure:
		return c.goesOnFromError(b, a)
	case !c.modern && a.Modern && !complete(m.Fields), c.kept.polls && taskOf(m.Fields) != nil:
		outcome := keptAnswer(a)
		return c.drive(func(ctx context.Context) (upstream.Answer, error) { return c.settle(ctx, outcome) })
	}
	return false
}

func (c *call) goesOnFromError(b *jsonrpc.Batch, a upstream.Answer) bool {
	code, err := strconv.Atoi(string(jsonrpc.Find(a.Message.Fields, "code")))
	switch {
	case err != nil:
		return false
	case c.server.checkError(a.Message.Fields) != nil:
		return false
	case code == codeURLElicitation && c.modern && c.kept.declared.url:
		return c.askConsent(b, a.Message)
	case code == codeMissingCapability && !c.modern && a.Modern && wantsTasks(a.Message.Fields):
		return c.drive(func(ctx context.Context) (upstream.Answer, error) {
			again, err := c.callAgain(ctx, c.kept.params, c.kept.declared.withTasks())
			if err != nil {
				return again, err
			}
			return c.settle(ctx, again)
		})
	}
	return false
}

// drive brings a call to its end on a goroutine of its own, as long as the host
// waits for it.
func (c *call) drive(settle func(context.Context) (upstream.Answer, error)) bool {
	s := c.s
	ctx, cancel := context.WithTimeout(s.ctx, roundsTime)
	s.mu.Lock()
	c.cancel, c.work = cancel, nil
	wanted := s.calls.has(c) || c.waiting != nil && s.parked[c.waiting.handle] == c
	s.mu.Unlock()
	if !wanted {
		cancel()
		return true
	}
	s.behind.Go(func() {
		defer cancel()
		outcome, err := settle(ctx)
		if err != nil {
			outcome = upstream.Answer{Err: c.unsettled(err)}
		}
		if !c.putBy(outcome) {
			c.finish(nil, outcome)
		}
	})
	return true
}

// settle asks and asks again until there is an outcome for the host.
func (c *call) settle(ctx context.Context, a upstream.Answer) (upstream.Answer, error) {
	empty := 0
	for range maxRounds {
		switch {
		case a.Message == nil || a.Message.Kind == jsonrpc.Failure:
			return a, nil
		case taskOf(a.Message.Fields) != nil:
			return c.pollTask(ctx, a)
		case string(jsonrpc.Find(a.Message.Fields, "resultType")) != `"input_required"`:
			return a, nil // complete, or of a kind that the answer path knows nothing of either
		}
		requests, err := inputRequests(a.Message.Fields)
		if err != nil {
			return a, err
		}
		if len(requests) == 0 {
			if empty++; empty > maxEmptyRounds {
				break
			}
			if err := pause(ctx, emptyRoundWait*time.Duration(empty-1)); err != nil {
				return a, err
			}
		}
		responses, err := c.askHost(ctx, requests)
		if err != nil {
			return a, err
		}
		if a, err = c.callAgain(ctx, c.resumed(a.Message.Fields, responses), nil); err != nil {
			return a, err
		}
	}
	return a, errAsksForEver
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// resumed is the params of the next round: those of the first one, with the
// answers and with the server's state as it was given.
func (c *call) resumed(fields []jsonrpc.Member, responses []byte) []jsonrpc.Member {
	params := slices.Clone(c.kept.params)
	if responses != nil {
		params = append(params, jsonrpc.NewMember("inputResponses", responses))
	}
	if state := jsonrpc.Find(fields, "requestState"); state != nil {
		params = append(params, jsonrpc.NewMember("requestState", state))
	}
	return params
}

// An inputRequest is one that a modern server wants to have answered.
type inputRequest struct {
	name   []byte // raw: its key
	method string
	params []jsonrpc.Member
	raw    []byte // params; nil for none
}

// inputRequests reads the requests of an input_required result.
func inputRequests(fields []jsonrpc.Member) ([]inputRequest, error) {
	raw := jsonrpc.Find(fields, "inputRequests")
	if raw == nil {
		if jsonrpc.Find(fields, "requestState") == nil {
			return nil, errAsksNothing
		}
		return nil, nil
	}
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil || len(members) > maxInputs {
		return nil, errAsksWrongly
	}
	requests := make([]inputRequest, len(members))
	for i, m := range members {
		request, err := jsonrpc.ParseObject(nil, m.Value)
		if err != nil {
			return nil, errAsksWrongly
		}
		method, err := jsonrpc.String(jsonrpc.Find(request, "method"))
		if err != nil {
			return nil, errAsksWrongly
		}
		params := jsonrpc.Find(request, "params")
		requests[i] = inputRequest{name: m.Name, method: method, raw: params}
		requests[i].params, _ = jsonrpc.ParseObject(nil, params) // there may be none
	}
	return requests, nil
}

// askHost asks a legacy host all of it at once, and returns the raw
// inputResponses; nil for none.
func (c *call) askHost(ctx context.Context, requests []inputRequest) ([]byte, error) {
	if len(requests) == 0 {
		return nil, nil
	}
	waits := make([]func(context.Context) (hostAnswer, error), len(requests))
	for i, r := range requests {
		var err error
		if waits[i], err = c.beginAsking(r); err != nil {
			c.stopAsking(waits[:i])
			return nil, err
		}
	}
	answers := make([]jsonrpc.Member, len(requests))
	for i, r := range requests {
		answer, err := waits[i](ctx)
		if err == nil {
			answers[i].Name = r.name
			answers[i].Value, err = r.value(answer)
		}
		if err != nil {
			c.stopAsking(waits[i+1:])
			return nil, err
		}
	}
	return jsonrpc.AppendObject(nil, answers), nil
}

// beginAsking sends one question to the host, unless that has not declared that
// it can answer it.
func (c *call) beginAsking(r inputRequest) (wait func(context.Context) (hostAnswer, error), err error) {
	heard := c.s.hearOf(c.server, r.method, len(r.raw))
	if !safeURL(r.method, r.params) {
		heard.settled(audit.Refused, 0)
		return nil, errAsksWrongly
	}
	switch refused := c.server.mayAsk(c.kept.declared, r.method, r.params, len(r.raw)); {
	case refused == nil:
	case refused.cause != nil:
		heard.settled(audit.Refused, 0)
		return nil, refused.cause
	default:
		heard.settled(audit.Refused, 0)
		return nil, fmt.Errorf("%w: %s", errUndeclared, refused.message)
	}
	answered, err := c.s.ask(r.method, func(id uint64) []byte { return c.server.legacyRequest(r, id) })
	if err != nil {
		heard.settled(audit.Refused, 0)
		return nil, err
	}
	return func(ctx context.Context) (hostAnswer, error) {
		answer, err := answered(ctx)
		heard.waited(answer, err)
		return answer, err
	}, nil
}

// stopAsking takes back the questions that are not waited for any more.
func (c *call) stopAsking(waits []func(context.Context) (hostAnswer, error)) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, wait := range waits {
		_, _ = wait(ended) // an answer that has come is of no use either
	}
}

// value is a host's answer as a modern server takes it. One that the host does
// not give is a cancellation where there is a word for that; else the call ends
// here.
func (r *inputRequest) value(answer hostAnswer) ([]byte, error) {
	switch {
	case isObject(answer.result):
		return answer.result, nil
	case r.method == "elicitation/create":
		return []byte(`{"action":"cancel"}`), nil
	}
	return nil, errHostRefused
}

// legacyRequest is the params of a modern server's question as a legacy host
// gets them. By URL they need an id there (2025-11-25, elicitation).
func (s *server) legacyRequest(r inputRequest, id uint64) []byte {
	if r.raw == nil || !isObject(r.raw) {
		return r.raw
	}
	params := namedAsker(s, r.method, r.params)
	if r.method == "elicitation/create" && string(jsonrpc.Find(params, "mode")) == `"url"` {
		invented := jsonrpc.AppendString(nil, scopedID(s, fmt.Sprintf("%d-%x", id, newHandle())))
		params = append(rewrittenMembers(params, "elicitationId", nil), jsonrpc.NewMember("elicitationId", invented))
	}
	return jsonrpc.AppendObject(nil, params)
}

// callAgain makes the server's work again with other params, and waits for the
// outcome. declared is raw; nil is what the host declares.
func (c *call) callAgain(ctx context.Context, params []jsonrpc.Member, declared []byte) (upstream.Answer, error) {
	return c.ask(ctx, &upstream.Call{
		Method: c.op.method, Params: params, Meta: c.kept.meta, Name: c.name,
		Definition: c.first.Definition, Capabilities: declared, Resumes: !c.modern,
	})
}

// ask makes a call of the server on behalf of this one, whose progress is this
// one's, and waits for the outcome, which stays good.
func (c *call) ask(ctx context.Context, work *upstream.Call) (upstream.Answer, error) {
	sink := &followUp{call: c, outcome: make(chan upstream.Answer, 1)}
	work.Sink, work.Progress = sink, c.first.Progress
	if work.Capabilities == nil {
		work.Capabilities = c.first.Capabilities
	}
	c.server.up.Do(nil, work)
	select {
	case outcome := <-sink.outcome:
		return outcome, nil
	case <-ctx.Done():
		c.server.up.Cancel(work, nil)
		return upstream.Answer{}, context.Cause(ctx)
	}
}

// followUp is the Sink of work that goes on with a call.
type followUp struct {
	*call
	outcome chan upstream.Answer
}

// Done implements upstream.Sink.
func (f *followUp) Done(_ *jsonrpc.Batch, a upstream.Answer) { f.outcome <- keptAnswer(a) }

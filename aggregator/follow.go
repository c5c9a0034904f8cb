package aggregator

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file counts who is interested in a resource or task, and tells its server
// when the first is and the last is no more.

// follow counts one more who is interested. It reports whether that is the
// first.
func (a *Aggregator) follow(f followed) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.followers[f]++
	return a.followers[f] == 1
}

// unfollow counts one less. It reports whether that was the last.
func (a *Aggregator) unfollow(f followed) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.followers[f]--
	if a.followers[f] > 0 {
		return false
	}
	delete(a.followers, f)
	return true
}

// agreeTime is how long a subscription waits for the servers to say whether they
// will tell of what it names. What is not refused by then is taken for agreed.
const agreeTime = 2 * time.Second

// followAll makes the servers tell what a modern host's subscription asks for,
// and returns what none has refused. Where ctx ends before, that is all. Who has
// not answered when the time is over is asked again until it does.
func (a *Aggregator) followAll(ctx context.Context, all []followed) []followed {
	answers := make(chan followAnswer, len(all))
	var asked []*agreement
	for _, f := range all {
		if !a.follow(f) {
			continue
		}
		g := &agreement{a: a, to: f, answers: answers}
		asked = append(asked, g)
		if f.task {
			f.server.up.WatchTask(f.name, func(granted bool) { g.answer(granted) })
			continue
		}
		a.awaitFarewell(ctx, f)
		a.tell(f, resourceSubscribe, g)
	}
	late := time.NewTimer(agreeTime)
	defer late.Stop()
	for pending := len(asked); pending > 0; {
		select {
		case answer := <-answers:
			pending--
			if !answer.agreed {
				a.unfollow(answer.to)
				all = slices.DeleteFunc(all, func(f followed) bool { return f == answer.to })
			}
		case <-late.C:
			for _, g := range asked {
				if g.assume() {
					pending--
				}
			}
		case <-ctx.Done():
			return all
		}
	}
	return all
}

// followAnswer is a server's answer to a subscription.
type followAnswer struct {
	to     followed
	agreed bool
}

// agreement is the Sink of a subscription to a resource, and waits for the word on
// that to a task.
type agreement struct {
	a       *Aggregator
	to      followed
	answers chan<- followAnswer // with room for it
	settled atomic.Bool         // by the answer, or by the time
}

// answer takes the server's word, and reports whether it comes in time.
func (g *agreement) answer(agreed bool) (inTime bool) {
	if inTime = g.assume(); inTime {
		g.answers <- followAnswer{g.to, agreed}
	}
	return inTime
}

// assume takes a server that has not answered yet for one that agrees. It reports
// false if it has.
func (g *agreement) assume() bool { return g.settled.CompareAndSwap(false, true) }

// Progress implements upstream.Sink.
func (*agreement) Progress(*jsonrpc.Batch, *jsonrpc.Message) {}

// Done implements upstream.Sink.
func (g *agreement) Done(_ *jsonrpc.Batch, a upstream.Answer) {
	taken := a.Err == nil && a.Message.Kind == jsonrpc.Response
	switch inTime := g.answer(taken); {
	case inTime:
	case taken:
		g.a.missed(g.to)
	case a.Err != nil:
		g.a.insist(g.to)
	}
}

// insistent is the Sink of a subscription that its host believes to hold, and to
// have held all the time.
type insistent struct {
	a  *Aggregator
	to followed
}

// Progress implements upstream.Sink.
func (*insistent) Progress(*jsonrpc.Batch, *jsonrpc.Message) {}

// Done implements upstream.Sink.
func (i *insistent) Done(_ *jsonrpc.Batch, a upstream.Answer) {
	if a.Err != nil {
		i.a.insist(i.to)
		return
	}
	i.a.missed(i.to) // also where the server will not have it: nothing more is told then
}

// insist has a server asked for a resource until it answers, where it has not
// when it was asked. Whoever is interested no more meanwhile has said so already,
// or does now.
func (a *Aggregator) insist(f followed) {
	if !a.isFollowed(f) {
		return
	}
	f.server.up.Insist(f.name)
	if !a.isFollowed(f) {
		a.tell(f, resourceUnsubscribe, nobody{})
	}
}

func (a *Aggregator) isFollowed(f followed) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.followers[f] > 0
}

// unfollowAll is the end of followAll.
func (a *Aggregator) unfollowAll(all []followed) {
	for _, f := range all {
		switch {
		case !a.unfollow(f):
		case f.task:
			f.server.up.UnwatchTask(f.name)
		default:
			a.tell(f, resourceUnsubscribe, a.bidFarewell(f))
		}
	}
}

// A farewell is the Sink of the end of a subscription. A new one to the same
// resource waits for it: a server may deal with both at once.
type farewell struct {
	a    *Aggregator
	to   followed
	over chan struct{}
}

func (a *Aggregator) bidFarewell(f followed) *farewell {
	w := &farewell{a, f, make(chan struct{})}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.farewells[f] = w
	return w
}

// Progress implements upstream.Sink.
func (*farewell) Progress(*jsonrpc.Batch, *jsonrpc.Message) {}

// Done implements upstream.Sink.
func (w *farewell) Done(*jsonrpc.Batch, upstream.Answer) {
	w.a.mu.Lock()
	if w.a.farewells[w.to] == w {
		delete(w.a.farewells, w.to)
	}
	w.a.mu.Unlock()
	close(w.over)
}

func (a *Aggregator) awaitFarewell(ctx context.Context, f followed) {
	a.mu.Lock()
	w := a.farewells[f]
	a.mu.Unlock()
	if w == nil {
		return
	}
	late := time.NewTimer(agreeTime)
	defer late.Stop()
	select {
	case <-w.over:
	case <-late.C:
	case <-ctx.Done():
	}
}

func (a *Aggregator) tell(f followed, op *operation, sink upstream.Sink) {
	f.server.up.Do(nil, &upstream.Call{
		Method: op.method, Sink: sink, Name: f.name,
		Params: []jsonrpc.Member{jsonrpc.NewMember("uri", jsonrpc.AppendString(nil, f.name))},
	})
}

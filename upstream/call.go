package upstream

import (
	"bytes"
	"slices"
	"sync"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Call is one request to an upstream. Fill the exported fields, hand it to
// [Upstream.Do] once, and leave them alone until its Sink is Done. It must not
// be copied after Do.
type Call struct {
	Method string

	// Params are the members of params, in the order and with the bytes that
	// are to be sent, "_meta" among them if it is there. Meta are the members
	// of that "_meta". What belongs to one hop in it (protocol keys, the
	// progress token) is replaced for the server's era; the rest passes.
	//
	// Both need to be good during Do only, but for a Value of jsonrpc.Large
	// bytes or more, which is not copied and must not change any more.
	Params []jsonrpc.Member
	Meta   []jsonrpc.Member

	// Capabilities are what the host of this call declares, a raw object, for a
	// modern server; those that Meta holds come first, and nil stands for the
	// Peer's. They are kept like Params.
	Capabilities []byte

	// Name is what the call is about, as the server knows it: the name of a
	// tool or prompt, the URI of a resource, the id of a task; "" is read from
	// Params. Definition is that of the tool as the server listed it, and must
	// not change any more. Modern HTTP makes headers of them.
	Name       string
	Definition []byte

	Timeout time.Duration // without answer or progress; 0 = the upstream's; negative = none
	Sink    Sink          // required

	// Spent, if not nil, is called once behind the Sink's Done when nobody here
	// holds on to the call any more, so that its memory may serve another. It is
	// not called where somebody may: then the collector sees to it. Who sets it
	// gives the call to Cancel only before it is Done.
	Spent func(*Call)

	Progress bool // the host wants progress

	// Resumes says that Params hold inputResponses or a requestState, which
	// only a modern server understands (2026-07-28, multi round-trip requests).
	// A legacy one does not get such a call; it ends with a ProtocolError.
	Resumes bool

	upkeep bool // of weir's own, by which a connection is kept as it should be
	lists  bool // of weir's own, by which it learns what the server lists

	// subscription is what it asks for, if it does. It is set before the call
	// goes anywhere and may be read by whoever ends the call.
	subscription *subscription

	// Guarded by the upstream's mu.
	conn    *connection // where it went
	resent  bool        // it came back unexecuted once already
	amended bool        // it was made again with other headers once already

	// cancelled is written under the upstream's mu and, where conn is set, also
	// under the connection's, so that either is enough to read it.
	cancelled bool

	// Guarded by the connection's mu.
	sent     bool
	held     bool  // pending without being sent
	asking   int32 // questions of the server that belong to this call
	id       uint64
	deadline time.Time // zero for none, as the two below then
	begun    time.Time // when it was first watched
	thought  time.Time // since when nobody has thought about a question of it; zero: not known yet

	delivery sync.Mutex // held while the Sink of a call with Progress is told something
	over     bool       // guarded by delivery: Done was called
	lasting  bool       // guarded by delivery: progress comes after Done too
}

// A Sink takes what comes back for one call. Its methods are called one at a
// time, from any goroutine, and must not wait for the host for long: they hold
// up the server's stream, nobody else's.
type Sink interface {
	// Progress takes a notifications/progress of the server for this call. m is
	// good until it returns. None comes after Done, unless a legacy server has
	// answered with a task: its progress goes on for the life of the task
	// (2025-11-25, tasks), until [Upstream.EndProgress].
	Progress(b *jsonrpc.Batch, m *jsonrpc.Message)

	// Done takes the outcome. It is called once for each call that was not
	// cancelled; for one that was, at most once: it may be under way already.
	Done(b *jsonrpc.Batch, a Answer)
}

// An Answer is the outcome of a call: the server's message, or an error of
// type Failure.
type Answer struct {
	Message *jsonrpc.Message // a Response or Failure; good until Done returns
	Modern  bool             // the era the server was spoken to in
	Err     error
}

func (c *Call) done(b *jsonrpc.Batch, a Answer) {
	if c.subscription != nil {
		c.subscription.settled(c, a.Err == nil && a.Message.Kind == jsonrpc.Response)
	}
	if !c.Progress {
		c.Sink.Done(b, a) // there is nothing that it could meet
		return
	}
	c.delivery.Lock()
	defer c.delivery.Unlock()
	c.over = true
	c.Sink.Done(b, a)
}

// isOwn reports whether nobody but weir itself wants the call.
func (c *Call) isOwn() bool { return c.upkeep || c.lists }

// isSpent reports whether nobody holds on to a call that is done. It was sent, and
// answered on a stream that all its connection's messages come by, one after the
// other: what else would look for it looks by its id, which is gone.
func (c *Call) isSpent() bool { return c.Spent != nil && !c.Progress && c.subscription == nil }

func (c *Call) progress(b *jsonrpc.Batch, m *jsonrpc.Message) {
	c.delivery.Lock()
	defer c.delivery.Unlock()
	if !c.over || c.lasting {
		c.Sink.Progress(b, m)
	}
}

// keep makes the call independent of the memory its fields came in.
func (c *Call) keep() {
	c.Params = keepMembers(c.Params)
	c.Meta = keepMembers(c.Meta)
	if len(c.Capabilities) < jsonrpc.Large {
		c.Capabilities = bytes.Clone(c.Capabilities)
	}
}

func keepMembers(members []jsonrpc.Member) []jsonrpc.Member {
	if members == nil {
		return nil
	}
	out := make([]jsonrpc.Member, len(members))
	for i, m := range members {
		if len(m.Value) < jsonrpc.Large {
			m.Value = slices.Clone(m.Value)
		}
		out[i] = jsonrpc.Member{Key: slices.Clone(m.Key), Name: slices.Clone(m.Name), Value: m.Value}
	}
	return out
}

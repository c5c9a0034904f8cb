package aggregator

import (
	"context"
	"slices"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// listener is one subscriptions/listen of a modern host (2026-07-28,
// subscriptions). It stays open until the host cancels it.
type listener struct {
	id      []byte  // raw, the host's: it is the subscription's name too
	key     callKey // of id
	in      shape
	wants   kindSet
	follows []followed
	told    account

	honoured []jsonrpc.Member // of what was asked for
}

var listening = &operation{method: "subscriptions/listen", kind: "subscription"}

// listen opens a subscription. What it names cannot be found before the first
// lists are in, and it is for the servers to say whether they will tell of it.
func (s *session) listen(r *request) {
	filter, err := jsonrpc.ParseObject(nil, jsonrpc.Find(r.params, "notifications"))
	if err != nil {
		s.recordTurnedDown(r)
		s.refuse(&s.batch, r.id, codeInvalidParams, "Invalid params: subscriptions/listen needs the object notifications")
		return
	}
	if jsonrpc.Find(filter, "taskIds") != nil && !s.declares(r).tasks {
		s.recordTurnedDown(r)
		s.refuseWith(&s.batch, r.id, &refusal{
			code: codeMissingCapability, message: "taskIds need the extension " + tasksExtension,
			data: []byte(`{"requiredCapabilities":{"extensions":{"` + tasksExtension + `":{}}}}`),
		})
		return
	}
	l := &listener{id: slices.Clone(r.id), key: r.key, in: s.shape(r), told: r.told}
	for i := range changes {
		if string(jsonrpc.Find(filter, changes[i].filter)) == "true" {
			l.wants |= changes[i].kinds
			l.honoured = append(l.honoured, jsonrpc.NewMember(changes[i].filter, []byte("true")))
		}
	}
	if !namesAny(filter) {
		s.openListener(&s.batch, l, nil)
		return
	}
	filter = cloneMembers(filter)
	s.whenListed(r, listening, func(ctx context.Context, c *call) {
		if s.followNamed(ctx, l, filter) {
			s.openListener(nil, l, c)
		}
	})
}

// openListener acknowledges what can be honoured of what is asked for, before
// anything else is sent for it. waited is the request if it had to wait; nil if
// not.
func (s *session) openListener(b *jsonrpc.Batch, l *listener, waited *call) {
	added, full := s.addListener(b, l, waited)
	if full {
		s.recordListener(l, audit.Refused)
		s.refuseWith(b, l.id, tooMany("subscriptions are open"))
	}
	if !added {
		s.a.unfollowAll(l.follows)
		return
	}
	s.recordListener(l, audit.OK)
	s.a.pushes.soon() // the host's list may be an older one
}

// maxListeners is how many subscriptions of one host may be open.
const maxListeners = 100

// addListener adds it unless the host has cancelled what had to wait, or has too
// many. The lock keeps changes from being told before the acknowledgement. A
// host that has not asked for a list yet may have it from an earlier weir: that
// was the stored one.
func (s *session) addListener(b *jsonrpc.Batch, l *listener, waited *call) (added, full bool) {
	listed := s.a.listsAreIn()
	s.mu.Lock()
	defer s.mu.Unlock()
	if waited != nil {
		if !s.calls.has(waited) {
			return false, false
		}
		waited.leaveTable()
		waited.letGo()
	}
	if len(s.listeners) >= maxListeners {
		return false, true
	}
	s.acknowledge(b, l)
	s.listeners = append(s.listeners, l)
	if !listed {
		return true, false
	}
	now := s.view()
	for k := range s.seen {
		if l.wants.has(catalog.Kind(k)) && s.seen[k].text == nil {
			s.seen[k] = sight{l.in, now.lists[k].in(l.in)}
		}
	}
	return true, false
}

func (s *session) acknowledge(b *jsonrpc.Batch, l *listener) {
	s.write(b, []byte(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{`),
		l.meta(), []byte(`,"notifications":`), jsonrpc.AppendObject(nil, l.honoured), []byte("}}"))
}

// closeListener ends the subscription that the id names. It reports whether
// there was one.
func (s *session) closeListener(key callKey) bool {
	s.mu.Lock()
	i := slices.IndexFunc(s.listeners, func(l *listener) bool { return l.key == key })
	if i < 0 {
		s.mu.Unlock()
		return false
	}
	follows := s.listeners[i].follows
	s.listeners = slices.Delete(s.listeners, i, i+1)
	s.mu.Unlock()
	s.a.unfollowAll(follows)
	return true
}

// endListeners answers every subscription: it ends in good order.
func (s *session) endListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		s.write(nil, replyHead(l.id), []byte(`{"resultType":"complete",`), l.meta(), []byte("}}"))
	}
}

// meta is the member that names the subscription on each of its messages.
func (l *listener) meta() []byte {
	out := append([]byte(`"_meta":{"`+upstream.MetaSubscription+`":`), l.id...)
	return append(out, '}')
}

// pushIfChanged announces the lists if the host knows others: to a legacy host
// once, to a modern one on each stream that asked. One that has left too much
// unread hears of it when it reads on.
func (s *session) pushIfChanged() {
	if s.out.Queued() > maxUnwritten {
		s.pushWhenRead()
		return
	}
	for _, change := range s.dueChanges() {
		s.write(nil, change)
	}
}

func (s *session) pushWhenRead() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.late {
		return
	}
	s.late = true
	s.a.spawn(func() {
		s.out.WaitBelow(maxUnwritten)
		s.mu.Lock()
		s.late = false
		s.mu.Unlock()
		s.a.pushes.soon()
	})
}

// dueChanges returns the notifications that are due, and takes them for sent.
// What nobody wants to hear is not.
func (s *session) dueChanges() (due [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.view()
	for _, change := range changes {
		if !s.stale(change.kinds, now) {
			continue
		}
		before := len(due)
		head := `{"jsonrpc":"2.0","method":"` + change.method + `"`
		if s.pushed {
			due = append(due, []byte(head+"}"))
		}
		for _, l := range s.listeners {
			if l.wants&change.kinds != 0 {
				due = append(due, slices.Concat([]byte(head+`,"params":{`), l.meta(), []byte("}}")))
			}
		}
		if len(due) > before {
			s.catchUp(change.kinds, now)
		}
	}
	return due
}

package aggregator

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is what hosts want to hear of by itself: changes of resources, of
// which a legacy host says so one by one and a modern one with a subscription,
// and of tasks of the extension. Servers of either era are told in their way by
// package upstream.

var (
	resourceSubscribe = &operation{
		method: "resources/subscribe", kind: "resource", member: "uri",
		subject: named("resources/subscribe", "uri"), find: (*session).findResource,
		succeeded: (*call).subscribed,
	}
	resourceUnsubscribe = &operation{
		method: "resources/unsubscribe", kind: "resource", member: "uri",
		subject: named("resources/unsubscribe", "uri"), find: (*session).findResource,
	}
)

// followed is a resource or a task, as its server calls it.
type followed struct {
	server *server
	name   string
	task   bool
}

// subscribed notes that the server has taken a legacy host's subscription.
func (c *call) subscribed() {
	f := followed{server: c.server, name: c.name}
	c.s.mu.Lock()
	fresh := !c.s.following[f]
	c.s.following[f] = true
	c.s.mu.Unlock()
	if fresh {
		c.s.a.follow(f)
	}
}

// unsubscribe tells the server of a legacy host's end of interest, unless
// another host is interested still.
func (s *session) unsubscribe(r *request) {
	uri, refused := resourceUnsubscribe.subject(r.params)
	if refused == nil {
		t, _ := s.findResource(query{subject: uri, modern: r.modern}) // what is unknown, forward refuses
		if !s.unfollow(followed{server: t.server, name: t.name}) {
			s.recordUnsubscribed(r, &t)
			s.reply(&s.batch, r.id, []byte("{}"))
			return
		}
	}
	s.forward(r, resourceUnsubscribe)
}

// unfollow ends a legacy host's interest. It reports whether the server is to
// be told.
func (s *session) unfollow(f followed) bool {
	s.mu.Lock()
	had := s.following[f]
	delete(s.following, f)
	s.mu.Unlock()
	return !had || s.a.unfollow(f)
}

// concerns reports whether news of a resource are news of what is followed: it
// is the same, or lies below it (2025-11-25, resources).
func (f *followed) concerns(from *server, uri string) bool {
	rest, ok := strings.CutPrefix(uri, f.name)
	return ok && f.server == from && !f.task &&
		(rest == "" || strings.HasSuffix(f.name, "/") || strings.ContainsRune("/?#", rune(rest[0])))
}

// updated passes a server's word that a resource has changed.
func (a *Aggregator) updated(b *jsonrpc.Batch, from *server, m *jsonrpc.Message) {
	uri, err := jsonrpc.String(jsonrpc.Find(m.Fields, "uri"))
	if err != nil {
		return
	}
	params := m.Fields
	if exposed := a.view.Load().snapshot.ExposeURI(from.Name, uri); exposed != uri {
		params = rewrittenMembers(params, "uri", jsonrpc.AppendString(nil, exposed))
	}
	a.notifyFollowers(b, m.Method, params, func(f *followed) bool { return f.concerns(from, uri) })
}

// taskTold passes what a modern server tells of a task (2026-07-28, tasks
// extension).
func (a *Aggregator) taskTold(b *jsonrpc.Batch, from *server, m *jsonrpc.Message) {
	id, err := jsonrpc.String(jsonrpc.Find(m.Fields, "taskId"))
	if err != nil {
		return
	}
	if err := from.checkRequests(m.Fields, id); err != nil {
		a.log.Info().Err(err).Str("upstream", from.Name).Msg("word of a task dropped")
		return // the host hears why when it asks for the task
	}
	params := rewrittenMembers(m.Fields, "taskId", jsonrpc.AppendString(nil, a.tasks.seal(from.Name, id)))
	if requests := jsonrpc.Find(params, "inputRequests"); requests != nil {
		edits := namedRequests(nil, from, requests)
		params = rewrittenMembers(params, "inputRequests", jsonrpc.Splice(nil, requests, edits...))
	}
	a.notifyFollowers(b, m.Method, params, func(f *followed) bool { return *f == followed{from, id, true} })
}

// notifyFollowers writes a notification to each host that follows what it
// concerns: to a legacy one once, to a modern one on each subscription.
func (a *Aggregator) notifyFollowers(b *jsonrpc.Batch, method []byte, params []jsonrpc.Member, concerned func(*followed) bool) {
	for _, s := range a.sessionList() {
		s.tellFollowers(b, method, params, concerned)
		s.holdBackChatter(b)
	}
}

// tellFollowers writes it before any subscription that comes is acknowledged: a
// host that has one take the place of another believes that all that stands
// behind the acknowledgement is told on the new one too.
func (s *session) tellFollowers(b *jsonrpc.Batch, method []byte, params []jsonrpc.Member, concerned func(*followed) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, subscription := range s.subscriptionsOf(concerned) {
		s.write(b, notification(method, params, subscription))
	}
}

// subscriptionsOf returns the raw ids of the subscriptions that are concerned;
// nil among them is that of a legacy host, which has none. The caller holds s.mu.
func (s *session) subscriptionsOf(concerned func(*followed) bool) (ids [][]byte) {
	if s.pushed {
		for f := range s.following {
			if concerned(&f) {
				ids = append(ids, nil)
				break
			}
		}
	}
	for _, l := range s.listeners {
		if slices.ContainsFunc(l.follows, func(f followed) bool { return concerned(&f) }) {
			ids = append(ids, l.id)
		}
	}
	return ids
}

// notification is one with the id of the host's subscription in place of weir's
// own, or without any where that is nil.
func notification(method []byte, params []jsonrpc.Member, subscription []byte) []byte {
	meta, err := jsonrpc.ParseObject(nil, jsonrpc.Find(params, "_meta"))
	hasMeta := err == nil
	meta = slices.DeleteFunc(meta, func(m jsonrpc.Member) bool { return string(m.Key) == upstream.MetaSubscription })
	if subscription != nil {
		meta = append(meta, jsonrpc.NewMember(upstream.MetaSubscription, subscription))
	}
	value := jsonrpc.AppendObject(nil, meta)
	switch {
	case hasMeta && len(meta) == 0:
		params = rewrittenMembers(params, "_meta", nil)
	case hasMeta:
		params = rewrittenMembers(params, "_meta", value)
	case subscription != nil:
		params = append(slices.Clip(params), jsonrpc.NewMember("_meta", value))
	}
	out := jsonrpc.AppendString([]byte(`{"jsonrpc":"2.0","method":`), string(method))
	return append(jsonrpc.AppendObject(append(out, `,"params":`...), params), '}')
}

// byName is what a subscription can name, and how that is found.
var byName = []struct {
	member string
	task   bool
	find   func(*session, query) (target, *refusal)
}{
	{"resourceSubscriptions", false, (*session).findResource},
	{"taskIds", true, (*session).findTask},
}

// namesAny reports whether a subscription's filter names anything.
func namesAny(filter []jsonrpc.Member) bool {
	for i := range byName {
		if jsonrpc.Find(filter, byName[i].member) != nil {
			return true
		}
	}
	return false
}

// followNamed follows the resources and tasks that a modern host's subscription
// names: those that are there for it, and that their servers will tell of. It
// reports false if ctx has ended.
func (s *session) followNamed(ctx context.Context, l *listener, filter []jsonrpc.Member) bool {
	found := make(map[followed][]byte) // with the raw names that the host gave
	for _, by := range byName {
		names, _ := jsonrpc.ParseArray(nil, jsonrpc.Find(filter, by.member)) // what is none names nothing
		for _, raw := range names[:min(len(names), maxFollowed)] {
			name, err := jsonrpc.String(raw)
			if err != nil {
				continue
			}
			q := query{subject: name, modern: true}
			t, refused := by.find(s, q)
			if refused != nil || t.verdict.Ask {
				s.recordRefused(l.told, listeningTo(by.task), q, &t, refused)
				continue
			}
			f := followed{t.server, t.name, by.task}
			if found[f] == nil {
				l.follows = append(l.follows, f)
			}
			found[f] = raw
		}
	}
	l.follows = s.a.followAll(ctx, l.follows)
	if ctx.Err() != nil {
		s.a.unfollowAll(l.follows)
		return false
	}
	l.honour(filter, found)
	return true
}

// honour notes what of the names in a filter is followed, as the host wrote it.
func (l *listener) honour(filter []jsonrpc.Member, found map[followed][]byte) {
	for _, by := range byName {
		if jsonrpc.Find(filter, by.member) == nil {
			continue
		}
		var names [][]byte
		for _, f := range l.follows {
			if f.task == by.task {
				names = append(names, found[f])
			}
		}
		list := slices.Concat([]byte("["), bytes.Join(names, []byte(",")), []byte("]"))
		l.honoured = append(l.honoured, jsonrpc.NewMember(by.member, list))
	}
}

// maxFollowed is how many resources or tasks one subscription may name.
const maxFollowed = 1000

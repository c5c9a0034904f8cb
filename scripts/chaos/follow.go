package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is what a host wants to hear of by itself, and what it hears.

const toolsChangedMethod = "notifications/tools/list_changed"

// A topic is a resource that a host follows. Its fields are guarded by the host's
// mu, but for the first ones, which stay.
type topic struct {
	server *server
	uri    string
	exact  bool // each version must be heard, once: nothing befalls what is between

	heard   int  // the latest version
	words   int  // of weir's own, that something may have been missed, since it was followed or dropped
	dropped bool // weir need not tell any more, and may
}

// A subscription is what a host has subscribed to by one request: any number of
// resources, and the list of tools, on a stream of its own; a legacy host has one
// for all, which has no id. Its fields are guarded by the host's mu.
type subscription struct {
	id     string // raw; "" of a legacy host
	tools  bool
	topics map[string]*topic // by URI
	acked  bool
	closed bool // nothing may come on it any more
}

// follow subscribes to a resource, unless that is so. The topic is nil where weir
// or the server will not tell.
func (h *host) follow(s *server, exact bool) (*topic, error) {
	h.topics++
	uri := fmt.Sprintf("%s%s/%s-%d", scheme, s.name, h.name, h.topics)
	t := &topic{server: s, uri: uri, exact: exact, heard: s.news.version(uri)}
	h.w.journal.note(h.name, "follows %s", uri)
	if h.isModern() {
		sub, err := h.listen(false, t)
		if err != nil {
			return nil, err
		}
		return sub.topics[uri], nil
	}
	h.mu.Lock()
	h.subscriptions[""].topics[uri] = t
	h.mu.Unlock()
	r, err := h.send("resources/subscribe", `"uri":`+quote(uri), &request{})
	if err != nil {
		return nil, err
	}
	if err := h.await("the answer to resources/subscribe "+uri, func() bool { return r.answer != nil }); err != nil {
		return nil, err
	}
	if r.answer.Kind != jsonrpc.Response {
		h.w.journal.note(h.name, "cannot follow %s: %.200s", uri, r.answer.Raw)
		h.drop(t)
		return nil, nil //nolint:nilnil // there is none
	}
	return t, nil
}

func (h *host) drop(t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.dropped, t.words = true, 0
}

// listen opens a stream of a modern host, and waits until it is acknowledged. The
// topics that are not told of are taken out of it.
func (h *host) listen(tools bool, topics ...*topic) (*subscription, error) {
	sub := &subscription{tools: tools, topics: map[string]*topic{}}
	var uris []string
	for _, t := range topics {
		sub.topics[t.uri] = t
		uris = append(uris, quote(t.uri))
	}
	members := fmt.Sprintf(`"notifications":{"toolsListChanged":%t,"resourceSubscriptions":[%s]}`, tools, strings.Join(uris, ","))
	r := &request{opens: sub}
	if _, err := h.send("subscriptions/listen", members, r); err != nil {
		return nil, err
	}
	return sub, h.await("the acknowledgement of "+members, func() bool { return sub.acked || r.answer != nil })
}

// unfollow ends the interest in a topic. A modern host ends the stream.
func (h *host) unfollow(t *topic) error {
	h.w.journal.note(h.name, "follows %s no more", t.uri)
	sub := h.subscriptionTo(t)
	if !h.isModern() {
		h.drop(t)
		r, err := h.send("resources/unsubscribe", `"uri":`+quote(t.uri), &request{})
		if err != nil {
			return err
		}
		if err := h.await("the answer to resources/unsubscribe "+t.uri, func() bool { return r.answer != nil }); err != nil {
			return err
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if r.answer.Kind == jsonrpc.Response {
			delete(sub.topics, t.uri)
		}
		return nil
	}
	if err := h.write(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + sub.id + `}}`); err != nil {
		return err
	}
	h.mu.Lock()
	for _, t := range sub.topics {
		t.dropped = true
	}
	h.mu.Unlock()
	if _, err := h.listTools(); err != nil { // weir has read the cancellation then
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	sub.closed = true
	return nil
}

func (h *host) subscriptionTo(t *topic) *subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, sub := range h.subscriptions {
		if sub.topics[t.uri] == t {
			return sub
		}
	}
	panic("a topic that nobody follows: " + t.uri)
}

// followed are the topics that weir is to tell of.
func (h *host) followed() []*topic {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*topic
	for _, sub := range h.subscriptions {
		for _, t := range sub.topics {
			if !t.dropped && !sub.closed {
				all = append(all, t)
			}
		}
	}
	slices.SortFunc(all, func(a, b *topic) int { return strings.Compare(a.uri, b.uri) })
	return all
}

// hears reports whether a version of the topic was heard by the end, or a later one.
func (h *host) hears(t *topic, version int, end time.Time) bool {
	return h.awaitUntil(end, func() bool { return t.heard >= version })
}

// awaitUntil waits until done says so under h.mu, or the time is over, or weir has
// ended.
func (h *host) awaitUntil(end time.Time, done func() bool) bool {
	late := time.NewTimer(time.Until(end))
	defer late.Stop()
	for {
		h.mu.Lock()
		ok, changed := done(), h.changed
		h.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-h.process.Ended():
			return false
		case <-late.C:
			return false
		}
	}
}

// takeNews takes a notification of what was subscribed to.
func (h *host) takeNews(m *jsonrpc.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	meta, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(m.Fields, "_meta"))
	sub := h.subscriptions[string(jsonrpc.Find(meta, "io.modelcontextprotocol/subscriptionId"))]
	switch {
	case sub == nil:
		h.w.journal.violated(h.name, "news that nobody has subscribed to: %.300s", m.Raw)
		return
	case sub.closed:
		h.w.journal.violated(h.name, "news on a stream that is closed: %.300s", m.Raw)
	case !sub.acked && string(m.Method) != "notifications/subscriptions/acknowledged":
		h.w.journal.violated(h.name, "news on a stream before its acknowledgement: %.300s", m.Raw)
	}
	switch string(m.Method) {
	case "notifications/subscriptions/acknowledged":
		h.acknowledged(sub, m)
	case toolsChangedMethod:
		if !sub.tools {
			h.w.journal.violated(h.name, "nobody has asked for %.300s", m.Raw)
		}
		h.changes++
	case updatedMethod:
		h.updated(sub, m, meta)
	}
	h.wake()
}

// endSubscription takes the answer to the request that has opened it: its end.
// The caller holds h.mu.
func (h *host) endSubscription(sub *subscription, m *jsonrpc.Message) {
	if !h.leaving {
		h.w.journal.violated(h.name, "a stream that the host has not ended ends: %.300s", m.Raw)
	}
	sub.closed = true
}

// wake lets those look who wait for something. The caller holds h.mu.
func (h *host) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// acknowledged takes out of a subscription what weir does not tell. The caller
// holds h.mu.
func (h *host) acknowledged(sub *subscription, m *jsonrpc.Message) {
	if sub.acked || sub.id == "" {
		h.w.journal.violated(h.name, "nobody waits for %.300s", m.Raw)
	}
	sub.acked = true
	honoured, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(m.Fields, "notifications"))
	uris := string(jsonrpc.Find(honoured, "resourceSubscriptions"))
	for uri, t := range sub.topics {
		if !strings.Contains(uris, quote(uri)) {
			h.w.journal.note(h.name, "cannot follow %s: %.200s", uri, m.Raw)
			delete(sub.topics, uri)
		}
		t.dropped = t.dropped || sub.topics[uri] == nil
	}
}

// updated takes the word that a resource has changed. The caller holds h.mu.
func (h *host) updated(sub *subscription, m *jsonrpc.Message, meta []jsonrpc.Member) {
	uri, _ := jsonrpc.String(jsonrpc.Find(m.Fields, "uri"))
	t := sub.topics[uri]
	if t == nil {
		h.w.journal.violated(h.name, "news of what nobody follows: %.300s", m.Raw)
		return
	}
	if len(meta) == 0 || len(meta) == 1 && sub.id != "" {
		h.doubted(t, m)
		return
	}
	version, err := strconv.Atoi(string(jsonrpc.Find(meta, "chaos/version")))
	h.w.journal.note(h.name, "hears %s in version %d", uri, version)
	switch {
	case err != nil:
		h.w.journal.violated(h.name, "news are not as they were told: %.300s", m.Raw)
	case t.exact && !t.dropped && version != t.heard+1:
		h.w.journal.violated(h.name, "version %d of %s is heard after %d", version, uri, t.heard)
	}
	t.heard = max(t.heard, version)
}

// doubted takes weir's own word that something may have been missed. The host reads
// then, and knows the present version. Of a server that is well nothing is ever
// missed, but at most before that has said that it will tell, which a modern host
// is told too early where it takes long. The caller holds h.mu.
func (h *host) doubted(t *topic, m *jsonrpc.Message) {
	if t.exact && !t.dropped && !h.isModern() {
		h.w.journal.violated(h.name, "nothing was missed: %.300s", m.Raw)
	}
	version := t.server.news.version(t.uri)
	h.w.journal.note(h.name, "reads %s in version %d", t.uri, version)
	t.words++
	t.exact, t.heard = false, max(t.heard, version)
}

// followWell follows a resource of a server that is well, and hears all of its
// versions, whatever the others do.
func (p *player) followWell() error {
	t, err := p.follow(pick(p.random, p.w.well()), true)
	if err != nil {
		return err
	}
	if t == nil {
		p.w.journal.violated(p.name, "a server that is well cannot be followed")
		return nil
	}
	if err := p.hearAll(t); err != nil || p.random.IntN(3) == 0 {
		return err
	}
	return p.unfollow(t)
}

// hearAll has a server that is well change a resource some times, and waits until
// that was heard.
func (p *player) hearAll(t *topic) error {
	end := time.Now().Add(patience)
	for !t.server.news.isFollowed(t.uri) {
		// To a modern host a server counts as willing that has not said so for a while.
		if time.Now().After(end) {
			p.w.journal.violated(p.name, "%s was never told that %s is followed", t.server.name, t.uri)
			return nil
		}
		<-time.After(10 * time.Millisecond)
	}
	version := 0
	for range 1 + p.random.IntN(5) {
		version = t.server.news.update(t.uri)
	}
	if !p.hears(t, version, end) {
		p.w.journal.violated(p.name, "version %d of %s is not heard", version, t.uri)
		p.drop(t)
	}
	return nil
}

// hearAgain has a server that is well change what was followed before.
func (p *player) hearAgain() error {
	for _, t := range p.followed() {
		if t.exact && p.random.IntN(3) == 0 {
			if err := p.hearAll(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// followEach follows a resource of each server that can be reached. Weir knows whose
// it is when that server has listed what it has, which takes some time where much
// is started at once.
func (p *player) followEach() error {
	end := time.Now().Add(patience)
	for _, s := range p.w.living() {
		for {
			t, err := p.follow(s, !s.faulty)
			if err != nil {
				return err
			}
			if t != nil {
				break
			}
			if time.Now().After(end) {
				p.w.journal.violated(p.name, "%s cannot be followed", s.name)
				break
			}
			<-time.After(50 * time.Millisecond)
		}
	}
	return nil
}

// followIll follows resources of any servers, and changes some that are followed.
func (p *player) followIll() error {
	all := p.followed()
	for range 3 {
		if len(p.followed()) < maxTopics {
			if _, err := p.follow(pick(p.random, p.w.servers), false); err != nil {
				return err
			}
		}
	}
	for _, t := range all {
		switch p.random.IntN(8) {
		case 0:
			if err := p.unfollow(t); err != nil {
				return err
			}
		case 1:
			if !t.exact {
				t.server.news.update(t.uri)
			}
		}
	}
	return nil
}

// maxTopics bounds what a host follows at once, by steps that do not end it.
const maxTopics = 30

// hearFollowed sees that all that is followed is told of again, when all servers
// are well: what a subscription to a server that was down, or has been configured
// otherwise, is worth. Who goes back to its server a moment behind the answers of
// calls has weir's word that it may have missed something.
func (p *player) hearFollowed(except []*server) error {
	all := slices.DeleteFunc(p.followed(), func(t *topic) bool { return slices.Contains(except, t.server) })
	versions := make([]int, len(all))
	for i, t := range all {
		versions[i] = t.server.news.update(t.uri)
	}
	end := time.Now().Add(patience)
	for i, t := range all {
		if !p.hears(t, versions[i], end) {
			p.w.journal.violated(p.name, "%s is well again, and version %d of %s not heard of (followed there: %t)",
				t.server.name, versions[i], t.uri, t.server.news.isFollowed(t.uri))
		}
	}
	return nil
}

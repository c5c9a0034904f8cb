package aggregator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream"
)

// try asks a server for lists, all at once, and takes over what it tells. It
// returns the kinds that failed and why the first of them did, and the connection
// that it began on.
func (s *server) try(kinds kindSet) (failed kindSet, connection time.Time, err error) {
	facts, err := s.up.Connect(s.ctx)
	if err != nil {
		s.failed(kinds, err)
		return kinds, time.Time{}, err
	}
	s.tally.listings.Add(1)
	t := s.begin(facts)
	t.connection = s.connectedSince()
	asked := t.undeclared(kinds)
	outcomes := make(chan outcome, catalog.Kinds)
	pending := 0
	for k := range catalog.Kind(catalog.Kinds) {
		if asked.has(k) {
			pending++
			s.a.spawn(func() { outcomes <- s.listKind(k) })
		}
	}
	grace := time.NewTimer(kindGrace)
	defer grace.Stop()
	for late := false; pending > 0; {
		select {
		case o := <-outcomes:
			pending--
			t.take(o)
		case <-grace.C:
			late = true
		case <-s.ctx.Done():
			return 0, t.connection, nil
		}
		if late && pending > 0 {
			t.publish()
			if asked&^t.told&^t.failed&only(catalog.Tools) == 0 {
				s.once.Do(func() { close(s.tried) }) // hosts ask for tools first, and some once
			}
		}
	}
	t.end(asked)
	return t.failed, t.connection, t.err
}

// kindGrace is how long the lists of a server wait for each other, so that one
// that does not come keeps no other from the host.
const kindGrace = time.Second

// An outcome is what became of asking for the list of a kind.
type outcome struct {
	kind catalog.Kind
	list upstream.List
	err  error
}

func (s *server) listKind(k catalog.Kind) outcome {
	ask := [catalog.Kinds]func(context.Context) (upstream.List, error){
		catalog.Tools: s.up.ListTools, catalog.Prompts: s.up.ListPrompts,
		catalog.Resources: s.up.ListResources, catalog.Templates: s.up.ListTemplates,
	}[k]
	list, err := ask(s.ctx)
	if refusal, ok := errors.AsType[*upstream.ReplyError](err); ok && refusal.Code == codeMethodNotFound {
		// Some servers declare what they have none of.
		s.a.log.Debug().Err(err).Str("upstream", s.Name).Stringer("kind", k).Msg("server does not know the list it declares")
		return outcome{kind: k, list: upstream.List{Facts: list.Facts}}
	}
	return outcome{k, list, err}
}

// A telling is a try while its lists come in.
type telling struct {
	s      *server
	lists  catalog.Lists // what the server tells now, and of the rest what it told before
	told   kindSet
	none   kindSet // that the server does not declare
	failed kindSet
	err    error // of the first that failed

	connection time.Time // on which it tells
}

func (s *server) begin(facts upstream.Facts) *telling {
	t := &telling{s: s}
	if old := s.current(); old != nil {
		t.lists = *old
	}
	t.lists.Failure = catalog.Failure{}
	t.lists.Version, t.lists.Modern = facts.Version, facts.Modern
	t.lists.ServerInfo, t.lists.Capabilities, t.lists.Instructions = facts.ServerInfo, facts.Capabilities, facts.Instructions
	return t
}

// undeclared takes the kinds for told that the server does not declare: it has
// none of them. It returns the others.
func (t *telling) undeclared(kinds kindSet) (asked kindSet) {
	for k := range catalog.Kind(catalog.Kinds) {
		switch {
		case catalog.Declares(t.lists.Capabilities, k):
			asked |= only(k) & kinds
		default:
			t.none |= only(k)
			*t.lists.Of(k) = catalog.List{Fetched: time.Now()}
		}
	}
	return asked
}

func (t *telling) take(o outcome) {
	if o.err != nil {
		t.s.a.log.Debug().Err(o.err).Str("upstream", t.s.Name).Stringer("kind", o.kind).Msg("listing failed")
		t.failed |= only(o.kind)
		if t.err == nil {
			t.err = o.err
			t.lists.Failure = failureOf(only(o.kind), o.err)
		}
		return
	}
	t.told |= only(o.kind)
	*t.lists.Of(o.kind) = catalog.List{
		Items: t.s.items(o.kind, o.list.Items), Fetched: time.Now(),
		TTL: o.list.TTL, Hinted: o.list.HasTTL, Scope: o.list.Scope,
	}
}

// publish lets the hosts know what has been told so far.
func (t *telling) publish() {
	lists := t.lists
	t.s.keepTold(&lists)
	changed := t.s.a.setSnapshot()
	t.s.noteCompared(t.told|t.none, t.connection)
	if changed {
		t.s.a.pushes.soon()
	}
}

// end takes over what was told. A server that told nothing it was asked for is as
// one that could not be asked. What is told whole is kept though weir ends: a
// command ends as soon as it has seen it.
func (t *telling) end(asked kindSet) {
	if t.told == 0 && asked != 0 || t.failed != 0 && t.s.ctx.Err() != nil {
		t.s.failed(asked, t.err)
		return
	}
	t.s.failures++
	if t.failed == 0 {
		t.s.failures = 0
	}
	t.publish()
	stored := t.lists
	stored.Failure = catalog.Failure{}
	t.s.store(&stored)
	if t.failed != 0 {
		// By itself: it would keep the lists beside it from being stored.
		t.s.store(&catalog.Lists{Failure: t.lists.Failure})
	}
}

// items leaves out definitions that are of no use, each by itself.
func (s *server) items(k catalog.Kind, raw [][]byte) []catalog.Item {
	items := make([]catalog.Item, 0, len(raw))
	for _, r := range raw {
		item, err := catalog.ParseItem(k, r)
		if err != nil {
			s.a.log.Warn().Err(err).Str("upstream", s.Name).Stringer("kind", k).Msg("item left out")
			continue
		}
		items = append(items, item)
	}
	return slices.Clip(items)
}

// failed notes the failure beside the lists of an earlier success. Those may be
// of another variant, so that the failure alone is to be stored.
func (s *server) failed(kinds kindSet, err error) {
	if s.ctx.Err() != nil {
		return
	}
	s.failures++
	failure := failureOf(kinds, err)
	s.a.log.Debug().Err(err).Str("upstream", s.Name).Msg("listing failed")
	var lists catalog.Lists
	if old := s.current(); old != nil {
		lists = *old
	}
	known := lists.Failure
	lists.Failure = failure
	s.keep(&lists)
	if known.Kind != failure.Kind || known.Text != failure.Text {
		s.store(&catalog.Lists{Failure: failure})
	}
}

func failureOf(kinds kindSet, err error) catalog.Failure {
	if f, ok := errors.AsType[upstream.Failure](err); ok {
		return catalog.Failure{Kind: string(f.Kind()), Text: f.Detail().Text, At: time.Now()}
	}
	first := catalog.Kind(0)
	for !kinds.has(first) {
		first++
	}
	return catalog.Failure{
		Kind: string(upstream.KindProtocol),
		Text: fmt.Sprintf("the server refused to list its %ss", first), At: time.Now(),
	}
}

// store keeps what the server told for the next start.
func (s *server) store(l *catalog.Lists) {
	s.a.storing.save(s, s.variant(), l)
}

// How long storing a list may take, and how much longer once weir is ending.
const (
	saveTime     = 5 * time.Second
	lastSaveTime = 300 * time.Millisecond
)

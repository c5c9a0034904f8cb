package aggregator

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/weir-mcp/weir/aggregator/canonical"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file compares what servers list with what is pinned of them. Where that
// blocks, nothing is taken over that was not compared before; where it warns, the
// comparison comes behind what hosts wait for. On the path of a call nothing is
// compared.

// PinItems returns what is pinned of the lists of a server: its tools, its
// prompts, and its instructions. Of several items of one name it is the first,
// which is the one that hosts see. Lists that were never told have none.
func PinItems(l *catalog.Lists) []pins.Item {
	if l == nil || !l.Known() {
		return nil
	}
	items := make([]pins.Item, 0, len(l.Tools.Items)+len(l.Prompts.Items)+1)
	seen := make(map[pins.Key]bool, cap(items))
	take := func(kind pins.Kind, list *catalog.List) {
		for _, item := range list.Items {
			if key := (pins.Key{Kind: kind, Name: item.Name()}); !seen[key] {
				seen[key] = true
				items = append(items, pins.Item{Key: key, Raw: item.Raw()})
			}
		}
	}
	take(pins.Tool, &l.Tools)
	take(pins.Prompt, &l.Prompts)
	words := pins.Item{Key: pins.Key{Kind: pins.Instructions}, Raw: jsonrpc.AppendString(nil, l.Instructions)}
	return append(items, words)
}

// A standing is how the lists of a server compare with its pins. It is immutable.
// nil has nothing against them.
type standing struct {
	blocks  bool                       // what is in it is held back
	unknown bool                       // the pins could not be read: all is in it
	items   map[pins.Key]pins.Standing // what has changed, and what is new but could not be pinned
}

// withholds reports whether an item is kept from hosts.
func (p *standing) withholds(key pins.Key) bool {
	if p == nil || !p.blocks {
		return false
	}
	_, in := p.items[key]
	return p.unknown || in
}

// withholdsAny reports whether anything is.
func (p *standing) withholdsAny() bool {
	return p != nil && p.blocks && (p.unknown || len(p.items) > 0)
}

// count returns how many items are in it.
func (p *standing) count(l *catalog.Lists) int {
	switch {
	case p == nil:
		return 0
	case p.unknown:
		return len(PinItems(l))
	}
	return len(p.items)
}

// pinning is what a server knows of its pins. What is not guarded otherwise is
// guarded by checking, which is held while files are read and written: it orders
// comparisons, so that the last one is the newest.
type pinning struct {
	checking chan struct{}                 // holds a token while lists are compared
	first    *catalog.Lists                // from the disk, and not compared yet
	told     map[pins.Key]canonical.Digest // changes that were logged
	trouble  string                        // that was logged last
	unstored bool                          // what is new could not be pinned
	retrying bool                          // somebody sees to that
	standing *standing                     // guarded by server.mu
	stamp    pins.Stamp                    // guarded by server.mu; of the pins that standing is of
}

func newPinning() pinning {
	return pinning{checking: make(chan struct{}, 1), told: make(map[pins.Key]canonical.Digest)}
}

// saveStanding notes the outcome of a comparison.
func (s *server) saveStanding(p *standing, stamp pins.Stamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pinning.standing, s.pinning.stamp = p, stamp
}

// keepStored takes over the lists from the disk. Only where pins block they are
// compared at once: elsewhere that was done when they came in.
func (s *server) keepStored(l *catalog.Lists) {
	if s.Pin == pins.Block {
		s.keepCompared(l)
		return
	}
	s.pinning.checking <- struct{}{}
	defer func() { <-s.pinning.checking }()
	s.pinning.first = l
	s.keep(l)
}

// keepTold takes over lists that the server has just told.
func (s *server) keepTold(l *catalog.Lists) {
	if s.Pin == pins.Block {
		s.keepCompared(l)
		return
	}
	s.keep(l)
}

// keepCompared takes over lists together with what pins say of them.
func (s *server) keepCompared(l *catalog.Lists) {
	s.pinning.checking <- struct{}{}
	defer func() { <-s.pinning.checking }()
	p, stamp := s.compare(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists.Store(l)
	s.pinning.standing, s.pinning.stamp = p, stamp
}

// compareAgain compares the lists there are with the pins there are.
func (s *server) compareAgain() {
	s.pinning.checking <- struct{}{}
	defer func() { <-s.pinning.checking }()
	s.saveStanding(s.compare(s.current()))
}

// compareTold compares the lists that have come in, where that is not done yet.
func (s *server) compareTold() {
	if s.Pin == pins.Warn {
		s.compareAgain()
	}
}

// compare says how lists compare with the pins, which it adds to where there are
// none: what is seen first is accepted. The caller holds checking.
func (s *server) compare(l *catalog.Lists) (*standing, pins.Stamp) {
	first := s.pinning.first
	s.pinning.first = nil
	items := PinItems(l)
	if s.Pin == pins.Off || items == nil {
		s.pinning.unstored = false
		return nil, pins.Stamp{}
	}
	p := &standing{blocks: s.Pin == pins.Block, items: make(map[pins.Key]pins.Standing)}
	stamp := s.a.cfg.Pins.Stamp(s.Name) // an earlier one than what is read is looked at again
	book, err := s.a.cfg.Pins.Load(s.Name)
	if err != nil {
		p.unknown = true
		s.pinTrouble(err, "pins cannot be read")
		s.pinLater(cmp.Or(first, l))
		return p, stamp
	}
	if book.Since.IsZero() {
		items = append(PinItems(first), items...) // a weir that pinned nothing has shown them
	}
	s.pinning.unstored = false
	if fresh := unpinned(book, items); len(fresh) > 0 {
		book = s.pin(book, fresh, p)
	}
	if s.pinning.unstored {
		s.pinLater(cmp.Or(first, l))
	}
	for _, item := range items {
		if book.Judge(item) == pins.Changed {
			p.items[item.Key] = pins.Changed
			s.tellChange(item, book)
		}
	}
	return p, stamp
}

// pinTime is how long it may take to pin what is new. What is seen once is pinned
// though weir be at its end.
const pinTime = time.Second

func unpinned(book *pins.Book, items []pins.Item) (fresh []pins.Item) {
	for _, item := range items {
		if book.Judge(item) == pins.New {
			fresh = append(fresh, item)
		}
	}
	return fresh
}

// pin pins what is new, and returns what is pinned then. What cannot be pinned is
// noted in p.
func (s *server) pin(book *pins.Book, fresh []pins.Item, p *standing) *pins.Book {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), pinTime)
	defer cancel()
	after, err := s.a.cfg.Pins.Pin(ctx, s.Name, fresh, time.Now())
	if err != nil {
		for _, item := range fresh {
			if p.blocks {
				p.items[item.Key] = pins.New
			}
		}
		s.pinning.unstored = true
		s.pinTrouble(err, "definitions cannot be pinned: weir tries again from time to time")
		return book
	}
	s.pinning.trouble = ""
	if !book.Since.IsZero() {
		for _, item := range fresh {
			s.a.log.Info().Str("upstream", s.Name).Stringer("item", item.Key).
				Time("since", book.Since).Msg("new definition since the server was first listed")
		}
	}
	return after
}

// tellChange logs a change once.
func (s *server) tellChange(item pins.Item, book *pins.Book) {
	digest := canonical.DigestOf(item.Raw)
	if s.pinning.told[item.Key] == digest {
		return
	}
	s.pinning.told[item.Key] = digest
	what := "definition has changed since it was pinned"
	if s.Pin == pins.Block {
		what = "definition has changed since it was pinned and is held back"
	}
	s.a.log.Warn().Str("upstream", s.Name).Stringer("item", item.Key).
		Time("pinned", book.Latest(item.Key).At).Str("see", "weir pins diff "+s.Name).Msg(what)
}

// pinTrouble logs what keeps pins from being read or written, once.
func (s *server) pinTrouble(err error, what string) {
	if s.ctx.Err() != nil || s.pinning.trouble == err.Error() {
		return
	}
	s.pinning.trouble = err.Error()
	s.a.log.Warn().Err(err).Str("upstream", s.Name).Stringer("pin", s.Pin).Msg(what)
}

// A held is what pins keep from hosts, by server. It is immutable; nil is
// nothing.
type held map[string]*standing

// with is h and what is held back of another server.
func (h held) with(server string, p *standing) held {
	if !p.withholdsAny() {
		return h
	}
	if h == nil {
		h = make(held)
	}
	h[server] = p
	return h
}

// withholds reports whether an item is kept from hosts. Resources are not pinned.
func (h held) withholds(route *catalog.Route) bool {
	if h == nil || route.Kind != catalog.Tools && route.Kind != catalog.Prompts {
		return false
	}
	return h[route.Server].withholds(pinKey(route))
}

// pinKey is the key of a tool or a prompt.
func pinKey(route *catalog.Route) pins.Key {
	if route.Kind == catalog.Prompts {
		return pins.Key{Kind: pins.Prompt, Name: route.Item.Name()}
	}
	return pins.Key{Kind: pins.Tool, Name: route.Item.Name()}
}

// listsAndStanding returns what belongs together.
func (s *server) listsAndStanding() (*catalog.Lists, *standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists.Load(), s.pinning.standing
}

// checkPin refuses what pins hold back. What the policy denies does not get here.
func (v *view) checkPin(_ *session, q query, t *target) *refusal {
	if !v.held.withholds(t.tool) {
		return nil
	}
	return &refusal{result: t.server.a.changedResult(t.tool, v.held[t.tool.Server], q.modern), held: t.server}
}

// instructs reports whether the instructions of a server are shown.
func (v *view) instructs(server string) bool {
	return v.shows(server) && !v.held[server].withholds(pins.Key{Kind: pins.Instructions})
}

// pinsMoved reports whether the pins have changed since they were compared.
func (s *server) pinsMoved() bool {
	s.mu.Lock()
	stamp := s.pinning.stamp
	s.mu.Unlock()
	return s.a.cfg.Pins.Stamp(s.Name) != stamp
}

// recheck takes note of what the user has approved.
func (s *server) recheck(context.Context) error {
	s.compareAgain()
	if s.a.setSnapshot() {
		s.a.pushes.soon()
	}
	return nil
}

// pinPace is how often it is looked whether the user has approved something.
const pinPace = time.Second

// noticePins looks whether the user has approved what is held back, when a host
// asks for anything. Where nothing is held back it costs nothing.
func (a *Aggregator) noticePins() {
	v := a.view.Load()
	if v.held == nil {
		return
	}
	last, now := a.pinsSeen.Load(), time.Now().UnixNano()
	if now-last < int64(pinPace) || !a.pinsSeen.CompareAndSwap(last, now) {
		return
	}
	for name := range v.held {
		if s := v.byName[name]; s.pinsMoved() {
			a.spawn(func() { _ = s.recheck(a.ctx) })
		}
	}
}

// A PinChange is a definition that is not the one pinned.
type PinChange struct {
	Server string
	pins.Item
	Exposed  string    // the name that hosts know it by; "" for instructions and what no host sees
	Before   *pins.Pin // the latest that was accepted; nil if none is known
	Withheld bool      // hosts do not see it
}

// PinChanges compares what the servers list now with the pins on the disk, in the
// order of the configuration. It pins nothing. The error joins those of pins that
// cannot be read.
func (a *Aggregator) PinChanges() ([]PinChange, error) {
	var changes []PinChange
	var errs []error
	v := a.view.Load()
	for _, s := range v.servers {
		if s.Pin == pins.Off {
			continue
		}
		book, err := a.cfg.Pins.Load(s.Name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, item := range PinItems(s.current()) {
			if book.Judge(item) == pins.Changed {
				changes = append(changes, PinChange{
					Server: s.Name, Item: item, Exposed: v.exposedName(s.Name, item.Key),
					Before: book.Latest(item.Key), Withheld: s.Pin == pins.Block,
				})
			}
		}
	}
	return changes, errors.Join(errs...)
}

func (v *view) exposedName(server string, key pins.Key) string {
	kind := catalog.Tools
	switch key.Kind {
	case pins.Prompt:
		kind = catalog.Prompts
	case pins.Instructions:
		return ""
	case pins.Tool:
	}
	if route := v.itemOf(Use{Kind: kind, Server: server, Name: key.Name}); route != nil {
		return route.Exposed
	}
	return ""
}

// ErrNoSuchServer is the error for a server that is not configured.
var ErrNoSuchServer = errors.New("no such server")

// ApprovePins accepts definitions that the user was shown, and lets hosts see
// them. It waits as pins.Store.Approve does, whose errors it returns.
func (a *Aggregator) ApprovePins(ctx context.Context, server string, shown []pins.Approval) error {
	s := a.world.Load().byName[server]
	if s == nil {
		return ErrNoSuchServer
	}
	if err := a.cfg.Pins.Approve(ctx, server, shown, time.Now()); err != nil {
		return err
	}
	return s.recheck(ctx)
}

package catalog

import (
	"errors"
	"fmt"
	"time"

	"github.com/weir-mcp/weir/aggregator/hygiene"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// Lists are what one server last told. They are immutable once they are given
// to Merge or come from a Store, and may alias the bytes they were read from.
type Lists struct {
	Version string // the protocol revision that was spoken
	Modern  bool   // whether that is a modern one (2026-07-28 on)

	ServerInfo   []byte // raw JSON; nil if the server told none
	Capabilities []byte // raw JSON; nil if the server told none
	Instructions string

	Tools     List
	Prompts   List
	Resources List
	Templates List

	// Failure is the last try, if it failed, for all kinds or for one. The lists
	// that it did not bring are then those of an earlier success, if there was
	// one.
	Failure Failure
}

// Known reports whether the server has ever told a list.
func (l *Lists) Known() bool {
	for k := range Kind(Kinds) {
		if !l.Of(k).Fetched.IsZero() {
			return true
		}
	}
	return false
}

// A List is the items of one kind, all pages.
type List struct {
	Items []Item

	// Fetched is when the server told the list, or that it has nothing of the
	// kind. Zero means that it never did.
	Fetched time.Time

	// TTL and Scope are the hints that came with the list ("ttlMs" and
	// "cacheScope" of 2026-07-28), Hinted is whether any did. Scope is as the
	// server wrote it.
	TTL    time.Duration
	Hinted bool
	Scope  string
}

// A Failure is why a server could not be listed. The zero Failure is none.
type Failure struct {
	Kind string // of the failure as hosts see it
	Text string // for people; must hold no secret, since it is stored
	At   time.Time
}

// Failed reports whether there is a failure.
func (f Failure) Failed() bool { return f != Failure{} }

// An Item is one definition as its server sent it, with its name found. Only
// ParseItem and the Store make one.
type Item struct {
	name string
	raw  []byte

	// Where the name stands in raw, quotes included.
	nameAt, nameEnd uint32

	traits traits
}

// Name is what the server calls the item, unescaped: the name of a tool or
// prompt, the URI of a resource, the template of a resource template.
func (i Item) Name() string { return i.name }

// RawName is the name as the server wrote it, quotes included. It must not be
// changed.
func (i Item) RawName() []byte { return i.raw[i.nameAt:i.nameEnd] }

// Raw is the definition, to the byte. It must not be changed.
func (i Item) Raw() []byte { return i.raw }

// Unclean reports whether there is something in it that is not to be shown
// (package hygiene).
func (i Item) Unclean() bool { return i.traits&unclean != 0 }

// maxItem is more than any message may be that could bring an item.
const maxItem = 1 << 30

// ParseItem takes over a definition, which must not change any more. The error
// says why it is of no use: it is no JSON object, or not exactly one member of
// it names it ("name", "uri" or "uriTemplate", by its kind), or that is no
// string.
func ParseItem(kind Kind, raw []byte) (Item, error) {
	if len(raw) > maxItem {
		return Item{}, fmt.Errorf("item has %d bytes, more than %d", len(raw), maxItem)
	}
	var room [16]jsonrpc.Member
	members, err := jsonrpc.ParseObject(room[:0], raw)
	if err != nil {
		return Item{}, fmt.Errorf("reading an item: %w", err)
	}
	value, err := onlyMember(members, kinds[kind].key)
	if err != nil {
		return Item{}, err
	}
	name, err := jsonrpc.String(value)
	if err != nil {
		return Item{}, fmt.Errorf("reading the %s of an item: %w", kinds[kind].key, err)
	}
	before, after := jsonrpc.Cut(raw, value)
	item := Item{name: name, raw: raw, nameAt: uint32(len(before)), nameEnd: uint32(len(raw) - len(after))}
	if kind == Tools {
		item.traits = traitsOf(members)
	}
	if hygiene.Suspect(raw, members) && len(hygiene.Edits(raw)) > 0 {
		item.traits |= unclean
	}
	return item, nil
}

// onlyMember returns the value of the one member called key. Two would be read
// differently by different readers.
func onlyMember(members []jsonrpc.Member, key string) (value []byte, err error) {
	for i := range members {
		if string(members[i].Key) != key {
			continue
		}
		if value != nil {
			return nil, fmt.Errorf("item has two members %q", key)
		}
		value = members[i].Value
	}
	if value == nil {
		return nil, fmt.Errorf("item has no member %q", key)
	}
	return value, nil
}

var (
	errNameSpan = errors.New("no name where one should stand")
	errNotJSON  = errors.New("a definition is no JSON")
)

// itemAt is ParseItem for a definition that was parsed before, whose name is
// known to stand between nameAt and nameEnd. The Item is given its name later.
// A definition that is no JSON would break the whole list for a host, so that it
// is not believed to be whole because a checksum says so.
func itemAt(raw []byte, nameAt, nameEnd int, traits traits) (Item, error) {
	if nameAt < 0 || nameEnd < nameAt || nameEnd > len(raw) {
		return Item{}, errNameSpan
	}
	if !jsonrpc.Valid(raw[nameAt:nameEnd]) {
		return Item{}, errNameSpan
	}
	if !jsonrpc.Valid(raw) {
		return Item{}, errNotJSON
	}
	return Item{raw: raw, nameAt: uint32(nameAt), nameEnd: uint32(nameEnd), traits: traits}, nil
}

package pins

import (
	"bytes"
	"fmt"
	"time"

	"github.com/weir-mcp/weir/aggregator/canonical"
)

// A Mode is what happens when a definition has changed. The zero Mode is Warn.
type Mode uint8

// The modes.
const (
	Warn  Mode = iota // the change is told, and passes
	Off               // nothing is compared, and nothing pinned
	Block             // what has changed is held back until the user approves it
)

var modeNames = [...]string{"warn", "off", "block"}

func (m Mode) String() string { return modeNames[m] }

// UnmarshalText reads a mode by its name.
func (m *Mode) UnmarshalText(text []byte) error {
	for i, name := range modeNames {
		if name == string(text) {
			*m = Mode(i)
			return nil
		}
	}
	return fmt.Errorf("unknown mode %q (want off, warn or block)", text)
}

// A Kind is what sort of item is pinned.
type Kind uint8

// The kinds of items.
const (
	Tool Kind = iota
	Prompt
	Instructions // of the server; their name is ""
)

var kindNames = [...]string{"tool", "prompt", "instructions"}

func (k Kind) String() string { return kindNames[k] }

func parseKind(name string) (Kind, bool) {
	for i, known := range kindNames {
		if known == name {
			return Kind(i), true
		}
	}
	return 0, false
}

// A Key names an item of a server by what the server calls it.
type Key struct {
	Kind Kind
	Name string
}

func (k Key) String() string {
	if k.Kind == Instructions {
		return k.Kind.String()
	}
	return fmt.Sprintf("%s %q", k.Kind, k.Name)
}

// An Item is a definition as a server tells it now. Raw is JSON, and must not
// change any more: the object of a tool or prompt, the string of instructions.
type Item struct {
	Key
	Raw []byte
}

// A Pin is one accepted definition.
type Pin struct {
	Key
	Digest     canonical.Digest
	At         time.Time // when it was first seen, or approved
	Approved   bool      // by the user, not by being the first
	Definition []byte    // raw, as the server sent it; nil if it was too large to keep
}

// A Standing is how a definition compares with what is pinned.
type Standing uint8

// The standings.
const (
	New     Standing = iota // nothing is pinned of the item
	Same                    // it was accepted
	Changed                 // another one was
)

// A Book is what is pinned of one server. It is immutable.
type Book struct {
	Since time.Time // of the first pin; zero if there is none yet
	pins  []Pin     // of each item the latest first
	byKey map[Key][]*Pin
}

func newBook(since time.Time, all []Pin) *Book {
	b := &Book{Since: since, pins: all, byKey: make(map[Key][]*Pin, len(all))}
	for i := range all {
		b.byKey[all[i].Key] = append(b.byKey[all[i].Key], &all[i])
	}
	return b
}

// Pins returns all pins, of each item the latest first. The slice must not be
// changed.
func (b *Book) Pins() []Pin { return b.pins }

// Latest returns the latest pin of an item; nil if there is none.
func (b *Book) Latest(key Key) *Pin {
	if all := b.byKey[key]; len(all) > 0 {
		return all[0]
	}
	return nil
}

// Judge compares a definition with what is pinned. Instructions that are not
// there say nothing, and so are never a change.
func (b *Book) Judge(item Item) Standing {
	known := b.byKey[item.Key]
	if len(known) == 0 {
		return New
	}
	if item.Kind == Instructions && string(item.Raw) == `""` {
		return Same
	}
	for _, p := range known {
		if p.Definition != nil && bytes.Equal(p.Definition, item.Raw) {
			return Same // what is spelled the same needs no digest
		}
	}
	digest := canonical.DigestOf(item.Raw)
	for _, p := range known {
		if p.Digest == digest {
			return Same
		}
	}
	return Changed
}

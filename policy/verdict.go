package policy

import "fmt"

// A Level is what a principal may do with an item. Each includes those before
// it. The zero Level is Deny.
type Level uint8

// The levels, in their order.
const (
	Deny Level = iota
	Read
	Execute
	Admin
)

var levelNames = [...]string{"deny", "read", "execute", "admin"}

func (l Level) String() string { return levelNames[l] }

// UnmarshalText reads a level by its name.
func (l *Level) UnmarshalText(text []byte) error {
	for i, name := range levelNames {
		if name == string(text) {
			*l = Level(i)
			return nil
		}
	}
	return fmt.Errorf("unknown level %q (want deny, read, execute or admin)", text)
}

// A Kind is what a request is about.
type Kind uint8

// The kinds of items. AnyKind stands for none in particular: the server itself.
const (
	AnyKind Kind = iota
	Tool
	Prompt
	Resource
)

var kindNames = [...]string{"server", "tool", "prompt", "resource"}

func (k Kind) String() string { return kindNames[k] }

// UnmarshalText reads the kind of an item by its name.
func (k *Kind) UnmarshalText(text []byte) error {
	for i := Tool; i <= Resource; i++ {
		if kindNames[i] == string(text) {
			*k = i
			return nil
		}
	}
	return fmt.Errorf("unknown kind %q (want tool, prompt or resource)", text)
}

// A Request is what is to be decided. Names are the originals that the upstream
// uses, unescaped. What conditions may look at beside them is read only where
// one does.
type Request struct {
	Server string // its name, no alias
	Kind   Kind
	Name   string // tool or prompt name, or resource URI; "" asks about the server itself

	// Listing asks whether the item is to be in a list: then there are no
	// arguments, and a condition that looks at them decides nothing. It is so
	// for AnyKind anyway.
	Listing bool

	// Arguments are those that will be sent, a raw object; nil stands for {}.
	// No member of theirs may stand twice, see Policy.LooksAtArguments.
	Arguments []byte

	Definition []byte // of a tool, raw, as its server listed it; nil stands for {}
	Principal  Principal
	Client     Client
}

// A Principal is who asks, as the configuration knows it. The zero Principal
// has no key and no profile.
type Principal struct {
	Key, Team, Org, Profile string // names
}

// A Client is the host by its own word.
type Client struct {
	Name, Version string
}

// A Verdict is the answer, and why. The zero Verdict denies.
type Verdict struct {
	Level  Level
	Policy string   // the policy's name, "" for one without
	Rule   string   // the deciding rule in a few words; "" if no rule decided
	Pos    Position // where that rule, the gate or the default stands
	Reason string   // a short sentence part: `rule 2 denies tool "delete_*" of server "*"`

	// Best is the most that any arguments could get, never less than Level: what
	// lists go by. It is the same in a list and for every call of the item.
	Best Level

	// Hint says how a condition could be written that could not be evaluated, and
	// had a part in Level or Ask: `has(args.sql)`. "" if there was none.
	Hint string

	// Ask demands that a person approves, beside what Level allows. AskReason
	// and AskPos are why and where that stands. In a list nothing asks, and
	// neither does what is denied.
	Ask       bool
	AskReason string
	AskPos    Position
}

// Listed reports whether the item is there at all for the principal, even if
// these arguments are not allowed.
func (v Verdict) Listed() bool { return max(v.Level, v.Best) >= Read }

// Callable reports whether the item may be called, with these arguments.
func (v Verdict) Callable() bool { return v.Level >= Execute }

// A Position is a place in a configuration file. The zero Position is nowhere.
type Position struct {
	File string
	Line int
}

func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

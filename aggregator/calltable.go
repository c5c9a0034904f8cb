package aggregator

import (
	"iter"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A callKey is what the ids of requests are compared by. That of an id which is a
// number, as nearly all hosts count, is found without a look at its text.
type callKey struct {
	number uint64
	text   string // "" for a number
}

// keyOf is the key of a raw id, of which there must be one.
func keyOf(id []byte) callKey {
	n, ok := counted(id)
	if !ok {
		id = idKey(id)
		n, ok = counted(id)
	}
	if ok {
		return callKey{number: n}
	}
	return callKey{text: string(id)}
}

// counted reads an id that is a whole number as everybody writes it.
func counted(id []byte) (n uint64, ok bool) {
	if len(id) == 0 || len(id) > 19 || id[0] == '0' && len(id) > 1 {
		return 0, false
	}
	for _, c := range id {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	return n, true
}

// A callTable is the calls in flight, by the keys of their ids. Its user guards
// it. The zero table is ready for use.
type callTable struct {
	counted jsonrpc.Pending[call]
	named   map[string]*call
	closed  bool // for ever: nothing is in flight, and nothing comes
}

func (t *callTable) len() int { return t.counted.Len() + len(t.named) }

// at returns the call with this key; nil if there is none.
func (t *callTable) at(key callKey) *call {
	if key.text == "" {
		return t.counted.At(key.number)
	}
	return t.named[key.text]
}

// has reports whether the call is in flight.
func (t *callTable) has(c *call) bool { return t.at(c.key) == c }

// add adds a call whose key no other has.
func (t *callTable) add(c *call) {
	if c.key.text == "" {
		t.counted.Add(c.key.number, c)
		return
	}
	if t.named == nil {
		t.named = make(map[string]*call)
	}
	t.named[c.key.text] = c
}

// remove takes out a call, if it is in flight.
func (t *callTable) remove(c *call) {
	if !t.has(c) {
		return
	}
	if c.key.text == "" {
		t.counted.Remove(c.key.number)
		return
	}
	delete(t.named, c.key.text)
}

// all are the calls, in no order. One that is yielded may be removed.
func (t *callTable) all() iter.Seq[*call] {
	return func(yield func(*call) bool) {
		for _, c := range t.counted.All() {
			if !yield(c) {
				return
			}
		}
		for _, c := range t.named {
			if !yield(c) {
				return
			}
		}
	}
}

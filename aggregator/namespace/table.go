package namespace

import (
	"cmp"
	"slices"
	"strings"
)

// Reserved begins the names of weir's own tools.
const Reserved = "weir__"

// An Item is one tool or prompt.
type Item struct {
	Server   int    // its index among the servers
	Original string // its name there

	// Key tells it from others of its server that have this name; "" is the name.
	Key string
}

// A Collision is a name that two items had. Kept and Moved are their indexes.
type Collision struct {
	Name  string
	Kept  int
	Moved int
}

// A Table has the names of items, both ways. It is immutable, and safe for
// concurrent use.
type Table struct {
	// Names are the exposed names, by the index of their items. They are
	// different from each other, but for items that repeat an earlier one of
	// their own server: those have "" and are in no collision.
	Names []string

	// Collisions are the items that had to take the hashed form because an
	// earlier one has their name.
	Collisions []Collision

	rules   Rules
	servers []Server
	items   []Item
	heads   [][]string // by server: what a call to it may begin with
	byName  map[string]int
}

// Assign names the items of one kind (tools, or prompts), which stand in the
// order in which they are listed: of the servers as configured. Where two would
// be called the same, the first keeps the name and the other takes the hashed
// form. A name takes it too if it begins as a call to another server's items or
// to weir's own could: no server can step into another's place.
//
// The Table keeps servers and items; the caller leaves them as they are.
func Assign(r Rules, servers []Server, items []Item) *Table {
	t := &Table{
		Names:   make([]string, len(items)),
		rules:   r,
		servers: servers,
		items:   items,
		heads:   make([][]string, len(servers)),
		byName:  make(map[string]int, len(items)),
	}
	if len(items) == 0 {
		return t // nothing can be meant, whatever it begins with
	}
	for i, s := range servers {
		t.heads[i] = r.callHeads(s)
	}
	foreign := t.foreignHeads()
	for i, item := range items {
		name := Exposed(r, servers[item.Server], item.Original)
		if beginsWithAny(name, foreign[item.Server]) {
			name = Hashed(r, servers[item.Server], item.Original)
		}
		t.place(i, name)
	}
	return t
}

// place gives item i the name, or else the shortest hashed form that is free.
func (t *Table) place(i int, name string) {
	first, n := name, 0
	for {
		kept, taken := t.byName[name]
		if !taken {
			break
		}
		if n >= maxHashLength || t.same(kept, i) {
			return
		}
		n += hashLength
		name = t.rules.hashed(t.servers[t.items[i].Server], t.items[i].Original, n)
	}
	t.byName[name] = i
	t.Names[i] = name
	if n > 0 {
		t.Collisions = append(t.Collisions, Collision{Name: first, Kept: t.byName[first], Moved: i})
	}
}

// same reports whether two items are one, listed twice.
func (t *Table) same(i, k int) bool {
	a, b := t.items[i], t.items[k]
	return a.Original == b.Original && cmp.Or(a.Key, a.Original) == cmp.Or(b.Key, b.Original) && t.servers[a.Server].Name == t.servers[b.Server].Name
}

// A calling is one beginning by which a call reaches a server.
type calling struct {
	head   string
	server int
}

// foreignHeads returns, for each server, the beginnings that its names must not
// have: those by which a call reaches another server, as far as they go beyond
// what its own names begin with anyway.
func (t *Table) foreignHeads() [][]string {
	callings := t.callings()
	foreign := make([][]string, len(t.servers))
	for i, s := range t.servers {
		own := t.rules.head(s.Prefix)
		if len(Reserved) > len(own) && strings.HasPrefix(Reserved, own) {
			foreign[i] = append(foreign[i], Reserved)
		}
		first, _ := slices.BinarySearchFunc(callings, own, func(c calling, own string) int { return strings.Compare(c.head, own) })
		for _, c := range callings[first:] {
			if !strings.HasPrefix(c.head, own) {
				break // they are in order
			}
			if c.server != i && len(c.head) > len(own) {
				foreign[i] = append(foreign[i], c.head)
			}
		}
	}
	return foreign
}

// callings are those of all servers, in the order of their heads: what begins
// alike stands together, so that not each server has to look at each other one.
func (t *Table) callings() []calling {
	n := 0
	for _, heads := range t.heads {
		n += len(heads)
	}
	all := make([]calling, 0, n)
	for i, heads := range t.heads {
		for _, head := range heads {
			all = append(all, calling{head, i})
		}
	}
	slices.SortFunc(all, func(a, b calling) int { return strings.Compare(a.head, b.head) })
	return all
}

func beginsWithAny(name string, heads []string) bool {
	for _, head := range heads {
		if strings.HasPrefix(name, head) {
			return true
		}
	}
	return false
}

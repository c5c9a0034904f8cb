package namespace

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestForeignHeads compares what each server finds by looking at all in order with
// what it finds by looking at each other one.
func TestForeignHeads(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	name := func() string { return strings.Repeat("a", 1+random.IntN(3)) + strings.Repeat("_b", random.IntN(2)) }
	prefixes := []string{"", "a", "a_", "aa", "mcp_a", "weir", "w"}
	for range 500 {
		table := &Table{rules: Rules{Separator: []string{"", "_", "-"}[random.IntN(3)]}}
		for i := range 1 + random.IntN(6) {
			s := Server{Name: fmt.Sprint(name(), i), Prefix: prefixes[random.IntN(len(prefixes))]}
			if random.IntN(2) == 0 {
				s.Aliases = []string{name()}
			}
			table.servers = append(table.servers, s)
			table.heads = append(table.heads, table.rules.callHeads(s))
		}
		got := table.foreignHeads()
		for i, s := range table.servers {
			want := eachOther(table, i)
			slices.Sort(got[i])
			if diff := cmp.Diff(want, got[i]); diff != "" {
				t.Fatalf("server %+v among %+v: -want +got\n%s", s, table.servers, diff)
			}
		}
	}
}

func eachOther(t *Table, i int) (foreign []string) {
	own := t.rules.head(t.servers[i].Prefix)
	for k, heads := range append(slices.Clone(t.heads), []string{Reserved}) {
		for _, head := range heads {
			if k != i && len(head) > len(own) && strings.HasPrefix(head, own) {
				foreign = append(foreign, head)
			}
		}
	}
	slices.Sort(foreign)
	return foreign
}

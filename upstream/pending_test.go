package upstream

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// What is pending is the same as a map would hold, however long calls stay.
func TestPending(t *testing.T) {
	tests := []struct {
		name string
		stay int // so many calls are pending
	}{{"one at a time", 1}, {"few", 100}, {"a ring full", ringSize}, {"many", 4 * ringSize}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var p pending
			want := make(map[uint64]*Call)
			var ids []uint64
			for id := uint64(1); id < 20*ringSize; id++ {
				call := new(Call)
				p.add(id, call)
				want[id], ids = call, append(ids, id)
				if len(ids) < tt.stay {
					continue
				}
				i := random.IntN(len(ids))
				ended := ids[i]
				ids[i] = ids[len(ids)-1]
				ids = ids[:len(ids)-1]
				if p.at(ended) != want[ended] || !p.remove(ended) || p.at(ended) != nil || p.remove(ended) {
					t.Fatalf("call %d: not found, or found after it was removed", ended)
				}
				delete(want, ended)
			}
			if got := maps.Collect(p.all()); !maps.Equal(got, want) || p.len() != len(want) {
				t.Errorf("pending: got %d calls, said to be %d, want %d", len(got), p.len(), len(want))
			}
			for id := range p.all() {
				p.remove(id)
			}
			if p.len() != 0 || p.at(1) != nil {
				t.Errorf("after all are removed: got %d", p.len())
			}
		})
	}
}

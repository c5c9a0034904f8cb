package jsonrpc

import (
	"maps"
	"math/rand/v2"
	"testing"
)

type request struct{ id uint64 }

// What is pending is the same as a map would hold, however long calls stay.
func TestPending(t *testing.T) {
	tests := []struct {
		name string
		stay int // so many are pending
	}{{"one at a time", 1}, {"few", 100}, {"a ring full", ringSize}, {"many", 4 * ringSize}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var p Pending[request]
			want := make(map[uint64]*request)
			var ids []uint64
			for id := uint64(1); id < 20*ringSize; id++ {
				added := &request{id}
				p.Add(id, added)
				want[id], ids = added, append(ids, id)
				if len(ids) < tt.stay {
					continue
				}
				i := random.IntN(len(ids))
				ended := ids[i]
				ids[i] = ids[len(ids)-1]
				ids = ids[:len(ids)-1]
				if p.At(ended) != want[ended] || !p.Remove(ended) || p.At(ended) != nil || p.Remove(ended) {
					t.Fatalf("request %d: not found, or found after it was removed", ended)
				}
				delete(want, ended)
			}
			if got := maps.Collect(p.All()); !maps.Equal(got, want) || p.Len() != len(want) {
				t.Errorf("pending: got %d requests, said to be %d, want %d", len(got), p.Len(), len(want))
			}
			for id := range p.All() {
				p.Remove(id)
			}
			if p.Len() != 0 || p.At(1) != nil {
				t.Errorf("after all are removed: got %d", p.Len())
			}
		})
	}
}

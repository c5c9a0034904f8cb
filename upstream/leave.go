package upstream

import (
	"maps"
	"slices"
)

// Leave makes no more connections: the one that there is goes on until
// [Set.Remove], or its own end. What the server was to tell by itself is given
// up.
func (u *Upstream) Leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.leaving = true
	for _, s := range slices.Collect(maps.Values(u.kept.resources)) {
		u.drop(s)
	}
	clear(u.kept.tasks)
	u.refilter()
}

package aggregator

import (
	"fmt"
	"slices"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/hygiene"
)

// maxToldCleaned is how many items that were cleaned the log names.
const maxToldCleaned = 20

// unclean are the items in which there is something that hosts are not to be
// shown, by kind and name.
func unclean(l *catalog.Lists) (items []string) {
	for k := range catalog.Kind(catalog.Kinds) {
		for _, item := range l.Of(k).Items {
			if item.Unclean() {
				items = append(items, fmt.Sprintf("%s %s", k, clip(hygiene.Text(item.Name()))))
			}
		}
	}
	if hygiene.Text(l.Instructions) != l.Instructions {
		items = append(items, "instructions")
	}
	return items
}

// tellCleaned logs once that a server hides something, and again when it is in
// other items. s.mu is not held.
func (s *server) tellCleaned(l *catalog.Lists) {
	if s.AsSent {
		return
	}
	items := unclean(l)
	s.mu.Lock()
	known := slices.Equal(s.told, items)
	s.told = items
	s.mu.Unlock()
	if known || len(items) == 0 {
		return
	}
	s.a.log.Warn().Str("upstream", s.Name).Int("count", len(items)).
		Strs("items", items[:min(len(items), maxToldCleaned)]).
		Msg("hidden characters or unsafe icons are left out of what the server lists")
}

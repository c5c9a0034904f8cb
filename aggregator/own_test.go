package aggregator

import (
	"strings"
)

// ownDefinitions are weir's own tools as they stand in a list.
func ownDefinitions(names ...string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(ownToolOf(name).definition())
	}
	return strings.Join(texts, ",")
}

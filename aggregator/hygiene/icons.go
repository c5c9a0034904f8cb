package hygiene

import (
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// safe are the beginnings of addresses of icons that a host may follow.
var safe = []string{"https://", "http://", "data:image/"}

// icons leaves out the icons of a list whose address is not one of those; one
// without any address does no harm.
func (w *walker) icons() {
	kept := false
	end := 0 // of the icon before
	w.elements(func() {
		start := w.at
		switch {
		case w.isSafeIcon():
			kept = true
		case kept:
			w.edits = append(w.edits, jsonrpc.Edit{At: w.raw[end:w.at]}) // with the comma before
		default:
			w.edits = append(w.edits, jsonrpc.Edit{At: w.raw[start:w.behindComma()]})
		}
		end = w.at
	})
}

// behindComma is behind the comma after the value that ends here; where that is
// the last one, behind the space.
func (w *walker) behindComma() int {
	w.space()
	if w.raw[w.at] == ',' {
		return w.at + 1
	}
	return w.at
}

// isSafeIcon goes behind an icon. All its addresses count, however their member
// is written: readers differ on which one they take.
func (w *walker) isSafeIcon() bool {
	if w.raw[w.at] == '"' {
		return isSafeAddress(w.quoted())
	}
	harmless := true
	w.members(func(key []byte) {
		start := w.at
		w.skip()
		if folds(key, "src") && !isSafeAddress(w.raw[start:w.at]) {
			harmless = false
		}
	})
	return harmless
}

func isSafeAddress(raw []byte) bool {
	address, err := jsonrpc.String(raw)
	if err != nil {
		return false
	}
	for _, head := range safe {
		if len(address) >= len(head) && strings.EqualFold(address[:len(head)], head) {
			return true
		}
	}
	return false
}

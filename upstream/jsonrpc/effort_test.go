package jsonrpc

import (
	"strings"
	"testing"
)

func TestFair(t *testing.T) {
	within := func(levels, size int) string {
		return strings.Repeat(`{"\"a[":[`, levels/2) + `"` + strings.Repeat("x", size) + `"` + strings.Repeat("]}", levels/2)
	}
	for _, tt := range []struct {
		name string
		text string
		want bool
	}{
		{"scalar", `"]}"`, true},
		{"deep and small", within(1000, 10_000), true},
		{"large and flat", within(6, 20<<20), true},
		{"large and deep", within(64, 20<<20), false},
		{"many small ones", "[" + strings.Repeat(within(64, 100)+",", 1_000) + "1]", true},
	} {
		if got := Fair([]byte(tt.text)); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestEndOfString(t *testing.T) {
	for text, want := range map[string]int{`""`: 2, `"a"b`: 3, `"\""x`: 4, `"\\"x"`: 4, `"a`: 2} {
		if got := EndOfString([]byte(text), 0); got != want {
			t.Errorf("EndOfString(%s) = %d, want %d", text, got, want)
		}
	}
}

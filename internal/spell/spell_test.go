package spell

import "testing"

func TestNearest(t *testing.T) {
	commands := []string{"call", "completion", "demo", "demo-server", "serve", "servers", "tools", "version"}
	tests := []struct{ word, want string }{
		{"tool", "tools"},
		{"tols", "tools"},
		{"otols", "tools"},
		{"sevre", "serve"},
		{"demo-serv", "demo-server"},
		{"vers", "version"},
		{"cal", "call"},
		{"xyzzy", ""},
		{"", ""},
		{"q", ""},
	}
	for _, tt := range tests {
		if got := Nearest(tt.word, commands); got != tt.want {
			t.Errorf("Nearest(%q): got %q, want %q", tt.word, got, tt.want)
		}
	}
}

func TestEdits(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "abd", 1},
		{"abc", "acb", 1},
		{"abc", "xabc", 1},
		{"kitten", "sitting", 3},
	}
	for _, tt := range tests {
		if got := edits(tt.a, tt.b); got != tt.want {
			t.Errorf("edits(%q, %q): got %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

package telemetry

import "testing"

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestParse(t *testing.T) {
	for text, want := range map[string]bool{
		parent:                  true,
		parent[:53] + "00":      true,
		parent[:53] + "ff":      true,
		"01" + parent[2:]:       true,
		"cc" + parent[2:] + "-": true,
		"cc" + parent[2:] + "-what the future brings": true,

		"":                      false,
		parent[1:]:              false,
		parent[:54]:             false,
		parent + "-":            false,
		parent + "x":            false,
		"01" + parent[2:] + "x": false,
		"ff" + parent[2:]:       false,
		"0x" + parent[2:]:       false,
		" " + parent:            false,
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01": false,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01": false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01": false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g": false,
		"00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01": false,
	} {
		if c, ok := Parse(text); ok != want || ok == c.IsZero() {
			t.Errorf("%q: got %v, %v, want %v", text, c, ok, want)
		}
	}
}

func TestAppend(t *testing.T) {
	c, _ := Parse(parent)
	if got := string(c.Append(nil)); got != parent || !c.Sampled() {
		t.Errorf("got %q, want what was parsed", got)
	}
	later, _ := Parse("cc" + parent[2:53] + "fe-more")
	if got, want := string(later.Append(nil)), parent[:53]+"00"; got != want {
		t.Errorf("got %q, want %q: nothing is known of other versions", got, want)
	}
	child := c.Child()
	if child.Trace != c.Trace || child.Span == c.Span || !child.Sampled() {
		t.Errorf("got %v below %v", child, c)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(parent)
	f.Fuzz(func(t *testing.T, text string) {
		if c, ok := Parse(text); ok {
			if again, ok := Parse(string(c.Append(nil))); !ok || again.Trace != c.Trace || again.Span != c.Span || again.Sampled() != c.Sampled() {
				t.Errorf("%q became %v, and that %v", text, c, again)
			}
		}
	})
}

package namespace

import (
	"testing"
)

var labelled = []Server{{Name: "git"}, {Name: "my_files"}, {Name: "my-files"}, {Name: "7z"}, {Name: "s7z"}}

func TestRewrite(t *testing.T) {
	l := NewLabels(labelled)
	for _, tt := range []struct {
		server int
		uri    string
		want   string // "" = cannot be rewritten
	}{
		{0, "file:///a", "git+file:///a"},
		{1, "file:///{+path}", "my-files+file:///{+path}"},
		{2, "file:///a", ""}, // its label is another's
		{3, "file:///a", "s7z+file:///a"},
		{4, "file:///a", ""},
		{0, "ui://app/x.html", "ui://git.app/x.html"},
		{0, "ui:///x", "ui://git./x"},
		{0, "ui:x", "git+ui:x"},
		{0, "https://example.com/", ""},
		{0, "HTTP://example.com/", ""},
		{0, "http+unix://x", "git+http+unix://x"},
		{0, "", "git+"},
		{0, "git+file:///a", "git+git+file:///a"},
	} {
		got, ok := l.Rewrite(tt.server, tt.uri)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("Rewrite(%d, %q) = %q, %t, want %q", tt.server, tt.uri, got, ok, tt.want)
		}
	}
}

func TestOriginal(t *testing.T) {
	l := NewLabels(labelled)
	for _, tt := range []struct {
		exposed string
		server  int // -1: none
		want    string
	}{
		{"git+file:///a", 0, "file:///a"},
		{"ui://my-files.app/x", 1, "ui://app/x"},
		{"s7z+db://x", 3, "db://x"},
		{"git+ssh://host", 0, "ssh://host"},
		{"file:///a", -1, ""},
		{"svn+ssh://host", -1, ""},
		{"my_files+file:///a", -1, ""},
		{"ui://app/x", -1, ""},
		{"ui://svn.app/x", -1, ""},
		{"git+ui://app/x", -1, ""},          // Rewrite makes another one
		{"git+https://example.com", -1, ""}, // Rewrite makes none
		{"", -1, ""},
	} {
		server, got, ok := l.Original(tt.exposed)
		if ok != (tt.server >= 0) || ok && (server != tt.server || got != tt.want) {
			t.Errorf("Original(%q) = %d, %q, %t, want %d, %q", tt.exposed, server, got, ok, tt.server, tt.want)
		}
	}
}

// FuzzLabels: there and back again, from either side.
func FuzzLabels(f *testing.F) {
	for _, uri := range []string{"file:///a", "ui://x/y", "ui://git.x/y", "https://x", "git+my-files+a:b", "s7z+", "+", "."} {
		f.Add(uri, "other_name", uint8(1))
	}
	f.Fuzz(func(t *testing.T, uri, name string, server uint8) {
		servers := append([]Server{{Name: name}}, labelled...)
		l := NewLabels(servers)
		i := int(server) % len(servers)
		if exposed, ok := l.Rewrite(i, uri); ok {
			back, original, found := l.Original(exposed)
			if !found || back != i || original != uri {
				t.Errorf("%q of %d became %q, and that is %q of %d, %t", uri, i, exposed, original, back, found)
			}
		}
		if back, original, ok := l.Original(uri); ok {
			if exposed, again := l.Rewrite(back, original); !again || exposed != uri {
				t.Errorf("%q is %q of %d, and that becomes %q, %t", uri, original, back, exposed, again)
			}
		}
	})
}

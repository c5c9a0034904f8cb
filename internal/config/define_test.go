package config

import (
	"strings"
	"testing"
)

// made is the entry that a definition becomes in a file.
func made(t *testing.T, d Definition) string {
	t.Helper()
	text, err := Edit(nil, DefineServer{Name: "x", Definition: d})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDefinitionIsPutTogether(t *testing.T) {
	d := NewDefinition("npx", "-y").
		WithText("1", "env", "A.B").WithText("${C}", "env", "C").WithList([]string{"a_*"}, "tools", "exclude").WithText("2", "env", "A.B")
	d, err := d.WithYAML("{rate: 10/m, max_tokens: 5}", "sampling")
	if err != nil {
		t.Fatal(err)
	}
	base := d
	if d, err = d.WithYAML("4", "max_concurrent"); err != nil {
		t.Fatal(err)
	}
	const want = `servers:
  x:
    command: npx
    args: ["-y"]
    env:
      A.B: "2"
      C: "${C}"
    tools:
      exclude: ["a_*"]
    sampling:
      rate: 10/m
      max_tokens: 5
`
	if got := made(t, base); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if got := made(t, d); got != want+"    max_concurrent: 4\n" {
		t.Errorf("got:\n%s", got)
	}
	for _, text := range []string{"", "{", "a: b: c", "null", "# nothing"} {
		if _, err := d.WithYAML(text, "pin"); err == nil {
			t.Errorf("%q: got no error", text)
		}
	}
}

func TestDefinitionIsChecked(t *testing.T) {
	remote := Definition{}.WithText("https://a.example/mcp", "url")
	for _, tt := range []struct {
		name string
		d    Definition
		want string // one line for each
	}{
		{"right", remote.WithText("5m", "timeout"), ""},
		{"a reference that nothing stands for", remote.WithText("bearer", "auth", "type").WithText("${NOT_SET_ANYWHERE}", "auth", "token"), ""},
		{"a URL that nobody knows", Definition{}.WithText("https://${NOT_SET_ANYWHERE}/mcp", "url"), ""},
		{"an argument that nobody knows", NewDefinition("x", "a", "${NOT_SET_ANYWHERE}"), ""},
		{"a variable with dots", NewDefinition("x").WithText("${NOT_SET_ANYWHERE}", "env", "a.b"), ""},
		{"no duration", remote.WithText("5", "timeout"), `timeout: "5" is not a duration (want a number with a unit, such as 500ms, 30s, 5m or 24h)`},
		{"two words", remote.WithText("soon", "start").WithText("1999", "protocol"), "start: unknown word \"soon\" (want lazy or eager)\n" +
			`protocol: unknown revision "1999" (want auto, 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25, 2026-07-28)`},
		{"unknown", remote.WithText("x", "auth", "type"), `auth.type: unknown type`},
		{"half", remote.WithText("bearer", "auth", "type"), `auth: "token" is missing`},
		{"not with a URL", remote.WithText("1", "env", "A"), `env: this key is for transport "stdio"`},
		{"nothing", Definition{}.WithText("d", "description"), `it needs a "command" or a "url"`},
		{"a key that is not there", remote.WithText("1", "tiemout"), `unknown key "tiemout" (did you mean "timeout"?)`},
		{"a glob", remote.WithList([]string{"[a"}, "tools", "include"), "tools.include: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, e := range tt.d.Check() {
				got = append(got, e.Error())
			}
			if text := strings.Join(got, "\n"); !strings.HasPrefix(text, tt.want) || tt.want == "" && text != "" {
				t.Errorf("got %q, want %q", text, tt.want)
			}
		})
	}
}

package customtools

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const texts = `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"},"n":{"type":"number"},"f":{"type":"boolean"},` +
	`"list":{"type":"array","items":{"type":"string"}},"o":{"type":"object"},"d":{"type":"integer","default":20}}}`

func TestVector(t *testing.T) {
	for _, tt := range []struct {
		name      string
		template  []string
		arguments string
		want      []string // nil is a refusal
		refused   string
	}{
		{"literal", []string{"log", "-n", "{{}}"}, `{}`, []string{"log", "-n", "{}"}, ""},
		{"alone", []string{"{a}"}, `{"a":"x y"}`, []string{"x y"}, ""},
		{"no shell", []string{"{a}"}, `{"a":"$(id); rm -rf / | \"'\n*"}`, []string{"$(id); rm -rf / | \"'\n*"}, ""},
		{"within", []string{"--x={a},{b}"}, `{"a":"1","b":"2"}`, []string{"--x=1,2"}, ""},
		{"value is no template", []string{"{a}"}, `{"a":"{b}${HOME}"}`, []string{"{b}${HOME}"}, ""},
		{"empty is an element", []string{"{a}"}, `{"a":""}`, []string{""}, ""},
		{"missing", []string{"x", "{a}", "y"}, `{}`, []string{"x", "y"}, ""},
		{"null is missing", []string{"{any}"}, `{"any":null}`, []string{}, ""},
		{"missing within", []string{"--x={a}"}, `{}`, []string{}, ""},
		{"default", []string{"{d}"}, `{}`, []string{"20"}, ""},
		{"numbers as written", []string{"{n}"}, `{"n":1.50e2}`, []string{"1.50e2"}, ""},
		{"large number", []string{"{n}"}, `{"n":9007199254740993}`, []string{"9007199254740993"}, ""},
		{"boolean", []string{"{f}"}, `{"f":true}`, []string{"true"}, ""},
		{"list", []string{"x", "{list...}", "y"}, `{"list":["1","2 3"]}`, []string{"x", "1", "2 3", "y"}, ""},
		{"empty list", []string{"{list...}"}, `{"list":[]}`, []string{}, ""},
		{"object", []string{"{o}"}, `{"o":{}}`, nil, `"o" must be a text, a number or a boolean here`},
		{"dash", []string{"{a}"}, `{"a":"-rf"}`, nil, `"a" must not begin with "-"`},
		{"only a dash", []string{"{a}"}, `{"a":"-"}`, nil, `"a" must not begin with "-"`},
		{"negative number", []string{"{n}"}, `{"n":-1}`, nil, `"n" must not begin with "-"`},
		{"dash in a list", []string{"{list...}"}, `{"list":["a","--b"]}`, nil, `"list" must not begin with "-"`},
		{"dash behind nothing", []string{"{a}{b}"}, `{"a":"","b":"-x"}`, nil, `"b" must not begin with "-"`},
		{"dash by two", []string{"{a}{b}"}, `{"a":"-","b":"x"}`, nil, `"a" must not begin with "-"`},
		{"dash behind a text", []string{"x{a}"}, `{"a":"-x"}`, []string{"x-x"}, ""},
		{"dash of the user's", []string{"-{a}"}, `{"a":"-x"}`, []string{"--x"}, ""},
		{"dash allowed", []string{"{ok}"}, `{"ok":"-x"}`, []string{"-x"}, ""},
		{"NUL", []string{"x{a}"}, `{"a":"a\u0000b"}`, nil, `"a" must not hold a NUL character`},
		{"NUL in a list", []string{"{list...}"}, `{"list":["\u0000"]}`, nil, `"list" must not hold a NUL character`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := command(t, "", strings.Replace(texts, `"d":`, `"ok":{"type":"string"},"any":{},"d":`, 1), tt.template...).Command
			c.AllowDash = []string{"ok"}
			in := inputOf(t, strings.Replace(texts, `"d":`, `"ok":{"type":"string"},"any":{},"d":`, 1))
			args, err := in.check([]byte(tt.arguments))
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.vector(args)
			switch {
			case tt.want == nil:
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("got %q, %v, want refusal %q", got, err, tt.refused)
				}
			case err != nil || !slices.Equal(got, tt.want):
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// FuzzVector: no value changes how many elements there are, or what the others
// are, or begins one with a dash.
func FuzzVector(f *testing.F) {
	for _, seed := range []string{"", "a", "-a", "a b", "a\x00b", "$(a)", "{b}", "\n", `"`, "é"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		c := command(t, "", texts, "first", "{a}", "--x={a}{b}", "{b}{a}", "last").Command
		raw := appendObject(map[string]string{"a": a, "b": b})
		args, err := inputOf(t, texts).check(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		got, err := c.vector(args)
		if err != nil {
			if !strings.ContainsAny(a+b, "-\x00") {
				t.Errorf("refused: %v", err)
			}
			return
		}
		a, b = strings.ToValidUTF8(a, "\uFFFD"), strings.ToValidUTF8(b, "\uFFFD")
		if len(got) != 5 || got[0] != "first" || got[4] != "last" || !strings.HasPrefix(got[2], "--x=") {
			t.Errorf("got %q", got)
		}
		if strings.HasPrefix(got[1], "-") || strings.HasPrefix(got[3], "-") || strings.Contains(strings.Join(got, ""), "\x00") {
			t.Errorf("got %q", got)
		}
		if got[1] != a && !strings.Contains(got[1], "\uFFFD") {
			t.Errorf("got %q, want %q (%q)", got[1], a, b)
		}
	})
}

func TestRun(t *testing.T) {
	c := dial(t, command(t, "args", texts, "-n", "{d}", "--", "{a}"))
	got := c.call(`{"a":"x\ny"}`)
	if want := "\"-n\"\n\"20\"\n\"--\"\n\"x\\ny\"\n"; got.IsError || got.text() != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}

func TestStdin(t *testing.T) {
	tool := command(t, "cat", texts)
	tool.Command.Stdin = templateOf(t, "<{a}>")
	c := dial(t, tool)
	long := strings.Repeat("x", 1<<19)
	if got := c.call(`{"a":"` + long + `"}`); got.text() != "<"+long+">" {
		t.Errorf("got %.80q", got.text())
	}
	if got := c.call(`{}`); got.text() != "" || got.IsError {
		t.Errorf("without the argument: got %+v", got)
	}
	// A program that does not read is not waited for.
	tool = command(t, "args", texts, "x")
	tool.Command.Stdin = templateOf(t, "{a}")
	if got := dial(t, tool).call(`{"a":"` + long + `"}`); got.IsError {
		t.Errorf("unread: got %+v", got)
	}
}

func TestFailures(t *testing.T) {
	got := dial(t, command(t, "fail", texts)).call(`{}`)
	if want := "some output\nThe command ended with exit status 3, and said:\nit is broken"; !got.IsError || got.text() != want || got.Meta.Error.Kind != "" {
		t.Errorf("exit status: got %+v, want %q", got, want)
	}

	tool := command(t, "args", texts)
	tool.Command.Program = "/no/such/program"
	c := dial(t, tool)
	got = c.call(`{}`)
	if !got.IsError || got.Meta.Error.Kind != "configuration" || strings.Contains(got.text(), "/no/such") {
		t.Errorf("no program: got %+v", got)
	}
	if said := <-c.said; !strings.Contains(said, "/no/such/program") {
		t.Errorf("no program: the log has %q", said)
	}

	got = dial(t, command(t, "args", texts)).call(`{"a":1,"x":2}`)
	want := "Tool \"run\" was not run: the arguments do not fit the tool's input schema:\n- \"a\" must be a string, not an integer\n" +
		"- \"x\" is not known (known: a, b, n, f, list, o, d)"
	if !got.IsError || got.Meta.Error.Kind != "validation" || got.text() != want {
		t.Errorf("arguments: got %+v, want %q", got, want)
	}
}

func TestOutputIsBounded(t *testing.T) {
	got := dial(t, command(t, "flood", texts)).call(`{}`)
	text, rest, found := strings.Cut(got.text(), "\n")
	if len(text) != maxOutput || rest != "[weir: 1048576 more bytes of output are left out]" || !found || got.IsError {
		t.Errorf("got %d bytes and %q", len(text), rest)
	}
}

func TestTimeout(t *testing.T) {
	tool := command(t, "sleep", texts)
	tool.Timeout = 50 * time.Millisecond
	got := dial(t, tool).call(`{}`)
	if !got.IsError || got.Meta.Error.Kind != "timeout" || !got.Meta.Error.MaybeExecuted || got.text() != `Tool "run" took longer than 50ms and was ended.` {
		t.Errorf("got %+v", got)
	}
}

func TestSecretsOfTheEnvironment(t *testing.T) {
	tool := command(t, "env", texts, "TOKEN")
	tool.Command.Env["TOKEN"] = "hush"
	if got := dial(t, tool).call(`{}`); got.text() != "hush\n" {
		t.Errorf("got %+v", got)
	}
}

package customtools

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func appendObject(values map[string]string) []byte {
	var members []jsonrpc.Member
	for key, value := range values {
		members = append(members, jsonrpc.NewMember(key, jsonrpc.AppendString(nil, value)))
	}
	return jsonrpc.AppendObject(nil, members)
}

func address(t testing.TB, text string) *Address {
	t.Helper()
	a, err := ParseAddress(text, nil)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a
}

func TestAddress(t *testing.T) {
	for _, tt := range []struct{ template, arguments, want, refused string }{
		{"https://h/status", `{}`, "https://h/status", ""},
		{"https://h", `{}`, "https://h/", ""},
		{"HTTPS://h:8443/", `{}`, "https://h:8443/", ""},
		{"https://h/{a}/x", `{"a":"prod"}`, "https://h/prod/x", ""},
		{"https://h/v{n}.{b}", `{"n":1,"b":"2"}`, "https://h/v1.2", ""},
		{"https://h/{a}", `{"a":"feature/x?y#z%2f;&=+ é"}`, "https://h/feature%2Fx%3Fy%23z%252f%3B&=+%20%C3%A9", ""},
		{"https://h/{a}", `{"a":"..."}`, "https://h/...", ""},
		{"https://h/{a}", `{"a":".."}`, "", `must not hold the step ".."`},
		{"https://h/{a}", `{"a":"../admin"}`, "", `must not hold the step ".."`},
		{"https://h/{a}", `{"a":"x\\..\\y"}`, "", `must not hold the step ".."`},
		{"https://h/{a}", `{"a":"./x"}`, "", `must not hold the step "."`},
		{"https://h/{a}", `{"a":"."}`, "", `must not make a part of the address empty`},
		{"https://h/{a}{b}", `{"a":".","b":"."}`, "", `must not make a part of the address empty`},
		{"https://h/.{a}", `{"a":"."}`, "", `must not make a part of the address empty`},
		{"https://h/{a}/delete", `{"a":""}`, "", `must not make a part of the address empty`},
		{"https://h/{a}", `{}`, "", `"a" is missing`},
		{"https://h/{a}", `{"a":"\u0000"}`, "", `must not hold a NUL`},
		{"https://h/?q={a}&n={n}", `{"a":"x&n=2#z ü","n":1}`, "https://h/?q=x%26n%3D2%23z+%C3%BC&n=1", ""},
		{"https://h/?q={a}&n={n}", `{"n":1}`, "https://h/?n=1", ""},
		{"https://h?q={a}", `{"a":"x"}`, "https://h/?q=x", ""},
		{"https://h/x?all&q={a}-{b}", `{"a":"x","b":"y"}`, "https://h/x?all&q=x-y", ""},
		{"https://h/x?q={d}", `{}`, "https://h/x?q=20", ""},
		{"https://h/x?q={list}", `{"list":["a"]}`, "", `must be a text, a number or a boolean`},
	} {
		args, err := inputOf(t, texts).check([]byte(tt.arguments))
		if err != nil {
			t.Fatal(err)
		}
		got, err := address(t, tt.template).fill(args)
		switch {
		case tt.refused != "":
			if err == nil || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%s with %s: got %q, %v, want refusal %q", tt.template, tt.arguments, got, err, tt.refused)
			}
		case err != nil || got != tt.want:
			t.Errorf("%s with %s: got %q, %v, want %q", tt.template, tt.arguments, got, err, tt.want)
		}
	}
}

func TestBadAddresses(t *testing.T) {
	for text, want := range map[string]error{
		"{a}":                     errWhere,
		"{a}://h/":                errWhere,
		"https://{a}/":            errWhere,
		"https://h.{a}/":          errWhere,
		"https://h:{a}/":          errWhere,
		"https://h{a}":            errWhere,
		"https://{a}@h/":          errWhere,
		"https://h\\{a}/x":        errWhere,
		"http{a}://h/":            errScheme,
		"ftp://h/{a}":             errScheme,
		"h/{a}":                   errScheme,
		"https://u:p@h/{a}":       errUser,
		"https://h/{a}#x":         errFragment,
		"https://h/?{a}=1":        errKey,
		"https://h/?{a}":          errKey,
		"https:///{a}":            errAddress,
		"https://h/%zz/{a}":       errAddress,
		"https://h/?x=%zz&a={a}":  errAddress,
		"https://h/{a":            errName,
		"https://h/a}":            errBrace,
		"https://h/{a b}":         errName,
		"https://h/x?y=1;z=2&a=%": errAddress,
	} {
		if a, err := ParseAddress(text, nil); err != want { //nolint:errorlint // it is not wrapped
			t.Errorf("ParseAddress(%q): %+v, %v, want %v", text, a, err, want)
		}
	}
}

// FuzzAddress: no value changes who is asked, how deep the path is or which names
// the query has.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"", "a", "..", "/", "../..", "a/../b", "?x=1", "#", "%2e%2e", "@h", "a\\b", "\n", "é", ".", "a&b=c", ";", "//x", "\x00"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		args, err := inputOf(t, texts).check(appendObject(map[string]string{"a": a, "b": b}))
		if err != nil {
			t.Fatal(err)
		}
		got, err := address(t, "https://h.example:1/v1/{a}/x-{b}/end?p={a}&q={b}").fill(args)
		if err != nil {
			return
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Fatalf("%q, %q: %v", a, b, err)
		}
		segments := strings.Split(u.EscapedPath(), "/")
		if u.Scheme != "https" || u.Host != "h.example:1" || u.User != nil || u.Fragment != "" || len(segments) != 5 ||
			segments[1] != "v1" || segments[4] != "end" || !strings.HasPrefix(segments[3], "x-") {
			t.Errorf("%q, %q: got %s", a, b, got)
		}
		// What a server makes of escaped slashes does not lead out of v1 either.
		cleaned := path.Clean(strings.ReplaceAll(u.Path, `\`, "/"))
		if !strings.HasPrefix(cleaned, "/v1/") || !strings.HasSuffix(cleaned, "/end") {
			t.Errorf("%q, %q: cleaned, %s becomes %s", a, b, got, cleaned)
		}
		q, err := url.ParseQuery(u.RawQuery)
		if err != nil || len(q) != 2 || len(q["p"]) != 1 || len(q["q"]) != 1 {
			t.Errorf("%q, %q: query %v (%v)", a, b, q, err)
		}
	})
}

func TestBody(t *testing.T) {
	for _, tt := range []struct{ template, arguments, want string }{
		{`{"x":"{a}","n":"{n}","l":"{list}"}`, `{"a":"\"}\u00e9","n":1.0,"list":["1"]}`, `{"x":"\"}\u00e9","n":1.0,"l":["1"]}`},
		{`{"x":"{a}!","y":[1,"{b}",null],"z":{"w":"{n}"}}`, `{"a":"q\"","n":2}`, `{"x":"q\"!","y":[1,null],"z":{"w":2}}`},
		{`{"x":"{a}","y":"{b}"}`, `{}`, `{}`},
		{`{"x":"{a}","y":"{b}"}`, `{"b":"1"}`, `{"y":"1"}`},
		{`{"x":"{a}-{b}"}`, `{"a":"1"}`, `{}`},
		{`"{o}"`, `{"o":{"k":[1]}}`, `{"k":[1]}`},
		{`{"x":"{{a}}"}`, `{"a":"1"}`, `{"x":"{a}"}`},
	} {
		body, err := ParseBody([]byte(tt.template), nil)
		if err != nil {
			t.Fatal(err)
		}
		args, err := inputOf(t, texts).check([]byte(tt.arguments))
		if err != nil {
			t.Fatal(err)
		}
		got, ok, err := body.append(nil, args)
		if err != nil || !ok || string(got) != tt.want {
			t.Errorf("%s with %s: got %s, %v, %v, want %s", tt.template, tt.arguments, got, ok, err, tt.want)
		}
	}
}

func asking(t testing.TB, method, url string, headers map[string]string, body string) Tool {
	t.Helper()
	q := &Request{Method: method, Address: address(t, url), Headers: headers}
	if body != "" {
		b, err := ParseBody([]byte(body), nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Body = b
	}
	return Tool{Name: "run", Description: "Asks.", Input: inputOf(t, texts), Request: q}
}

func TestRequest(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the other server was asked, with %q", r.Header.Get("X-Api-Key"))
	}))
	defer other.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/echo/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "%s %s %s %s %s", r.Method, r.URL.RequestURI(), r.Header.Get("X-Api-Key"), r.Header.Get("Content-Type"), body)
	})
	mux.HandleFunc("/fail", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, strings.Repeat("no ", 2000), http.StatusTeapot)
	})
	mux.HandleFunc("/home", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/echo/moved", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	mux.HandleFunc("/image", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		fmt.Fprint(w, "x")
	})
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, strings.Repeat("é", maxAnswer))
	})
	home := httptest.NewServer(mux)
	defer home.Close()

	secret := map[string]string{"X-Api-Key": "hush"}
	for _, tt := range []struct {
		name      string
		tool      Tool
		arguments string
		want      string
		kind      string
		isError   bool
	}{
		{"get", asking(t, "GET", home.URL+"/echo/{a}?q={b}", secret, ""), `{"a":"x/y","b":"&"}`, "GET /echo/x%2Fy?q=%26 hush  ", "", false},
		{"post", asking(t, "POST", home.URL+"/echo/", nil, `{"t":"{a}"}`), `{"a":"<x>"}`, `POST /echo/  application/json {"t":"<x>"}`, "", false},
		{"status", asking(t, "GET", home.URL+"/fail", nil, ""), `{}`, "The server answered HTTP 418 I'm a teapot:\n" + strings.TrimSpace(strings.Repeat("no ", 683)[:maxComplaint]), "", true},
		{"redirect at home", asking(t, "POST", home.URL+"/home", secret, `{"t":"{a}"}`), `{"a":"1"}`, `POST /echo/moved hush application/json {"t":"1"}`, "", false},
		{"redirect elsewhere", asking(t, "POST", home.URL+"/away", secret, `{"t":"{a}"}`), `{"a":"1"}`, "The server answered HTTP 307 Temporary Redirect:\na redirect, which weir follows only to the same scheme, host and port, and not without end", "", true},
		{"redirect without end", asking(t, "GET", home.URL+"/round", nil, ""), `{}`, "The server answered HTTP 302 Found:\na redirect, which weir follows only to the same scheme, host and port, and not without end", "", true},
		{"no text", asking(t, "GET", home.URL+"/image", nil, ""), `{}`, "The server answered HTTP 200:\nits content is \"image/png\", and weir passes text and JSON only", "", true},
		{"refused", asking(t, "GET", home.URL+"/echo/{a}", nil, ""), `{"a":".."}`, `Tool "run" was not run: argument "a" must not hold the step "..": it is part of the address`, "validation", true},
		{"nobody there", asking(t, "GET", "http://127.0.0.1:1/{a}", secret, ""), `{"a":"x"}`, "The request got no answer: dial tcp 127.0.0.1:1: connect: connection refused.", "connection", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := dial(t, tt.tool).call(tt.arguments)
			if got.text() != tt.want || got.IsError != tt.isError || got.Meta.Error.Kind != tt.kind {
				t.Errorf("got %+v\nwant %q", got, tt.want)
			}
		})
	}
	t.Run("long", func(t *testing.T) {
		text, rest, _ := strings.Cut(dial(t, asking(t, "GET", home.URL+"/long", nil, "")).call(`{}`).text(), "\n")
		if len(text) != maxAnswer || rest != "[weir: the answer is longer than 1048576 bytes, the rest is left out]" {
			t.Errorf("got %d bytes and %q", len(text), rest)
		}
	})
}

func TestResolver(t *testing.T) {
	read := Resolver(func(_ context.Context, text string) (string, error) {
		return strings.ReplaceAll(text, "${x}", "hush"), nil
	})
	values := map[string]string{"A": "${x}!"}
	got, err := read.all(t.Context(), values)
	if err != nil || got["A"] != "hush!" || values["A"] != "${x}!" {
		t.Errorf("got %v, %v, and %v is left", got, err, values)
	}
}

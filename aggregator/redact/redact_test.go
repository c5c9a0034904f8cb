package redact

import (
	"encoding/json"
	"strings"
	"testing"
)

func mustNew(t testing.TB, names ...string) *Redactor {
	t.Helper()
	r, err := New(names...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestJSON(t *testing.T) {
	github := "ghp_" + strings.Repeat("a1B2", 9)
	jwt := "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0." + "c2lnbmF0dXJl"
	for _, tt := range []struct{ raw, want string }{
		{`{"q":"hello","n":1e400,"a":[true,null]}`, `{"q":"hello","n":1e400,"a":[true,null]}`},
		{`{"password":"x"}`, `{"password":"[redacted:secret_keys]"}`},
		{`{ "api_key" : {"a":[1,"}"]} , "b":2}`, `{ "api_key" : "[redacted:secret_keys]" , "b":2}`},
		{`{"githubToken":12345,"X-Api-Key":"k"}`, `{"githubToken":"[redacted:secret_keys]","X-Api-Key":"[redacted:secret_keys]"}`},
		{`{"p\u0061ssword":"x"}`, `{"p\u0061ssword":"[redacted:secret_keys]"}`},
		{`{"password":null,"secret":"","token":true}`, `{"password":null,"secret":"","token":true}`},
		{`{"max_tokens":5,"tokenizer":"x","passwords_file":"y"}`, `{"max_tokens":5,"tokenizer":"x","passwords_file":"y"}`},
		{`{"a":["` + github + `"]}`, `{"a":["[redacted:github]"]}`},
		{`{"a":"\u0067hp_` + github[4:] + `"}`, `{"a":"[redacted:github]"}`},
		{`"curl -H 'Authorization: Bearer abcdefghijklmnop1234=='"`, `"curl -H 'Authorization: Bearer [redacted:bearer]'"`},
		{`"` + jwt + `"`, `"[redacted:jwt]"`},
		{`"a AKIAIOSFODNN7EXAMPLE b"`, `"a [redacted:aws] b"`},
		{`"xoxb-1234567890-abc"`, `"[redacted:slack]"`},
		{`"AIza` + strings.Repeat("aB3_x", 7) + `"`, `"[redacted:google]"`},
		{
			`"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nrest"`,
			`"[redacted:private_key]\nrest"`,
		},
		// What only looks like something.
		{`"b5a1c1b9-3c9e-4f57-9d7e-0a5e2f3c4d5e"`, `"b5a1c1b9-3c9e-4f57-9d7e-0a5e2f3c4d5e"`},
		{`"9fceb02d0ae598e95dc970b74767f19372d61af8"`, `"9fceb02d0ae598e95dc970b74767f19372d61af8"`},
		{`"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"`, `"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"`},
		{`"the bearer of this"`, `"the bearer of this"`},
	} {
		if got := string(mustNew(t, All).JSON(nil, []byte(tt.raw))); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.raw, got, tt.want)
		}
	}
}

func TestNew(t *testing.T) {
	if _, err := New("gihub"); err == nil || !strings.Contains(err.Error(), `unknown detector "gihub"`) {
		t.Errorf("got %v", err)
	}
	raw := `{"password":"AKIAIOSFODNN7EXAMPLE"}`
	if got := string(mustNew(t, "aws").JSON(nil, []byte(raw))); got != `{"password":"[redacted:aws]"}` {
		t.Errorf("got %s", got)
	}
	if got := string(mustNew(t).JSON(nil, []byte(raw))); got != raw {
		t.Errorf("got %s", got)
	}
}

// FuzzJSON: what was JSON stays JSON, and what is clean stays as it is.
func FuzzJSON(f *testing.F) {
	f.Add(`{"password":{"a":"\""},"b":["x",1]}`)
	f.Add(`{"token" : [ "a]" ] , "c":"Bearer 0123456789abcdefghij"}`)
	r := mustNew(f, All)
	f.Fuzz(func(t *testing.T, raw string) {
		if !json.Valid([]byte(raw)) {
			return
		}
		once := r.JSON(nil, []byte(raw))
		if !json.Valid(once) {
			t.Fatalf("%s became %s", raw, once)
		}
		if twice := r.JSON(nil, once); string(twice) != string(once) {
			t.Errorf("%s became %s, then %s", raw, once, twice)
		}
	})
}

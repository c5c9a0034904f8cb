package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	type parts struct {
		Kind                              Kind
		ID, Method, Params, Result, Error string
		Fields                            string // keys
	}
	for _, tt := range []struct {
		text string
		want parts
	}{
		{
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","_meta":{"a":1}}}`,
			parts{Kind: Request, ID: "1", Method: "tools/call", Params: `{"name":"x","_meta":{"a":1}}`, Fields: "name _meta"},
		},
		{
			` { "params" : [ 1 ] , "method" : "a\/b" , "id" : "x\"" , "jsonrpc" : "2.0" } `,
			parts{Kind: Request, ID: `"x\""`, Method: "a/b", Params: "[ 1 ]"},
		},
		{`{"jsonrpc":"2.0","method":"m"}`, parts{Kind: Notification, Method: "m"}},
		{`{"jsonrpc":"2.0","method":"m","params":{}}`, parts{Kind: Notification, Method: "m", Params: "{}"}},
		{`{"jsonrpc":"2.0","method":"m","params":null}`, parts{Kind: Notification, Method: "m", Params: "null"}},
		{`{"jsonrpc":"2.0","method":"","id":-7}`, parts{Kind: Request, ID: "-7"}},
		{`{"jsonrpc":"2.0","id":9007199254740993,"result":null}`, parts{Kind: Response, ID: "9007199254740993", Result: "null"}},
		{
			`{"result":{"a":1,"a":2},"jsonrpc":"2.0","id":""}`,
			parts{Kind: Response, ID: `""`, Result: `{"a":1,"a":2}`, Fields: "a a"},
		},
		{
			`{"jsonrpc":"2.0","\u0069d":2,"error":{"code":-32603,"message":"x"}}`,
			parts{Kind: Failure, ID: "2", Error: `{"code":-32603,"message":"x"}`, Fields: "code message"},
		},
		{`{"jsonrpc":"2.0","error":{}}`, parts{Kind: Failure, Error: "{}"}},
		{`{"jsonrpc":"2.0","id":1,"result":5,"x":1,"ID":2,"x":{}}`, parts{Kind: Response, ID: "1", Result: "5"}},
	} {
		var m Message
		if err := m.Parse([]byte(tt.text)); err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		var keys []string
		for _, f := range m.Fields {
			keys = append(keys, string(f.Key))
		}
		got := parts{m.Kind, string(m.ID), string(m.Method), string(m.Params), string(m.Result), string(m.Error), strings.Join(keys, " ")}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

// TestParseTrims: what is around a message is not part of it.
func TestIsPlain(t *testing.T) {
	var m Message
	for text, want := range map[string]bool{
		`{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1}}`:    true,
		`{"jsonrpc":"2.0","i\u0064":1,"result":1}`:                  true,
		`{"jsonrpc":"2.0","id":1,"error":{}}`:                       true,
		`{"jsonrpc":"2.0","id":1,"method":"m","ID":1}`:              false,
		`{"jsonrpc":"2.0","method":"m","x":1}`:                      false,
		`{"jsonrpc":"2.0","id":1,"method":"m","params":{},"":null}`: false,
	} {
		if err := m.Parse([]byte(text)); err != nil || m.IsPlain() != want {
			t.Errorf("%s: got %v, %v, want %v", text, m.IsPlain(), err, want)
		}
	}
}

func TestParseTrims(t *testing.T) {
	const message = `{"jsonrpc":"2.0", "method":"m" }`
	for _, text := range []string{message, " " + message, message + "\t", "\r\n\t " + message + " \t\r\n"} {
		var m Message
		if err := m.Parse([]byte(text)); err != nil || string(m.Raw) != message {
			t.Errorf("%q: got %q, %v, want %q", text, m.Raw, err, message)
		}
	}
}

func TestParseRefusesMessage(t *testing.T) {
	for _, tt := range []struct{ text, id, want string }{
		{`{}`, "", `want "jsonrpc":"2.0"`},
		{`1`, "", "want an object"},
		{`{"id":1,"method":"m"}`, "1", `want "jsonrpc":"2.0"`},
		{`{"jsonrpc":2.0,"id":1,"method":"m"}`, "1", `want "jsonrpc":"2.0"`},
		{`{"jsonrpc":"1.0","id":1,"method":"m"}`, "1", `want "jsonrpc":"2.0"`},
		{`{"JSONRPC":"2.0","id":1,"method":"m"}`, "1", `want "jsonrpc":"2.0"`},
		{`{"jsonrpc":"2.0","id":null,"method":"m"}`, "", "id must be"},
		{`{"jsonrpc":"2.0","id":null,"error":{}}`, "", "id must be"},
		{`{"jsonrpc":"2.0","id":1.5,"method":"m"}`, "", "id must be"},
		{`{"jsonrpc":"2.0","id":1e3,"method":"m"}`, "", "id must be"},
		{`{"jsonrpc":"2.0","id":true,"method":"m"}`, "", "id must be"},
		{`{"jsonrpc":"2.0","id":{},"method":"m"}`, "", "id must be"},
		{`{"jsonrpc":"2.0","id":1,"id":1,"method":"m"}`, "", `"id" stands twice`},
		{`{"jsonrpc":"2.0","id":1,"id":null,"method":"m"}`, "", `"id" stands twice`},
		{`{"jsonrpc":"2.0","id":1,"method":"m","\u006dethod":"n"}`, "1", `"method" stands twice`},
		{`{"jsonrpc":"2.0","id":1,"method":"m","params":{},"params":{}}`, "1", `"params" stands twice`},
		{`{"jsonrpc":"2.0","id":1,"method":5}`, "1", "method must be a string"},
		{`{"jsonrpc":"2.0","id":1,"method":null}`, "1", "method must be a string"},
		{`{"jsonrpc":"2.0","id":1}`, "1", "want a method"},
		{`{"jsonrpc":"2.0","result":1}`, "", "want a method"},
		{`{"jsonrpc":"2.0","id":1,"result":1,"error":{}}`, "1", "want a method"},
		{`{"jsonrpc":"2.0","id":1,"result":1,"error":null}`, "1", "want a method"},
		{`{"jsonrpc":"2.0","id":1,"method":"m","result":1}`, "1", "want a method"},
		{`{"jsonrpc":"2.0","id":1,"result":1,"params":{}}`, "1", "want a method"},
		{`{"jsonrpc":"2.0","id":1,"error":"x"}`, "1", "error must be an object"},
	} {
		m := Message{Kind: Request, ID: []byte("old"), Method: []byte("old")}
		invalid, ok := errors.AsType[*InvalidError](m.Parse([]byte(tt.text)))
		if !ok || !strings.Contains(invalid.Error(), tt.want) {
			t.Errorf("%s: got %v, want an InvalidError with %q", tt.text, invalid, tt.want)
		}
		if string(m.ID) != tt.id || m.Kind != Invalid || m.Method != nil {
			t.Errorf("%s: got id %q, kind %v, method %q, want id %q alone", tt.text, m.ID, m.Kind, m.Method, tt.id)
		}
	}
}

func TestParseBatchAndGarbage(t *testing.T) {
	var m Message
	if err := m.Parse([]byte(` [{"jsonrpc":"2.0","method":"m"}]`)); !errors.Is(err, ErrBatch) {
		t.Errorf("array: got %v, want ErrBatch", err)
	}
	for _, text := range []string{``, ` `, `[1`, `{"jsonrpc":"2.0","id":1,"method":"m"`, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\xff\"}"} {
		if _, ok := errors.AsType[*SyntaxError](m.Parse([]byte(text))); !ok {
			t.Errorf("%q: want a SyntaxError", text)
		}
	}
}

func TestParseReusesMemory(t *testing.T) {
	text := benchTexts()[0].data
	var m Message
	if err := m.Parse(text); err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(10, func() { _ = m.Parse(text) }); got != 0 {
		t.Errorf("allocations of a second Parse: got %v, want 0", got)
	}
}

func TestParseHoldsNothingBack(t *testing.T) {
	many := slices.Concat([]byte(`{"jsonrpc":"2.0","method":"m","params":{"":0`), bytes.Repeat([]byte(`,"":0`), 1000), []byte("}}"))
	few := []byte(`{"jsonrpc":"2.0","method":"m"}`)
	var m Message
	for _, text := range [][]byte{many, benchTexts()[0].data, few} {
		if err := m.Parse(text); err != nil {
			t.Fatal(err)
		}
	}
	if got := cap(m.Fields); got > 256 {
		t.Errorf("got memory for %d fields kept, want little", got)
	}
	for _, list := range [][]Member{m.Members, m.Fields} {
		for _, stale := range list[len(list):cap(list)] {
			if stale.Name != nil {
				t.Errorf("got %s of a message before, want it let go", stale.Name)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}`,
		`{"jsonrpc":"2.0","id":"a","result":{"content":[]}}`,
		`{"jsonrpc":"2.0","error":{"code":1},"\u0069d":-3}`,
		`{"jsonrpc":"2.0","method":"m","id":1.0,"id":null}`,
		`[{"jsonrpc":"2.0"}]`, `{"jsonrpc":"2.0","id":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var m Message
		err := m.Parse(data)
		if _, isSyntax := errors.AsType[*SyntaxError](err); isSyntax == oracle(data) {
			t.Fatalf("got %v, valid JSON: %v", err, oracle(data))
		}
		if want := kindOf(data); m.Kind != want || (err == nil) != (want != Invalid) {
			t.Fatalf("got kind %v, %v, want %v", m.Kind, err, want)
		}
	})
}

// kindOf classifies by a map, as the specification reads.
func kindOf(data []byte) Kind {
	var members map[string]json.RawMessage
	if !oracle(data) || json.Unmarshal(data, &members) != nil || members == nil {
		return Invalid
	}
	counts := map[string]int{}
	list, _ := ParseObject(nil, data)
	for _, m := range list {
		counts[string(m.Key)]++
	}
	has := map[string]bool{}
	for _, name := range []string{"jsonrpc", "id", "method", "params", "result", "error"} {
		if counts[name] > 1 {
			return Invalid
		}
		has[name] = counts[name] == 1
	}
	isString := func(name string) bool { return members[name][0] == '"' }
	if !has["jsonrpc"] || string(members["jsonrpc"]) != `"2.0"` {
		return Invalid
	}
	if has["id"] && !isString("id") && strings.Trim(string(members["id"]), "-0123456789") != "" {
		return Invalid
	}
	switch {
	case has["method"] && (has["result"] || has["error"] || !isString("method")):
		return Invalid
	case has["method"] && has["id"]:
		return Request
	case has["method"]:
		return Notification
	case has["params"], has["result"] == has["error"]:
		return Invalid
	case has["result"] && has["id"]:
		return Response
	case has["error"] && members["error"][0] == '{':
		return Failure
	}
	return Invalid
}

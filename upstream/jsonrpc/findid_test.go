package jsonrpc

import (
	"errors"
	"strings"
	"testing"
)

func TestFindID(t *testing.T) {
	long := strings.Repeat("9", idLimit)
	for _, tt := range []struct{ name, text, want string }{
		{"first", `{"id":7,"result":`, "7"},
		{"last", `{"result":{"id":1,"x":["id",{"id":2}]},"id":"a\"b"}`, `"a\"b"`},
		{"negative", `{"id":-1,`, "-1"},
		{"spaces", "{ \"id\"\t:\r  7   , ", "7"},
		{"spaces in a string", `{"id":"a  b"}`, `"a  b"`},
		{"escaped key", `{"\u0069\u0064":7}`, "7"},
		{"quotes and brackets in strings", `{"a":"\"}],{\"id\":1,","b":{"c":"\\"},"id":5,`, "5"},
		{"name as a value", `{"a":"id","b":["id"],"id":5}`, "5"},
		{"text before", `it's {"id":5}`, "5"},
		{"text after", `{"id":5} and more`, "5"},
		{"not UTF-8", "{\"x\":\"\xff\",\"id\":5}", "5"},
		{"longest", `{"id":` + long + ` }`, long},

		{"none", `{"a":1}`, ""},
		{"nothing", ``, ""},
		{"null", `{"id":null}`, ""},
		{"fraction", `{"id":1.5}`, ""},
		{"object", `{"id":{"id":1}}`, ""},
		{"array", `{"id":[1]}`, ""},
		{"object, then more", `{"id":{}7}`, ""},
		{"twice", `{"id":1,"id":2}`, ""},
		{"twice, once no id", `{"id":{},"id":2}`, ""},
		{"twice, once cut", `{"id":1,"id":`, ""},
		{"in two objects", `{"id":1}{"id":1}`, ""},
		{"cut in the id", `{"id":12`, ""},
		{"cut in a string id", `{"id":"12`, ""},
		{"two tokens", `{"id":1 2}`, ""},
		{"string and more", `{"id":"a"b}`, ""},
		{"leading zero", `{"id":01}`, ""},
		{"bad escape", `{"id":"\x"}`, ""},
		{"too long", `{"id":9` + long + `}`, ""},
		{"too long by another token", `{"id":` + long + ` 9}`, ""},
		{"in an array", `[{"id":1}]`, ""},
		{"array with names", `["id":1,2]`, ""},
		{"in a string", `"{\"id\":1}"`, ""},
		{"other case", `{"ID":1}`, ""},
		{"closed too often", `}}"id":1`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(FindID([]byte(tt.text))); got != tt.want {
				t.Errorf("FindID(%.60s): got %s, want %s", tt.text, got, tt.want)
			}
			for size := range min(len(tt.text), 9) {
				if got := findInPieces(tt.text, size+1); got != tt.want {
					t.Errorf("in pieces of %d: got %s, want %s", size+1, got, tt.want)
				}
			}
		})
	}
}

func findInPieces(text string, size int) string {
	var f IDFinder
	for len(text) > 0 {
		n := min(size, len(text))
		f.Feed([]byte(text[:n]))
		text = text[n:]
	}
	return string(f.ID())
}

func TestIDFinderMemory(t *testing.T) {
	var f IDFinder
	piece := []byte(strings.Repeat("x", 1000))
	f.Feed([]byte(`{"id":"`))
	for range 1000 {
		f.Feed(piece)
	}
	f.Feed([]byte(`","a":`))
	for range 1000 {
		f.Feed(piece)
	}
	if got := cap(f.token) + cap(f.id); got > 8*idLimit {
		t.Errorf("got %d bytes held, want a few times the limit of %d", got, idLimit)
	}
}

// For a message that is valid, FindID and Parse name the same id.
func FuzzFindID(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"m","params":{"id":2}}`,
		`{"jsonrpc":"2.0","result":["\"id\":{"],"\u0069d" : "x y"}`,
		`{"jsonrpc":"2.0","error":{},"id":1,"id":2}`,
		`x{"id":}1{"`,
	} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		found := string(FindID(data))
		if pieces := findInPieces(string(data), int(size)+1); pieces != found {
			t.Fatalf("in pieces: got %s, want %s", pieces, found)
		}
		if found != "" && (!Valid([]byte(found)) || !validID([]byte(found)) || len(found) > idLimit) {
			t.Fatalf("got %s, which is no id", found)
		}
		var m Message
		err := m.Parse(data)
		if _, isSyntax := errors.AsType[*SyntaxError](err); isSyntax || errors.Is(err, ErrBatch) || len(m.ID) > idLimit {
			return
		}
		if found != string(m.ID) {
			t.Fatalf("got %s, want %s as Parse", found, m.ID)
		}
	})
}

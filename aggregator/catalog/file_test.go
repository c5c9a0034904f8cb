package catalog

import (
	"bytes"
	"errors"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A file that was damaged in any one place, or cut anywhere, is refused.
func TestDecodeFileFindsDamage(t *testing.T) {
	whole := encodeFile([]section{
		encodeSection(modern, listsOf(t, "search", "read")),
		encodeSection(legacy, listsOf(t, "search")),
	})
	if sections, err := decodeFile(whole); err != nil || len(sections) != 2 {
		t.Fatalf("got %d sections, %v, want 2", len(sections), err)
	}
	for i := range whole {
		for bit := range 8 {
			file := bytes.Clone(whole)
			file[i] ^= 1 << bit
			if _, err := decodeFile(file); !errors.Is(err, ErrDamaged) {
				t.Errorf("byte %d, bit %d: got %v, want %v", i, bit, err, ErrDamaged)
			}
		}
		if _, err := decodeFile(whole[:i]); !errors.Is(err, ErrDamaged) {
			t.Errorf("first %d bytes: got %v, want %v", i, err, ErrDamaged)
		}
	}
}

// What has the right checksum and yet says nonsense is refused as well.
func TestDecodeFileRefusesNonsense(t *testing.T) {
	whole := encodeFile([]section{encodeSection(modern, listsOf(t, "search"))})
	for name, change := range map[string][2]string{
		"no line":               {"\n", " "},
		"no JSON":               {`{"modern"`, `{{modern"`},
		"a member is missing":   {`"spokenVersion"`, `"spokenversion"`},
		"another type":          {`"known":true`, `"known":null`},
		"negative size":         {`"serverInfo":12`, `"serverInfo":-1`},
		"size beyond the end":   {`"size":`, `"size":9`},
		"a piece is longer":     {`"serverInfo":12`, `"serverInfo":13`},
		"a list is no object":   {`"tools":{`, `"tools":[],"x":{`},
		"more items than index": {`"count":1`, `"count":9`},
		"name is elsewhere":     {`{"name":"search"`, `{"name" :"search`},
		"name is no string":     {`"search"`, `12345678`},
	} {
		file := bytes.Clone(whole)
		at := firstLine + bytes.Index(file[firstLine:], []byte(change[0]))
		file = append(append(file[:at:at], change[1]...), whole[at+len(change[0]):]...)
		seal(file)
		sections, err := decodeFile(file)
		if err == nil {
			_, err = sections[0].lists()
		}
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %v, want %v", name, err, ErrDamaged)
		}
	}
}

// seal gives a file the checksum that it should have.
func seal(file []byte) {
	copy(file, magic)
	copy(file[len(magic):], checksum(file[firstLine:]))
	file[firstLine-1] = '\n'
}

// FuzzDecodeFile reads what somebody wrote who knows the checksum: it may be
// nonsense, and must not be more than that.
func FuzzDecodeFile(f *testing.F) {
	failed := &Lists{Failure: Failure{Kind: "timeout", Text: "slow", At: noon}}
	f.Add(encodeFile(nil))
	f.Add(encodeFile([]section{encodeSection(modern, listsOf(f, "search", "read"))}))
	f.Add(encodeFile([]section{encodeSection(legacy, listsOf(f, "a")), encodeSection(modern, failed)}))
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, err := decodeFile(file); err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("got %v, want it to be %v", err, ErrDamaged)
		}
		if len(file) < firstLine {
			return
		}
		seal(file)
		sections, err := decodeFile(file)
		if err != nil {
			return
		}
		for i := range sections {
			lists, err := sections[i].lists()
			if err != nil {
				continue
			}
			s := Merge(namespace.Rules{}, []Server{{Server: namespace.Server{Name: "x", Prefix: "x"}, Lists: lists}})
			if out := AppendList([]byte("{"), Tools, s.Routes(Tools), Shape{}); !jsonrpc.Valid(append(out, '}')) {
				t.Errorf("a host would read %q", out)
			}
			s.Hints(Tools, noon)
		}
		again, err := decodeFile(encodeFile(sections))
		if err != nil || len(again) != min(len(sections), maxVariants) {
			t.Fatalf("written again: got %d sections, %v, want %d", len(again), err, len(sections))
		}
		for i := range again {
			if !bytes.Equal(again[i].raw, sections[i].raw) {
				t.Errorf("written again: got section %q, want %q", again[i].raw, sections[i].raw)
			}
		}
	})
}

// FuzzFileRoundTrip writes whatever a server may say and reads it again.
func FuzzFileRoundTrip(f *testing.F) {
	f.Add("instructions", "scope", `{"name":"a","outputSchema":1}`, `{"tools":{}}`, int64(1000), true)
	f.Add("\x00\n\"", "", "\t{\n\"x\":[1e400],\"name\":\"\\ud83d\\n\"}\r\n", "null", int64(0), false)
	f.Fuzz(func(t *testing.T, instructions, scope, raw, capabilities string, ttl int64, hinted bool) {
		tool, err := ParseItem(Tools, []byte(raw))
		if err != nil || !utf8.ValidString(instructions) || !utf8.ValidString(scope) {
			return
		}
		want := &Lists{
			Instructions: instructions,
			Capabilities: append([]byte(nil), capabilities...),
			Tools: List{
				Items:   []Item{tool, tool},
				Fetched: noon,
				TTL:     time.Duration(max(0, ttl%1e9)) * time.Millisecond,
				Hinted:  hinted,
				Scope:   scope,
			},
			Prompts:   List{Items: []Item{tool}, Fetched: noon.Add(time.Hour)},
			Templates: List{Fetched: noon, Hinted: hinted},
		}
		sections, err := decodeFile(encodeFile([]section{encodeSection(modern, want)}))
		if err != nil {
			t.Fatal(err)
		}
		got, err := sections[0].lists()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, compareItems); diff != "" {
			t.Errorf("lists differ (-want +got):\n%s", diff)
		}
	})
}

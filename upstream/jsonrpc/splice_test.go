package jsonrpc

import (
	"bytes"
	"testing"
)

func TestSplice(t *testing.T) {
	raw := []byte(`{"jsonrpc":"2.0","id":7,"method":"m","params":{"name":"x","n":1.0}}`)
	var m Message
	if err := m.Parse(raw); err != nil {
		t.Fatal(err)
	}
	name := Find(m.Fields, "name")
	for _, tt := range []struct {
		name  string
		edits []Edit
		want  string
	}{
		{"nothing", nil, string(raw)},
		{
			"two values",
			[]Edit{{m.ID, []byte(`"abc"`)}, {name, []byte(`"yy"`)}},
			`{"jsonrpc":"2.0","id":"abc","method":"m","params":{"name":"yy","n":1.0}}`,
		},
		{"removal", []Edit{{m.ID, nil}}, `{"jsonrpc":"2.0","id":,"method":"m","params":{"name":"x","n":1.0}}`},
		{
			"insertion",
			[]Edit{{m.Params[1:1], []byte(`"a":0,`)}},
			`{"jsonrpc":"2.0","id":7,"method":"m","params":{"a":0,"name":"x","n":1.0}}`,
		},
		{
			"insertions at one place, in order",
			[]Edit{{m.Params[1:1], []byte("1")}, {m.Params[1:1], []byte("2")}},
			`{"jsonrpc":"2.0","id":7,"method":"m","params":{12"name":"x","n":1.0}}`,
		},
		{"everything", []Edit{{raw, []byte("0")}}, "0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Splice([]byte("> "), raw, tt.edits...); string(got) != "> "+tt.want {
				t.Errorf("got  %s\nwant > %s", got, tt.want)
			}
		})
	}
}

func TestSpliceWithinLargerMemory(t *testing.T) {
	memory := []byte(`###{"a":1}###`)
	raw := memory[3:10]
	members, err := ParseObject(nil, raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(Splice(nil, raw, Edit{members[0].Value, []byte("22")})); got != `{"a":22}` {
		t.Errorf("got %s, want the value replaced and nothing beyond raw", got)
	}
}

func TestCut(t *testing.T) {
	raw := []byte(`{"id":12,"x":0}`)
	before, after := Cut(raw, raw[6:8])
	if string(before) != `{"id":` || string(after) != `,"x":0}` {
		t.Errorf("got %s and %s", before, after)
	}
	if &before[0] != &raw[0] || &after[0] != &raw[8] {
		t.Error("the parts are copies")
	}
}

func TestSpliceAtForeignTextPanics(t *testing.T) {
	raw := []byte(`{"a":1,"b":2}`)
	short := raw[:5]
	for name, at := range map[string][]byte{
		"nil":                    nil,
		"an empty slice":         {},
		"a copy":                 bytes.Clone(raw[5:6]),
		"another text":           []byte(`{"a":1,"b":2}`)[5:6],
		"a part cut in capacity": raw[5:6:6],
		"an insertion point cut": raw[5:5:6],
	} {
		if !panics(func() { Splice(nil, raw, Edit{At: at, With: []byte("0")}) }) {
			t.Errorf("Splice at %s: want a panic", name)
		}
		if !panics(func() { Cut(raw, at) }) {
			t.Errorf("Cut at %s: want a panic", name)
		}
	}
	for name, f := range map[string]func(){
		"beyond the text": func() { Splice(nil, short, Edit{At: raw[4:7]}) },
		"before the text": func() { Cut(raw[5:], raw[1:2]) },
		"out of order":    func() { Splice(nil, raw, Edit{At: raw[7:8]}, Edit{At: raw[1:2]}) },
		"overlapping":     func() { Splice(nil, raw, Edit{At: raw[1:4]}, Edit{At: raw[3:5]}) },
	} {
		if !panics(f) {
			t.Errorf("%s: want a panic", name)
		}
	}
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

func TestAppendObject(t *testing.T) {
	members := []Member{
		{Name: []byte(`"left"`)},
		NewMember("a\"b", []byte("1")),
		{Name: []byte(`"\u0063"`), Value: []byte("[ 2 ]")},
		{Name: []byte(`"left"`)},
	}
	if got, want := string(AppendObject(nil, members)), `{"a\"b":1,"\u0063":[ 2 ]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := string(AppendObject([]byte("x"), nil)); got != "x{}" {
		t.Errorf("without members: got %s, want x{}", got)
	}
}

// FuzzSplice: each value that is to be replaced is, and no other byte is another.
// What is replaced and put back is as it was.
func FuzzSplice(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[2],"c":{"d":""}}`), uint8(2), []byte("xyz"))
	f.Add([]byte(`{"a":1,"b":[2],"c":{"d":""}}`), uint8(5), []byte("12"))
	f.Add([]byte(` { "a" : 1 } `), uint8(1), []byte{})
	f.Fuzz(func(t *testing.T, raw []byte, which uint8, with []byte) {
		members, err := ParseObject(nil, raw)
		if err != nil {
			return
		}
		var edits []Edit
		var kept [][]byte // the text before, between and after the edits
		rest := raw
		for i, m := range members {
			if i < 8 && which&(1<<i) != 0 {
				var before []byte
				before, rest = Cut(rest, m.Value)
				kept = append(kept, before)
				edits = append(edits, Edit{At: m.Value, With: with})
			}
		}
		kept = append(kept, rest)
		changed := Splice(nil, raw, edits...)
		if want := bytes.Join(kept, with); !bytes.Equal(changed, want) {
			t.Fatalf("got %q, want %q", changed, want)
		}
		if len(with) == 0 {
			return
		}
		at := 0
		for i := range edits {
			at += len(kept[i])
			edits[i] = Edit{At: changed[at : at+len(with)], With: edits[i].At}
			at += len(with)
		}
		if back := Splice(nil, changed, edits...); !bytes.Equal(back, raw) {
			t.Fatalf("put back: got %q, want %q", back, raw)
		}
	})
}

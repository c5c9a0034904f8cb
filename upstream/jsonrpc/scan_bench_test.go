package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// BenchmarkScan is the measurement behind the choice of scanner (see the
// package comment): validating a message and finding its members.
func BenchmarkScan(b *testing.B) {
	for _, text := range benchTexts() {
		b.Run(text.name+"/own", func(b *testing.B) {
			b.SetBytes(int64(len(text.data)))
			var m Message
			for b.Loop() {
				if err := m.Parse(text.data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(text.name+"/jsontext", func(b *testing.B) {
			b.SetBytes(int64(len(text.data)))
			d := jsontext.NewDecoder(bytes.NewReader(nil))
			r := bytes.NewReader(nil)
			for b.Loop() {
				r.Reset(text.data)
				d.Reset(r, jsontext.AllowDuplicateNames(true))
				if err := walkMembers(d); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(text.name+"/encoding-json", func(b *testing.B) {
			b.SetBytes(int64(len(text.data)))
			for b.Loop() {
				if !json.Valid(text.data) {
					b.Fatal("invalid")
				}
			}
		})
	}
}

// walkMembers reads the outermost object member by member, as a classifier on
// jsontext would.
func walkMembers(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() == '"' {
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		if _, err := d.ReadValue(); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("after the value: %w", err)
	}
	return nil
}

type benchText struct {
	name string
	data []byte
}

func benchTexts() []benchText {
	call := []byte(`{"jsonrpc":"2.0","id":41,"method":"tools/call","params":{"name":"gh__search","arguments":{"query":"weir","limit":20},"_meta":{"progressToken":"p7"}}}`)
	var tools strings.Builder
	tools.WriteString(`{"jsonrpc":"2.0","id":2,"result":{"tools":[`)
	for i := range 100 {
		if i > 0 {
			tools.WriteByte(',')
		}
		fmt.Fprintf(&tools, `{"name":"tool_%d","description":"Does the %dth thing, and says what it did.","inputSchema":{"type":"object","properties":{"path":{"type":"string","description":"Where"},"depth":{"type":"integer","minimum":0}},"required":["path"]}}`, i, i)
	}
	tools.WriteString(`]}}`)
	text := func(of, escaped string) benchText {
		head, tail := `{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"`, `"}]}}`
		return benchText{"10MB-" + of, []byte(head + strings.Repeat(escaped, 10<<20/len(escaped)) + tail)}
	}
	return []benchText{
		{"call", call},
		{"tools-100", []byte(tools.String())},
		text("code", `const x = \"<b>\" && 1;\n`),
		text("base64", "iVBORw0KGgoAAAANSUhEUgAA"),
		text("japanese", "水は堰を越えて流れる。"),
		text("russian", "Вода идёт через край, "),
	}
}

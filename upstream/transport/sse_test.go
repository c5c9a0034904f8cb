package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// seen is an event as tests compare it. Data is the id if it is too long.
type seen struct {
	Data, Name, ID string
	TooLong        bool
}

func readEvents(t *testing.T, src io.Reader, limit int) (events []seen, r *eventReader) {
	t.Helper()
	r = newEventReader(src, limit, func() {})
	for {
		ev, err := r.next()
		if errors.Is(err, io.EOF) {
			return events, r
		}
		if err != nil {
			t.Fatalf("reading events: %v", err)
		}
		got := seen{string(ev.data), ev.name, r.lastID, ev.over != nil}
		if got.TooLong {
			got.Data = string(ev.over.ID())
		}
		events = append(events, got)
	}
}

func TestEvents(t *testing.T) {
	tests := []struct {
		name, stream string
		want         []seen
	}{
		{"one", "data: a\n\n", []seen{{Data: "a"}}},
		{"no space after the colon", "data:a\n\n", []seen{{Data: "a"}}},
		{"one space only is taken", "data:  a\n\n", []seen{{Data: " a"}}},
		{"crlf", "event: message\r\ndata: a\r\n\r\ndata: b\r\n\r\n", []seen{{Data: "a", Name: "message"}, {Data: "b"}}},
		{"cr", "data: a\rdata: b\r\rdata: c\r\r", []seen{{Data: "a\nb"}, {Data: "c"}}},
		{"mixed line ends", "data: a\r\ndata: b\rdata: c\n\r\n", []seen{{Data: "a\nb\nc"}}},
		{"several lines join", "data: {\ndata: }\n\n", []seen{{Data: "{\n}"}}},
		{"empty line in the middle", "data: a\ndata\ndata: b\n\n", []seen{{Data: "a\n\nb"}}},
		{
			"id stays until it changes", "id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n",
			[]seen{{Data: "a", ID: "1"}, {Data: "b", ID: "1"}, {Data: "c", ID: "2"}},
		},
		{"id is reset", "id: 1\ndata: a\n\nid\ndata: b\n\n", []seen{{Data: "a", ID: "1"}, {Data: "b"}}},
		{"id with NUL is ignored", "id: 1\x00\ndata: a\n\n", []seen{{Data: "a"}}},
		{"id over the limit is ignored", "id: " + strings.Repeat("x", fieldLimit+1) + "\ndata: a\n\n", []seen{{Data: "a"}}},
		{"priming event", "id: 1\ndata:\n\ndata: a\n\n", []seen{{Data: "a", ID: "1"}}},
		{"priming event drops its name", "event: x\n\ndata: a\n\n", []seen{{Data: "a"}}},
		{"comments", ": ping\n\n:\ndata: a\n: more\n\n", []seen{{Data: "a"}}},
		{"unknown fields", "grease: x\nDATA: x\ndatax: x\n data: x\ndata: a\n\n", []seen{{Data: "a"}}},
		{"colons in data", "data: a:b: c\n\n", []seen{{Data: "a:b: c"}}},
		{"byte order mark", "\uFEFFdata: a\n\n\uFEFFdata: b\n\n", []seen{{Data: "a"}}},
		{"cut off before the blank line", "data: a\n\ndata: b\n", []seen{{Data: "a"}}},
		{"over the limit", "data: 0123456789\n\ndata: b\n\n", []seen{{TooLong: true}, {Data: "b"}}},
		{"over the limit with an id", "data: {\"a\":1,\"id\":7}\n\ndata: b\n\n", []seen{{Data: "7", TooLong: true}, {Data: "b"}}},
		{"over the limit in lines", "data: 0123\ndata: 4567\n\ndata: b\n\n", []seen{{TooLong: true}, {Data: "b"}}},
		{"over the limit in lines with an id", "data: {\"a\":\ndata: 1,\"id\"\ndata: :7}\n\ndata: b\n\n", []seen{{Data: "7", TooLong: true}, {Data: "b"}}},
		{"at the limit", "data: 01234567\n\n", []seen{{Data: "01234567"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, src := range []io.Reader{
				strings.NewReader(tt.stream),
				iotest.OneByteReader(strings.NewReader(tt.stream)),
				iotest.DataErrReader(strings.NewReader(tt.stream)),
			} {
				got, _ := readEvents(t, src, 8)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestEventRetry(t *testing.T) {
	tests := []struct {
		field string
		want  time.Duration
	}{
		{"", -1},
		{"retry: 1500\n\n", 1500 * time.Millisecond},
		{"retry: 0\n\n", 0},
		{"retry: 1\nretry: 2\n\n", 2 * time.Millisecond},
		{"retry: -1\n\n", -1},
		{"retry: 1s\n\n", -1},
		{"retry\n\n", -1},
		{"retry: 9223372036854775807\n\n", math.MaxInt64 / time.Millisecond * time.Millisecond},
	}
	for _, tt := range tests {
		_, r := readEvents(t, strings.NewReader(tt.field), 8)
		if r.retry != tt.want {
			t.Errorf("retry after %q: got %v, want %v", tt.field, r.retry, tt.want)
		}
	}
}

// A receiver may keep a large message, so the reader must not write over it.
func TestLargeEventsMayBeKept(t *testing.T) {
	large := strings.Repeat("a", jsonrpc.Large)
	stream := "data: " + large + "\n\n" + "data: " + strings.Repeat("b", jsonrpc.Large) + "\n\n"
	r := newEventReader(strings.NewReader(stream), 1<<20, func() {})
	first, err := r.next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.next(); err != nil {
		t.Fatal(err)
	}
	if string(first.data) != large {
		t.Error("the first event changed when the second was read")
	}
}

// An endless line without a colon, or in any field, takes no memory.
func TestEventReaderIsBounded(t *testing.T) {
	for _, start := range []string{"", "data: ", "id: ", ":", "event: ", "grease: "} {
		r := newEventReader(io.MultiReader(strings.NewReader(start), io.LimitReader(endless{}, 4<<20)), 1<<10, func() {})
		if _, err := r.next(); !errors.Is(err, io.EOF) {
			t.Errorf("after %q: got error %v, want EOF", start, err)
		}
		if held := cap(r.name) + cap(r.value) + cap(r.ev.data); held > 8<<10 {
			t.Errorf("after %q: %d bytes held", start, held)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// FuzzEvents holds the reader, fed in uneven pieces, against a plain reading of
// the standard's algorithm.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("id: 1\nevent: message\ndata: {}\n\n"), 3)
	f.Add([]byte("data: a\r\ndata\r\rretry: 5\n:c\ndata:b\n\n"), 1)
	f.Add([]byte("\uFEFFdata: a\n\nid\ndata: \n\n"), 2)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		const limit = 1 << 10
		src := &pieces{rest: stream, size: 1 + size&63}
		got, _ := readEvents(t, src, limit)
		if diff := cmp.Diff(plainEvents(stream, limit), got); diff != "" {
			t.Errorf("events of %q (-want +got):\n%s", stream, diff)
		}
	})
}

type pieces struct {
	rest []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(p.size, len(p.rest))])
	p.rest = p.rest[n:]
	return n, nil
}

func plainEvents(stream []byte, limit int) (events []seen) {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(stream))
	text = strings.TrimPrefix(text, "\uFEFF")
	lines := strings.Split(text, "\n")
	var data []string
	var ev seen
	for _, line := range lines[:len(lines)-1] {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			ev.Data = strings.Join(data, "\n")
			if ev.TooLong = len(ev.Data) > limit; ev.TooLong {
				ev.Data = string(jsonrpc.FindID([]byte(ev.Data)))
			}
			if ev.Data != "" || ev.TooLong {
				events = append(events, ev)
			}
			data, ev = nil, seen{ID: ev.ID}
		case name == "data":
			data = append(data, value)
		case name == "event" && len(value) <= fieldLimit:
			ev.Name = value
		case name == "id" && len(value) <= fieldLimit && !strings.ContainsFunc(value, isControl):
			ev.ID = value
		}
	}
	return events
}

func isControl(r rune) bool { return r < ' ' || 0x7f <= r && r <= 0x9f }

func BenchmarkEvents(b *testing.B) {
	for _, size := range []int{200, 10 << 20} {
		stream := []byte("event: message\ndata: " + strings.Repeat("x", size) + "\n\n")
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			r := newEventReader(nil, 64<<20, func() {})
			for b.Loop() {
				r.continueOn(bytes.NewReader(stream))
				if _, err := r.next(); err != nil {
					b.Fatal(fmt.Errorf("reading: %w", err))
				}
			}
		})
	}
}

package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// spliced is what becomes of text on one of the ways, read in pieces as it comes.
func spliced(t *testing.T, change func(*lane, []byte), text io.Reader) string {
	t.Helper()
	var out bytes.Buffer
	if err := (&lane{to: &out, change: change}).run(text); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestSplicesRequestsAndAnswers(t *testing.T) {
	long := strings.Repeat("x", 2*largePiece)
	tests := []struct{ name, request, sent, answer, got string }{
		{
			"call", strings.Replace(echoCall, "echo", "s0__echo", 1), strings.Replace(echoCall, "7", "1", 1),
			`{"jsonrpc":"2.0","id":1,"result":{"id":7}}`, `{"jsonrpc":"2.0","id":7,"result":{"id":7}}`,
		},
		{
			"text for an id, which stands last",
			`{"method":"tools/call","params":{"arguments":{"name":"s0__x","a":["}",1]},"name":"s0__echo"},"id":"a\"\\"}`,
			`{"method":"tools/call","params":{"arguments":{"name":"s0__x","a":["}",1]},"name":"echo"},"id":1}`,
			`{"result":{"a":["\"}]",{"id":5}]},"id":1}`, `{"result":{"a":["\"}]",{"id":5}]},"id":"a\"\\"}`,
		},
		{
			"large", `{"id":7,"method":"tools/call","params":{"name":"s0__echo","arguments":{"a":"` + long + `"}}}`,
			`{"id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":"` + long + `"}}}`,
			`{"id":1,"result":"` + long + `"}`, `{"id":7,"result":"` + long + `"}`,
		},
		{
			"another's name, white space", `{ "id" : 7, "method" : "tools/call", "params" : { "name" : "echo" } }`,
			`{ "id" : 1, "method" : "tools/call", "params" : { "name" : "echo" } }`,
			`{ "error" : {}, "id" : 1 }`, `{ "error" : {}, "id" : 7 }`,
		},
		{"no params", `{"id":7,"method":"ping"}`, `{"id":1,"method":"ping"}`, `{"id":1,"result":{}}`, `{"id":7,"result":{}}`},
		{
			"nothing to change", `{"method":"notifications/initialized"}`, `{"method":"notifications/initialized"}`,
			`{"id":1,"method":"roots/list"}`, `{"id":1,"method":"roots/list"}`,
		},
		{
			"a question of the server", echoCall, strings.Replace(echoCall, "7", "1", 1),
			`{"id":1,"method":"roots/list"}`, `{"id":1,"method":"roots/list"}`,
		},
		{"not asked for", `{"id":3,"result":{}}`, `{"id":3,"result":{}}`, `{"id":9,"result":{}}`, `{"id":9,"result":{}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSplicer("s0__")
			if got := spliced(t, s.toServer, strings.NewReader(tt.request+"\n")); got != tt.sent+"\n" {
				t.Errorf("to the server: got %.300q, want %.300q", got, tt.sent)
			}
			if got := spliced(t, s.toHost, iotest.HalfReader(strings.NewReader(tt.answer+"\n"))); got != tt.got+"\n" {
				t.Errorf("to the host: got %.300q, want %.300q", got, tt.got)
			}
		})
	}
}

// TestLinesComeInPieces: of whatever size, longer than a buffer and short.
func TestLinesComeInPieces(t *testing.T) {
	text := "a\n\n" + strings.Repeat("b", 3*laneBuffer) + "\ncc\nd\n"
	for name, reader := range map[string]io.Reader{
		"bytes": iotest.OneByteReader(strings.NewReader(text)), "halves": iotest.HalfReader(strings.NewReader(text)),
		"whole": strings.NewReader(text), "end with the last": iotest.DataErrReader(strings.NewReader(text)),
	} {
		if got := spliced(t, newSplicer("").toHost, reader); got != text {
			t.Errorf("%s: got %d bytes, want %d", name, len(got), len(text))
		}
	}
}

// TestManyWait: more than there is room for at first, while one waits on and on.
func TestManyWait(t *testing.T) {
	w := &newSplicer("").waiting
	first := w.add([]byte("first"))
	room := len(w.slots)
	for range 5 * room {
		number := w.add([]byte("next"))
		if id, there := w.take(nil, number); !there || string(id) != "next" {
			t.Fatalf("number %d: got %q, %v, want the id", number, id, there)
		}
		if _, there := w.take(nil, number); there {
			t.Fatalf("number %d: is answered twice", number)
		}
	}
	if len(w.slots) != room {
		t.Errorf("room for two that wait: got %d, want %d", len(w.slots), room)
	}
	for range room {
		w.add([]byte("other"))
	}
	if id, there := w.take(nil, first); !there || string(id) != "first" {
		t.Errorf("the first: got %q, %v", id, there)
	}
}

// TestBatchIsWrittenAtOnce: and takes no memory, but for that of a lane.
func TestBatchIsWrittenAtOnce(t *testing.T) {
	s := newSplicer("s0__")
	batch := []byte(strings.Repeat(strings.Replace(echoCall, "echo", "s0__echo", 1)+"\n", 64))
	var to writes
	l := &lane{to: &to, change: s.toServer}
	once := func() {
		if got := l.lines(batch, 0); got != len(batch) {
			t.Fatalf("lines: got %d bytes, want %d", got, len(batch))
		}
		l.flush()
		for n := s.waiting.last; n > s.waiting.last-64; n-- {
			l.number, _ = s.waiting.take(l.number[:0], n)
		}
	}
	for range 1024 / 64 { // each slot has had an id
		once()
	}
	to = 0
	if once(); to != 1 {
		t.Errorf("writes: got %d, want 1", to)
	}
	if got := testing.AllocsPerRun(10, once); got != 0 {
		t.Errorf("allocations of 64 calls: got %v, want none", got)
	}
}

type writes int

func (w *writes) Write(p []byte) (int, error) {
	*w++
	return len(p), nil
}

// FuzzHeadOf: no line may lead the scan astray, since nothing is validated.
func FuzzHeadOf(f *testing.F) {
	for _, seed := range []string{echoCall, `{"id":"`, `{"`, `{"id":1,"params":{"name":"`, `{"params":[{}],"id":{"a":"}"}}`, `{"a`, `[`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(_ *testing.T, line []byte) {
		s := newSplicer("s0__")
		l := &lane{to: io.Discard, change: s.toServer}
		s.toServer(l, line)
		s.toHost(l, line)
	})
}

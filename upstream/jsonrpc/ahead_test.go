package jsonrpc

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// inPieces is text as it comes, in pieces of the sizes told, over and over.
func inPieces(text, sizes []byte) (first []byte, more func() ([]byte, bool)) {
	have, turn := 0, 0
	next := func() ([]byte, bool) {
		step := 1
		if len(sizes) > 0 {
			step += int(sizes[turn%len(sizes)])
			turn++
		}
		have = min(have+step, len(text))
		return text[:have], have == len(text)
	}
	first, _ = next()
	return first, next
}

// parsed is all that Parse has found, and its error.
func parsed(t *testing.T, m *Message, err error) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v id %q method %q params %s result %s error %s\n", err, m.Kind, m.ID, m.Method, brief(m.Params), brief(m.Result), brief(m.Error))
	for _, list := range [][]Member{m.Members, m.Fields} {
		for _, member := range list {
			before, _ := Cut(m.Raw, member.Value) // panics if that is not a part of it
			fmt.Fprintf(&b, "%q %q %s at %d\n", member.Key, member.Name, brief(member.Value), len(before))
		}
	}
	return b.String()
}

// brief tells texts from one another, and is short.
func brief(text []byte) string {
	if len(text) < 100 {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%d bytes, %x", len(text), crc32.ChecksumIEEE(text))
}

// However a text is cut, what is scanned of it as it comes is what is scanned of
// it at once.
func FuzzScanAhead(f *testing.F) {
	long := strings.Repeat(`The quick brown fox, \"and so on\"; größer als 0123456789, 水は堰を 🌊.\n`, 5)
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":41,"result":{"content":[{"type":"text","text":"` + long + `"}],"isError":false}}`,
		` { "jsonrpc" : "2.0" , "method" : "m\u0065", "params" : { "a\"" : [ 1 , -2.5e+3 , true , null ] } } `,
		`{"id":1,"error":{"code":-32603,"message":"\ud83d"}} x`, `[{"a":1},2]`, `"\`, "{\"a\":\"\xe6\xb0", `{"id":1`, `123456789`,
	} {
		f.Add([]byte(seed), []byte{0, 3, 70}, uint8(4))
		f.Add([]byte(seed), []byte{}, uint8(1))
	}
	f.Fuzz(func(t *testing.T, text, sizes []byte, reserve uint8) {
		var whole, ahead Message
		want := parsed(t, &whole, whole.Parse(text))
		first, more := inPieces(text, sizes)
		ahead.scanAhead(first, int(reserve), more)
		if got := parsed(t, &ahead, ahead.Parse(text)); got != want {
			t.Fatalf("in pieces of %v (-whole +pieces):\n%s", sizes, cmp.Diff(want, got))
		}
		first, more = inPieces(text, sizes)
		ahead.scanAhead(first, len(text)+1, more)
		if Valid(text) && whole.Parse(text) == nil && !ahead.isScanned(trimmed(text)) {
			t.Fatalf("with all in reserve: valid, and not scanned")
		}
	})
}

// aheadOf is a message with an answer of size bytes.
func aheadOf(size int) string {
	text := `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"`
	const line = `\"größer\" als 水 0123456789\n`
	return text + strings.Repeat(line, size/len(line)) + `"}],"_meta":{"a":[1,2,3]}}}`
}

// Long lines are scanned when they are there, whole and broken ones, whatever
// stands around them and wherever reads end.
func TestReaderScansAhead(t *testing.T) {
	message := aheadOf(300 << 10)
	for _, tt := range []struct {
		name, line string
		scanned    bool
	}{
		{"message", message, true},
		{"a smaller one", aheadOf(100 << 10), true},
		{"white space around", " \t" + message + "  ", true},
		{"carriage return", message + "\r", true},
		{"many members", `{"jsonrpc":"2.0","id":1,"result":{"a":[` + strings.Repeat(`{"key":[true,1.5]},`, 7000) + `{}]}}`, true},
		{"text behind", message + " {}", false},
		{"no JSON", strings.Repeat("no JSON ", 20000), false},
		{"an escape that is none", message[:200<<10] + `\q` + message[200<<10:], false},
		{"cut short", message[:200<<10], false},
		{"cut between members", `{"a":"` + strings.Repeat("x", 100<<10) + `",`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, piece := range []int{2000, 30000, 1 << 20} {
				src := &cut{text: []byte(strings.Repeat(tt.line+"\n"+`{"next":1}`+"\n", 3)), most: piece}
				r := NewReader(src, 1<<30, nil)
				var m, plain Message
				r.Ahead(&m)
				for range 3 {
					line := mustNext(t, r)
					if got := m.isScanned(trimmed(line)); got != tt.scanned && piece < Large {
						t.Errorf("by %d: scanned ahead: %v, want %v", piece, got, tt.scanned)
					}
					want := parsed(t, &plain, plain.Parse([]byte(strings.TrimSuffix(tt.line, "\r"))))
					if got := parsed(t, &m, m.Parse(line)); got != want {
						t.Fatalf("by %d: got %.300s, want %.300s", piece, got, want)
					}
					r.Loan().GiveBack()
					if next := mustNext(t, r); string(next) != `{"next":1}` || m.Parse(next) == nil || len(m.Members) != 1 {
						t.Fatalf("by %d: got %.100q behind it, with %d members", piece, next, len(m.Members))
					}
				}
				r.spare.take(0) // and with it the timer
			}
		})
	}
}

// cut gives at most so many bytes at a time.
type cut struct {
	text []byte
	most int
}

func (c *cut) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.most)], c.text)
	c.text = c.text[n:]
	return n, nil
}

// The scan does not wait for what will not come: a line that ends early is over,
// and so is a stream.
func TestScanAheadEndsWithTheLine(t *testing.T) {
	for _, end := range []string{"\n", "\r\n", " ,\n", "", strings.Repeat("x", 1<<20) + "\n"} {
		synctest.Test(t, func(t *testing.T) {
			in, out := io.Pipe()
			defer in.Close()
			r := NewReader(in, 1<<20, nil)
			var m Message
			r.Ahead(&m)
			ended := make(chan error, 1)
			go func() {
				_, err := r.Next()
				ended <- err
			}()
			begin := []byte(`{"id":5,"a":"` + strings.Repeat("x", 100<<10) + `",`)
			for piece := range slices.Chunk(append(begin, end...), 1000) {
				if _, err := out.Write(piece); err != nil {
					t.Fatal(err)
				}
			}
			if end == "" {
				_ = out.Close()
			}
			synctest.Wait()
			select {
			case err := <-ended:
				if _, tooLong := errors.AsType[*LineTooLongError](err); tooLong != (len(end) > 1<<20) || err != nil && !tooLong {
					t.Errorf("ending with %.5q: got %v", end, err)
				}
			default:
				t.Errorf("ending with %.5q: the reader waits for more", end)
			}
		})
	}
}

// What was scanned ahead is one text in one place, not its like.
func TestParseOfAnotherText(t *testing.T) {
	var m Message
	one, other := []byte(`{"jsonrpc":"2.0","id":1,"method":"a"}`), []byte(`{"jsonrpc":"2.0","id":2,"method":"b"}`)
	m.scanAhead(one, reserve, func() ([]byte, bool) { return one, true })
	if err := m.Parse(other); err != nil || string(m.ID) != "2" || string(m.Method) != "b" {
		t.Errorf("got id %s, method %s, %v, want those of the text that was given", m.ID, m.Method, err)
	}
}

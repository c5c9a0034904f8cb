package jsonrpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readAll renders what Next returns, until the final error.
func readAll(r *Reader) (lines []string, final error) {
	for {
		line, err := r.Next()
		if tooLong, ok := errors.AsType[*LineTooLongError](err); ok {
			lines = append(lines, fmt.Sprintf("too long, id %q", tooLong.ID))
			continue
		}
		if err != nil {
			return lines, err
		}
		lines = append(lines, string(line))
	}
}

func TestReader(t *testing.T) {
	const limit = 10
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"lines", "a\nb\n", []string{"a", "b"}},
		{"no end of the last line", "a\nb", []string{"a", "b"}},
		{"crlf", "a\r\nb\r\nc\r", []string{"a", "b", "c"}},
		{"one cr is the line end", "a\r\r\n", []string{"a\r"}},
		{"blank lines", "\n\r\n \t \n\n a\n\n", []string{" a"}},
		{"blank to the end", "a\n  ", []string{"a"}},
		{"limit", "1234567890\n1", []string{"1234567890", "1"}},
		{"limit, crlf", "1234567890\r\n1", []string{"1234567890", "1"}},
		{"limit, no line end", "1234567890", []string{"1234567890"}},
		{"limit, cr at the end", "1234567890\r", []string{"1234567890"}},
		{"one over", "12345678901\n1", []string{`too long, id ""`, "1"}},
		{"one over, crlf", "12345678901\r\n1", []string{`too long, id ""`, "1"}},
		{"one over, no line end", "12345678901", []string{`too long, id ""`}},
		{"two over", "123456789012\n1", []string{`too long, id ""`, "1"}},
		{"id at the head", `{"id":7,"a":"b"}` + "\n1\n", []string{`too long, id "7"`, "1"}},
		{"id at the tail", "1\n" + `{"a":"bcdefg","id":"x"}`, []string{"1", `too long, id "\"x\""`}},
		{"too long and far too long", strings.Repeat("a", 11) + "\n" + strings.Repeat("b", 500) + "\nc", []string{`too long, id ""`, `too long, id ""`, "c"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for how, wrap := range map[string]func(io.Reader) io.Reader{
				"at once":      func(r io.Reader) io.Reader { return r },
				"by bytes":     iotest.OneByteReader,
				"by halves":    iotest.HalfReader,
				"EOF with end": iotest.DataErrReader,
			} {
				got, err := readAll(NewReader(wrap(strings.NewReader(tt.text)), limit, nil))
				if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, io.EOF) {
					t.Errorf("%s: error %v, lines (-want +got):\n%s", how, err, diff)
				}
			}
		})
	}
}

// Lines around every size at which the reader does something else.
func TestReaderSizes(t *testing.T) {
	const limit = 3 * modestSize
	sizes := slices.Repeat([]int{Large / 3, Large * 2 / 3}, 20) // cut by the end of the buffer
	for _, around := range []int{Large, bufferSize, 3 * bufferSize, modestSize, 2 * modestSize, limit} {
		sizes = append(sizes, around-2, around-1, around, around+1, around+2)
	}
	var text bytes.Buffer
	var want []string
	for i, size := range sizes {
		line := fmt.Sprintf(`{"id":%d,"x":"`, i)
		line += strings.Repeat("x", size-len(line)-2) + `"}`
		fmt.Fprintf(&text, "%s%s{}\n", line, []string{"\n", "\r\n"}[i%2])
		if size > limit {
			line = fmt.Sprintf("too long, id %q", fmt.Sprint(i))
		}
		want = append(want, line, "{}")
	}
	got, err := readAll(NewReader(&text, limit, nil))
	if !errors.Is(err, io.EOF) || len(got) != len(want) {
		t.Fatalf("got %d lines, %v, want %d, EOF", len(got), err, len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("line %d: got %d bytes, %.40s…, want %d, %.40s…", i, len(got[i]), got[i], len(want[i]), want[i])
		}
	}
}

func TestReaderFinalError(t *testing.T) {
	broken := errors.New("broken")
	r := NewReader(io.MultiReader(strings.NewReader("a\nhalf a line"), iotest.ErrReader(broken)), 100, nil)
	got, err := readAll(r)
	if !errors.Is(err, broken) || !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %q, %v, want the whole line and the error", got, err)
	}
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("again: got %v, want the same error", err)
	}
	r = NewReader(io.MultiReader(strings.NewReader(`{"id":1,"x":"0123456789`), iotest.ErrReader(broken)), 10, nil)
	got, err = readAll(r)
	if !errors.Is(err, broken) || !slices.Equal(got, []string{`too long, id "1"`}) {
		t.Errorf("in a line too long: got %q, %v", got, err)
	}
}

func TestReaderIdle(t *testing.T) {
	in, out := io.Pipe()
	idle := make(chan struct{})
	r := NewReader(in, 100, func() { idle <- struct{}{} })
	go func() {
		<-idle // before the first read
		_, _ = out.Write([]byte("a\nb\nc"))
		<-idle // only after the lines that are there
		_ = out.Close()
	}()
	got, err := readAll(r)
	if !errors.Is(err, io.EOF) || !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

// Lines of Large bytes or more stay as they are, whatever is read after them.
func TestReaderGivesLargeLinesAway(t *testing.T) {
	var text bytes.Buffer
	var want []string
	for i, size := range []int{Large, 100, Large + 1, bufferSize - 1, bufferSize, 10, 5 * bufferSize, modestSize, Large, 3 * modestSize} {
		line := strings.Repeat(string(rune('a'+i)), size)
		text.WriteString(line + "\n")
		if size >= Large {
			want = append(want, line)
		}
	}
	text.WriteString(strings.Repeat(strings.Repeat("z", 999)+"\n", 2000))
	r := NewReader(&text, 1<<30, nil)
	var kept [][]byte
	for {
		line, err := r.Next()
		if err != nil {
			break
		}
		if len(line) >= Large {
			kept = append(kept, line)
		}
	}
	if len(kept) != len(want) {
		t.Fatalf("got %d large lines, want %d", len(kept), len(want))
	}
	for i := range kept {
		if string(kept[i]) != want[i] {
			t.Errorf("line %d of %d bytes has changed", i, len(want[i]))
		}
	}
}

// letters is an endless stream of one letter with a line end at each multiple
// of size.
type letters struct{ pos, size int }

var manyLetters = bytes.Repeat([]byte("x"), 64<<10)

func (l *letters) Read(p []byte) (int, error) {
	n := copy(p, manyLetters)
	if rest := l.size - l.pos%l.size; rest <= n {
		p[rest-1] = '\n'
	}
	l.pos += n
	return n, nil
}

func TestReaderMemory(t *testing.T) {
	const size = 10 << 20
	read := func(t *testing.T, limit int) (r *Reader, allocated int) {
		r = NewReader(&letters{size: size}, limit, nil)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := r.Next()
		runtime.ReadMemStats(&after)
		if _, tooLong := errors.AsType[*LineTooLongError](err); tooLong != (limit < size-1) {
			t.Fatal(err)
		}
		return r, int(after.TotalAlloc - before.TotalAlloc)
	}
	if _, got := read(t, size); got > size*12/10 {
		t.Errorf("a line of %d bytes: got %d allocated, want at most 1.2 times as much", size, got)
	}
	r, got := read(t, size/10)
	if got > size/10*3 {
		t.Errorf("a line over the limit of %d: got %d bytes allocated, want less than 3 times as much", size/10, got)
	}
	for range 3 {
		_, _ = r.Next()
	}
	if len(r.buf) > bufferSize {
		t.Errorf("after it: got a buffer of %d, want %d", len(r.buf), bufferSize)
	}
}

// chunked gives its text in pieces of the sizes told, over and over.
type chunked struct {
	text  []byte
	sizes []byte
	turn  int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := len(c.text)
	if len(c.sizes) > 0 {
		n = 1 + int(c.sizes[c.turn%len(c.sizes)])
		c.turn++
	}
	n = copy(p[:min(n, len(p))], c.text)
	c.text = c.text[n:]
	return n, nil
}

// However the text is cut, the lines are those of splitting it by hand.
func FuzzReader(f *testing.F) {
	f.Add([]byte("a\r\nbb\n\n{\"id\":1,\"x\":\"yyyyyyyyyy\"}\nccc"), []byte{0, 3}, uint16(9))
	f.Add([]byte("\r\n\r"), []byte{}, uint16(0))
	f.Fuzz(func(t *testing.T, text, sizes []byte, limit uint16) {
		var want []string
		for line := range bytes.SplitSeq(text, []byte{'\n'}) {
			line = bytes.TrimSuffix(line, []byte{'\r'})
			switch {
			case len(line) > int(limit):
				want = append(want, fmt.Sprintf("too long, id %q", FindID(line)))
			case len(bytes.Trim(line, " \t\r")) > 0:
				want = append(want, string(line))
			}
		}
		got, err := readAll(NewReader(&chunked{text: text, sizes: sizes}, int(limit), nil))
		if diff := cmp.Diff(want, got); diff != "" || !errors.Is(err, io.EOF) {
			t.Fatalf("error %v, lines (-want +got):\n%s", err, diff)
		}
	})
}

// Lines of a size seen before go away with the buffer they were read into; what
// stands behind them is not lost, and no line shares memory with the next.
func TestReaderExpectsLongLines(t *testing.T) {
	sizes := []int{3 << 20, 3 << 20, 100, 3<<20 + 5, 1 << 20, Large, 3 << 20, 5 << 20, 10}
	var text []byte
	var want [][]byte
	for i, size := range sizes {
		line := bytes.Repeat([]byte{byte('a' + i)}, size)
		want = append(want, line)
		text = append(append(text, line...), '\n')
	}
	r := NewReader(bytes.NewReader(text), 8<<20, nil)
	var got [][]byte
	for range sizes {
		line, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if len(line) < Large {
			line = bytes.Clone(line)
		}
		got = append(got, line)
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("line %d: got %d bytes beginning %.10q, want %d beginning %.10q", i, len(got[i]), got[i], len(want[i]), want[i])
		}
	}
}

// TestSetLimit: another limit holds for the line under way, and for those that
// follow.
func TestSetLimit(t *testing.T) {
	in, out := io.Pipe()
	defer out.Close()
	r := NewReader(in, 10, nil)
	go func() {
		for _, piece := range []string{"123456789012\n", "12345678", "9012\n", "123456789012\n"} {
			_, _ = io.WriteString(out, piece) // the reader says what is missing
		}
	}()
	if _, err := r.Next(); err == nil || err.Error() != "message is longer than 10 bytes" {
		t.Errorf("before: got %v", err)
	}
	r.SetLimit(12)
	if line, err := r.Next(); err != nil || string(line) != "123456789012" {
		t.Errorf("raised: got %q, %v", line, err)
	}
	r.SetLimit(5)
	if _, err := r.Next(); err == nil || err.Error() != "message is longer than 5 bytes" {
		t.Errorf("lowered: got %v", err)
	}
}

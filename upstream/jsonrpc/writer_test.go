package jsonrpc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// blocked is a stream whose writes wait until they are let go, one by one.
type blocked struct {
	mu   sync.Mutex
	got  []string
	goOn chan error
}

func newBlocked() *blocked { return &blocked{goOn: make(chan error)} }

func (b *blocked) Write(p []byte) (int, error) {
	if err := <-b.goOn; err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, string(p))
	return len(p), nil
}

func (b *blocked) writes() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

func queue(t *testing.T, w *Writer, b *Batch, pieces ...string) {
	t.Helper()
	var raw [][]byte
	for _, p := range pieces {
		raw = append(raw, []byte(p))
	}
	if err := w.Queue(b, raw...); err != nil {
		t.Fatal(err)
	}
}

func TestWriterGathersWhatComesDuringAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dst := newBlocked()
		w := NewWriter(dst)
		queue(t, w, nil, "a")
		queue(t, w, nil, "b", "c")
		queue(t, w, nil, "d")
		if got := w.Queued(); got != 7 {
			t.Errorf("queued: got %d, want 7", got)
		}
		dst.goOn <- nil
		synctest.Wait()
		if got := w.Queued(); got != 5 {
			t.Errorf("queued after the first write: got %d, want 5", got)
		}
		dst.goOn <- nil
		w.Drain()
		if diff := cmp.Diff([]string{"a\n", "bc\nd\n"}, dst.writes()); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		w.Close()
	})
}

func TestWriterBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dst, other := newBlocked(), newBlocked()
		w, v := NewWriter(dst), NewWriter(other)
		var b Batch
		queue(t, w, &b, "1")
		queue(t, v, &b, "x")
		queue(t, w, &b, "2")
		synctest.Wait()
		if got := len(b.dirty); got != 2 || w.writing || v.writing {
			t.Fatalf("before Flush: got %d writers marked, writing %v, %v, want 2, none writing", got, w.writing, v.writing)
		}
		b.Flush()
		b.Flush() // nothing is left
		dst.goOn <- nil
		other.goOn <- nil
		w.Drain()
		v.Drain()
		if diff := cmp.Diff([]string{"1\n2\n"}, dst.writes()); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"x\n"}, other.writes()); diff != "" {
			t.Errorf("writes of the other (-want +got):\n%s", diff)
		}
	})
}

// A kept piece is written as it is, in its place, and never written into, even
// when it is as small as the Writer's own buffers and all of it has gone out.
func TestWriterKeepsLargePieces(t *testing.T) {
	var dst bytes.Buffer
	w := NewWriter(&dst)
	memory := bytes.Repeat([]byte("L"), Large+100)
	large := memory[:Large] // with room behind it that is not the Writer's
	var want strings.Builder
	for i := range 20 {
		if err := w.Queue(nil, []byte("head"), large, []byte("tail")); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&want, "head%stail\n", large)
		queue(t, w, nil, fmt.Sprint(i))
		fmt.Fprintf(&want, "%d\n", i)
		w.Drain()
	}
	if got := dst.String(); got != want.String() {
		t.Error("the stream differs from what was queued")
	}

	dst.Reset()
	w = NewWriter(&dst) // without memory of its own yet
	if err := w.Queue(nil, large); err != nil {
		t.Fatal(err)
	}
	w.Drain()
	for range 3 {
		queue(t, w, nil, "small")
		w.Drain()
	}
	if strings.Trim(string(memory), "L") != "" {
		t.Error("the kept piece was written into")
	}
}

// What is queued may be reused at once, and does not mix with what is being
// written.
func TestWriterCopiesSmallPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dst := newBlocked()
		w := NewWriter(dst)
		piece := make([]byte, 1000)
		var want strings.Builder
		for i := range 30 {
			line := bytes.Repeat([]byte{byte('A' + i)}, 10*i)
			n := copy(piece, line)
			if err := w.Queue(nil, piece[:n]); err != nil {
				t.Fatal(err)
			}
			clear(piece)
			want.Write(append(line, '\n'))
			if i%3 == 0 {
				dst.goOn <- nil
			}
		}
		close(dst.goOn) // no write waits any more
		w.Drain()
		if got := strings.Join(dst.writes(), ""); got != want.String() {
			t.Errorf("got %q\nwant %q", got, want.String())
		}
	})
}

func TestWriterOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		w := NewWriter(out)
		writeOfMany(w)
		checkOfMany(t, NewReader(in, 1<<20, nil), func() {
			w.CloseWithin(time.Minute)
			_ = out.Close()
		})
	})
}

const writers, linesEach = 8, 60

// writeOfMany lets goroutines queue numbered lines of many sizes.
func writeOfMany(w *Writer) {
	for from := range writers {
		go func() {
			var b *Batch
			if from%2 == 0 {
				b = new(Batch)
			}
			for i := range linesEach {
				size := (i * 37) % 500
				if i%16 == 0 {
					size += 2 * Large
				}
				_ = w.Queue(b, fmt.Appendf(nil, "%d %d ", from, i), bytes.Repeat([]byte("x"), size), []byte("."))
				if b != nil && i%4 == 3 {
					b.Flush()
				}
				if i%10 == 0 {
					w.Flush()
					w.WaitBelow(8 * Large)
				}
			}
			if b != nil {
				b.Flush()
			}
		}()
	}
}

// checkOfMany reads what writeOfMany wrote: each line whole, those of one
// goroutine in order. It calls end after the last and wants the stream to end.
func checkOfMany(t *testing.T, r *Reader, end func()) {
	t.Helper()
	var next [writers]int
	for range writers * linesEach {
		line, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		var from, i int
		if _, err := fmt.Sscanf(string(line[:min(len(line), 10)]), "%d %d ", &from, &i); err != nil || i != next[from] {
			t.Fatalf("got %.20q, %v, want line %d of its writer", line, err, next[from])
		}
		next[from]++
		size := (i * 37) % 500
		if i%16 == 0 {
			size += 2 * Large
		}
		if want := fmt.Sprintf("%d %d %s.", from, i, strings.Repeat("x", size)); string(line) != want {
			t.Fatalf("line %d of %d: got %d bytes, want %d", i, from, len(line), len(want))
		}
	}
	end()
	if line, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: got %.20q, %v, want EOF", line, err)
	}
}

func TestWriterFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dst := newBlocked()
		w := NewWriter(dst)
		broken := errors.New("broken")
		var told []error
		w.OnFailure(func(err error) { told = append(told, err) })
		queue(t, w, nil, "a")
		queue(t, w, nil, "b")
		waited := make(chan struct{})
		go func() {
			defer close(waited)
			w.WaitBelow(0)
		}()
		dst.goOn <- broken
		<-waited
		w.Drain()
		if err := w.Queue(nil, []byte("c")); !errors.Is(err, broken) {
			t.Errorf("Queue: got %v, want %v", err, broken)
		}
		w.Flush()
		w.Close()
		if err := w.Err(); !errors.Is(err, broken) || w.Queued() != 0 {
			t.Errorf("got %v, %d queued, want the first error, 0", err, w.Queued())
		}
		if len(told) != 1 || !errors.Is(told[0], broken) {
			t.Errorf("OnFailure: told of %v, want %v once", told, broken)
		}
	})
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) - 1, nil }

func TestWriterShortWrite(t *testing.T) {
	w := NewWriter(shortWriter{})
	queue(t, w, nil, "abc")
	w.Drain()
	if err := w.Err(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v, want %v", err, io.ErrShortWrite)
	}
	w.Close()
}

// trier takes room bytes without waiting, then what its blocked takes.
type trier struct {
	*blocked
	room  int
	tried []byte
	err   error
}

func (tr *trier) TryWrite(p []byte) (int, error) {
	n := min(tr.room, len(p))
	tr.room -= n
	tr.tried = append(tr.tried, p[:n]...)
	return n, tr.err
}

func TestWriterTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dst := &trier{blocked: newBlocked(), room: 6}
		w := NewWriter(dst)
		queue(t, w, nil, "abc")
		if got := string(dst.tried); got != "abc\n" || w.Queued() != 0 || w.writing {
			t.Fatalf("got %q, %d queued, writing %v, want the line gone at once", got, w.Queued(), w.writing)
		}
		queue(t, w, nil, "defg")
		queue(t, w, nil, "h")
		if got := w.Queued(); got != 5 {
			t.Errorf("queued: got %d, want 5", got)
		}
		dst.goOn <- nil
		dst.goOn <- nil
		w.Drain()
		if got := string(dst.tried) + strings.Join(dst.writes(), "|"); got != "abc\ndefg\n|h\n" {
			t.Errorf("got %q, want the rest of the line, then the next", got)
		}
		dst.err = errors.New("broken")
		var told error
		w.OnFailure(func(err error) { told = err })
		queue(t, w, nil, "i")
		if !errors.Is(told, dst.err) {
			t.Errorf("OnFailure: told of %v, want %v", told, dst.err)
		}
		if err := w.Err(); !errors.Is(err, dst.err) {
			t.Errorf("got %v, want %v", err, dst.err)
		}
		w.Close()
	})
}

// flooded is a stream where each write without waiting makes another line come.
type flooded struct {
	*blocked
	w     *Writer
	tries int
}

func (f *flooded) TryWrite(p []byte) (int, error) {
	f.tries++
	return len(p), f.w.Queue(nil, []byte("more"))
}

// Who flushes is not kept by what others queue meanwhile.
func TestWriterFlushEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dst := &flooded{blocked: newBlocked()}
		dst.w = NewWriter(dst)
		queue(t, dst.w, nil, "first")
		if dst.tries != maxTries {
			t.Errorf("got %d writes, want %d", dst.tries, maxTries)
		}
		dst.goOn <- nil
		dst.w.Drain()
		if diff := cmp.Diff([]string{"more\n"}, dst.writes()); diff != "" {
			t.Errorf("writes of the goroutine (-want +got):\n%s", diff)
		}
	})
}

func TestWriterCloseWaitsForTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dst := newBlocked()
		w := NewWriter(dst)
		queue(t, w, nil, "a")
		queue(t, w, nil, "dropped")
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			w.Close()
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Fatal("Close came back during a write")
		default:
		}
		if err := w.Queue(nil, []byte("b")); !errors.Is(err, ErrClosed) {
			t.Errorf("Queue: got %v, want ErrClosed", err)
		}
		dst.goOn <- nil
		<-closed
		w.Close()
		if diff := cmp.Diff([]string{"a\n"}, dst.writes()); diff != "" || w.Queued() != 0 {
			t.Errorf("queued %d, writes (-want +got):\n%s", w.Queued(), diff)
		}
	})
}

func TestWriterCloseWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		w := NewWriter(out)
		queue(t, w, nil, "a")
		got := make(chan []byte)
		go func() {
			<-time.After(time.Second) // of the bubble: a slow reader
			all, _ := io.ReadAll(in)
			got <- all
		}()
		start := time.Now()
		w.CloseWithin(time.Minute)
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, want the second of the reader", took)
		}
		_ = out.Close()
		if all := string(<-got); all != "a\n" || !errors.Is(w.Err(), ErrClosed) {
			t.Errorf("got %q, %v, want the line, ErrClosed", all, w.Err())
		}
	})
}

func TestWriterCloseWithinHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dst := newBlocked()
		w := NewWriter(dst)
		queue(t, w, nil, "a")
		queue(t, w, nil, "dropped")
		start := time.Now()
		w.CloseWithin(time.Minute)
		if took := time.Since(start); took != time.Minute {
			t.Errorf("took %v, want a minute", took)
		}
		dst.goOn <- nil // the stream ends: only now does the goroutine
		w.Close()
		if diff := cmp.Diff([]string{"a\n"}, dst.writes()); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
	})
}

//go:build unix

package jsonrpc

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/pipe"
)

func newPipe(t *testing.T) (in *os.File, out *pipe.End) {
	t.Helper()
	out, in, err := pipe.Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = out.Close()
	})
	return in, out
}

func TestWriterOnPipeWritesAtOnce(t *testing.T) {
	in, out := newPipe(t)
	w := NewWriter(out)
	queue(t, w, nil, "a")
	if w.Queued() != 0 || w.writing {
		t.Errorf("queued %d, writing %v, want the line gone", w.Queued(), w.writing)
	}
	if line, err := NewReader(in, 10, nil).Next(); string(line) != "a" || err != nil {
		t.Errorf("got %q, %v, want a", line, err)
	}
	w.Close()
}

func TestWriterOnFullPipe(t *testing.T) {
	in, out := newPipe(t)
	w := NewWriter(out)
	large := bytes.Repeat([]byte("L"), 1<<20)
	for range 3 {
		if err := w.Queue(nil, []byte("head"), large, []byte("tail")); err != nil {
			t.Fatal(err)
		}
		queue(t, w, nil, "small")
	}
	r := NewReader(in, 2<<20, nil)
	for i := range 3 {
		line, err := r.Next()
		if want := "head" + string(large) + "tail"; err != nil || string(line) != want {
			t.Fatalf("large line %d: got %d bytes, %v, want %d", i, len(line), err, len(want))
		}
		if line, err := r.Next(); err != nil || string(line) != "small" {
			t.Fatalf("small line %d: got %q, %v", i, line, err)
		}
	}
	w.Close()
}

func TestWriterOfManyOnPipe(t *testing.T) {
	in, out := newPipe(t)
	w := NewWriter(out)
	writeOfMany(w)
	checkOfMany(t, NewReader(in, 1<<20, nil), func() {
		w.CloseWithin(time.Minute)
		_ = out.Close()
	})
}

func TestWriterOnBrokenPipe(t *testing.T) {
	in, out := newPipe(t)
	w := NewWriter(out)
	_ = in.Close()
	queue(t, w, nil, "a")
	if err := w.Err(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("got %v, want EPIPE", err)
	}
	w.Close()
}

func TestWriterReaderGoesDuringAWrite(t *testing.T) {
	in, out := newPipe(t)
	w := NewWriter(out)
	queue(t, w, nil, strings.Repeat("x", 1<<20))
	_ = in.Close()
	w.Drain()
	if err := w.Err(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("got %v, want EPIPE", err)
	}
	w.Close()
}

// Nobody reads: the write under way is cut off, and no goroutine stays.
func TestWriterCloseWithinOnFullPipe(t *testing.T) {
	_, out := newPipe(t)
	w := NewWriter(out)
	queue(t, w, nil, strings.Repeat("x", 1<<20))
	w.CloseWithin(time.Millisecond)
	if w.writing || !errors.Is(w.Err(), ErrClosed) {
		t.Errorf("writing %v, %v, want it ended, ErrClosed", w.writing, w.Err())
	}
}

func TestWriterOnClosedFile(t *testing.T) {
	_, out := newPipe(t)
	w := NewWriter(out)
	_ = out.Close()
	queue(t, w, nil, "a")
	w.Drain()
	if err := w.Err(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want ErrClosed of os", err)
	}
}

// A file that may block is left to the goroutine.
func TestWriterOnBlockingPipe(t *testing.T) {
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		t.Fatal(err)
	}
	in, out := os.NewFile(uintptr(fds[0]), "in"), os.NewFile(uintptr(fds[1]), "out")
	defer in.Close()
	w := NewWriter(out)
	if w.try != nil {
		t.Fatal("a blocking file is written to by the goroutine that flushes")
	}
	queue(t, w, nil, strings.Repeat("x", 1<<20))
	go func() {
		w.CloseWithin(time.Minute)
		_ = out.Close()
	}()
	if n, err := io.Copy(io.Discard, in); n != 1<<20+1 || err != nil {
		t.Errorf("got %d bytes, %v, want %d", n, err, 1<<20+1)
	}
}

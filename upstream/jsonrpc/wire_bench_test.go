package jsonrpc

import (
	"bytes"
	"io"
	"testing"
)

// BenchmarkSplice gives a message another id. Copying the message is the floor.
func BenchmarkSplice(b *testing.B) {
	for _, text := range benchTexts() {
		var m Message
		if err := m.Parse(text.data); err != nil {
			b.Fatal(err)
		}
		var dst []byte
		b.Run(text.name+"/splice", func(b *testing.B) {
			b.SetBytes(int64(len(text.data)))
			for b.Loop() {
				dst = Splice(dst[:0], text.data, Edit{At: m.ID, With: []byte("12345")})
			}
		})
		b.Run(text.name+"/copy", func(b *testing.B) {
			b.SetBytes(int64(len(text.data)))
			for b.Loop() {
				dst = append(dst[:0], text.data...)
			}
		})
	}
}

// endless is a stream of one line without end, in reads as a pipe gives them.
type endless struct {
	line []byte
	pos  int
}

func (e *endless) Read(p []byte) (n int, err error) {
	p = p[:min(len(p), 64<<10)]
	for n < len(p) {
		m := copy(p[n:], e.line[e.pos:])
		n += m
		e.pos = (e.pos + m) % len(e.line)
	}
	return n, nil
}

func BenchmarkReader(b *testing.B) {
	for _, line := range []struct {
		name string
		size int
	}{{"200B", 200}, {"10MB", 10 << 20}} {
		b.Run(line.name, func(b *testing.B) {
			text := append(bytes.Repeat([]byte("x"), line.size), '\n')
			r := NewReader(&endless{line: text}, 64<<20, nil)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWriter writes to nowhere: the cost of the queue. With TryWrite the
// line goes out on the goroutine that flushes, without it on another.
func BenchmarkWriter(b *testing.B) {
	small, large := bytes.Repeat([]byte("x"), 200), bytes.Repeat([]byte("x"), 10<<20)
	for _, to := range []struct {
		name string
		dst  io.Writer
	}{{"try", nowhere{}}, {"goroutine", io.Discard}} {
		b.Run(to.name+"/200B", func(b *testing.B) { benchmarkWriter(b, to.dst, small) })
		b.Run(to.name+"/10MB", func(b *testing.B) { benchmarkWriter(b, to.dst, large) })
	}
}

type nowhere struct{}

func (nowhere) Write(p []byte) (int, error)    { return len(p), nil }
func (nowhere) TryWrite(p []byte) (int, error) { return len(p), nil }

func benchmarkWriter(b *testing.B, dst io.Writer, payload []byte) {
	w := NewWriter(dst)
	head, tail := []byte(`{"jsonrpc":"2.0","id":`), []byte("}")
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Queue(nil, head, payload, tail); err != nil {
			b.Fatal(err)
		}
		w.WaitBelow(1 << 20)
	}
	w.Close()
}

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
)

// A splicer is the least that a gateway can be which understands messages: it
// finds a request's id, method and tool by a scan of the line's head, cuts its
// prefix off the tool's name, numbers the request anew, and puts the host's id
// back into the answer. It validates nothing, bounds nothing and waits for ever;
// lists and whatever it does not know pass as they are.
//
// What is read at once is written at once. It waits as the floor does: what is
// between the two is knowing messages, and nothing else.
type splicer struct {
	prefix  string
	waiting waiting
}

func newSplicer(prefix string) *splicer {
	return &splicer{prefix: prefix, waiting: waiting{slots: make([]slot, 1024)}}
}

func splice(prefix, command string, args []string) error {
	child, in, out, err := startChild(command, args)
	if err != nil {
		return err
	}
	s := newSplicer(prefix)
	go func() {
		defer in.Close()
		// However it ends, the child sees the end of its input.
		_ = (&lane{to: in, change: s.toServer}).run(os.Stdin)
	}()
	if err := (&lane{to: os.Stdout, change: s.toHost}).run(out); err != nil {
		return err
	}
	return child.Wait()
}

// An edit is what stands in a line in place of something else.
type edit struct {
	at   span
	with []byte
}

func (s *splicer) toServer(l *lane, line []byte) {
	h := headOf(line)
	if !h.id.found() || !h.method.found() {
		l.put(line)
		return
	}
	l.number = strconv.AppendUint(l.number[:0], s.waiting.add(h.id.of(line)), 10)
	first, second := edit{h.id, l.number}, edit{at: span{len(line), len(line)}}
	if begin := h.name.from + 1; h.name.found() && bytes.HasPrefix(line[begin:], []byte(s.prefix)) {
		second.at = span{begin, begin + len(s.prefix)}
	}
	if second.at.from < first.at.from {
		first, second = second, first
	}
	l.put(line[:first.at.from])
	l.put(first.with)
	l.put(line[first.at.to:second.at.from])
	l.put(second.with)
	l.put(line[second.at.to:])
}

func (s *splicer) toHost(l *lane, line []byte) {
	h := headOf(line)
	number, err := strconv.ParseUint(string(h.id.of(line)), 10, 64)
	if err != nil || !h.answer {
		l.put(line)
		return
	}
	var there bool
	if l.number, there = s.waiting.take(l.number[:0], number); !there {
		l.put(line)
		return
	}
	l.put(line[:h.id.from])
	l.put(l.number)
	l.put(line[h.id.to:])
}

// A lane takes lines one way.
type lane struct {
	to     io.Writer
	change func(l *lane, line []byte) // puts what becomes of the line
	out    []byte                     // put, and not yet written
	number []byte                     // for change
	err    error                      // of a write
}

// One read is large, and what is as large as this is not copied.
const (
	laneBuffer = 256 << 10
	largePiece = 32 << 10
)

// run ends with its input, or when nothing can be written any more.
func (l *lane) run(from io.Reader) error {
	buf := make([]byte, laneBuffer)
	have := 0 // and no line end in it
	for l.err == nil {
		n, err := from.Read(buf[have:])
		taken := l.lines(buf[:have+n], have)
		l.flush()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if have += n; taken > 0 {
			have = copy(buf, buf[taken:have])
		}
		if have == len(buf) {
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
	return l.err
}

// lines changes the lines of p, which has no line end before searched, and
// returns how many bytes they are.
func (l *lane) lines(p []byte, searched int) (taken int) {
	for {
		i := bytes.IndexByte(p[searched:], '\n')
		if i < 0 {
			return taken
		}
		end := searched + i + 1
		l.change(l, p[taken:end])
		taken, searched = end, end
	}
}

func (l *lane) put(piece []byte) {
	if len(piece) < largePiece {
		l.out = append(l.out, piece...)
		return
	}
	l.flush()
	l.write(piece)
}

func (l *lane) flush() {
	l.write(l.out)
	l.out = l.out[:0]
}

func (l *lane) write(p []byte) {
	if len(p) > 0 && l.err == nil {
		_, l.err = l.to.Write(p)
	}
}

// waiting are the ids of requests that have no answer yet, by the numbers that
// they were given. It may be used by both lanes at once.
type waiting struct {
	mu    sync.Mutex
	slots []slot // of a number is that at number % len
	used  int
	last  uint64
}

type slot struct {
	number uint64 // 0: nothing waits here
	id     []byte // its memory serves again
}

// add keeps a copy of the id.
func (w *waiting) add(id []byte) (number uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if 2*w.used >= len(w.slots) {
		w.grow()
	}
	w.used++
	for w.last++; w.at(w.last).number != 0; w.last++ {
	}
	s := w.at(w.last)
	s.number, s.id = w.last, append(s.id[:0], id...)
	return w.last
}

func (w *waiting) at(number uint64) *slot { return &w.slots[number%uint64(len(w.slots))] }

func (w *waiting) grow() {
	old := w.slots
	w.slots = make([]slot, 2*len(old))
	for _, s := range old {
		if s.number != 0 {
			*w.at(s.number) = s
		}
	}
}

// take appends the id that was given this number, if one was.
func (w *waiting) take(to []byte, number uint64) (id []byte, there bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.at(number)
	if number == 0 || s.number != number {
		return to, false
	}
	s.number = 0
	w.used--
	return append(to, s.id...), true
}

package prelude

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// A Performance is what was said before the session was there; nil is that nothing
// was. It is for one host, whose streams go through
// Input and Output from then on.
type Performance struct {
	heard []byte // of what the host wrote, all that was read
	told  []told // what was answered, in this order
	rest  []byte // of that, what the host has not taken yet
}

// told is the answer to a request.
type told struct {
	id     []byte
	sum    []byte // of the line behind the id, with its end
	notice []byte
}

// Answered is how many requests were answered.
func (p *Performance) Answered() int {
	if p == nil {
		return 0
	}
	return len(p.told)
}

// maxHeard is how many bytes of what a host writes first are kept.
const maxHeard = 64 << 10

// An Input is what the host writes: first what was read of it already. It keeps
// the first of it for who asks.
type Input struct {
	src    io.Reader
	replay []byte

	mu    sync.Mutex
	heard []byte // guarded by mu
	over  bool   // guarded by mu; nothing more is kept
	done  bool   // of the reader alone: it knows of over
}

// Input returns the whole input of a host of which src is what was not read. It
// can do what src can.
func (p *Performance) Input(src io.Reader) *Input {
	in := &Input{src: src}
	if p != nil {
		in.replay = p.heard
	}
	return in
}

// Read implements io.Reader.
func (in *Input) Read(b []byte) (n int, err error) {
	if len(in.replay) > 0 {
		n = copy(b, in.replay)
		in.replay = in.replay[n:]
	} else {
		n, err = in.src.Read(b)
	}
	if !in.done {
		in.keep(b[:n])
	}
	return n, err
}

func (in *Input) keep(b []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.over = in.over || len(in.heard)+len(b) > maxHeard
	if in.over {
		in.done = true
		return
	}
	in.heard = append(in.heard, b...)
}

// Heard returns the lines that the host wrote until now, without their ends: of
// the first of them, as many as are kept.
func (in *Input) Heard() [][]byte {
	in.mu.Lock()
	defer in.mu.Unlock()
	var lines [][]byte
	rest := in.heard
	for {
		line, behind, whole := bytes.Cut(rest, []byte{'\n'})
		if !whole {
			return lines
		}
		lines, rest = append(lines, line), behind
	}
}

// Enough ends the keeping.
func (in *Input) Enough() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.over, in.heard = true, nil
}

// SetReadDeadline implements what files of pipes have.
func (in *Input) SetReadDeadline(t time.Time) error {
	if s, ok := in.src.(interface{ SetReadDeadline(time.Time) error }); ok {
		return s.SetReadDeadline(t)
	}
	return os.ErrNoDeadline
}

// Close closes what can be closed.
func (in *Input) Close() error {
	if c, ok := in.src.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Output returns the stream of a session to its host: what was answered before is
// not answered twice. Where nothing was it is dst.
func (p *Performance) Output(dst io.Writer) io.Writer {
	if p == nil || len(p.told) == 0 && len(p.rest) == 0 {
		return dst
	}
	o := &output{dst: dst, told: p.told, rest: p.rest}
	if try, ok := dst.(tryWriter); ok {
		return &tryOutput{o, try}
	}
	return o
}

type tryWriter interface {
	TryWrite(p []byte) (int, error)
}

// An output takes out of a stream of lines the answers that the host has
// already. It is written by one goroutine at a time.
type output struct {
	dst  io.Writer
	rest []byte
	told []told // not answered again so far

	head []byte // of a line of which is not known yet what it is
	line fate   // what becomes of the rest of it

	again told      // the answer that is being taken out
	sum   hash.Hash // of what is there in its place, behind the id
}

// fate is what becomes of a line.
type fate uint8

const (
	unknown fate = iota
	passed
	dropped
)

// tryOutput is one that can write without waiting, once there is nothing to take
// out any more.
type tryOutput struct {
	*output
	try tryWriter
}

func (o *tryOutput) TryWrite(p []byte) (int, error) {
	if o.busy() {
		return 0, nil // the caller goes on with Write
	}
	return o.try.TryWrite(p)
}

// SetWriteDeadline implements what files of pipes have.
func (o *output) SetWriteDeadline(t time.Time) error {
	if s, ok := o.dst.(interface{ SetWriteDeadline(time.Time) error }); ok {
		return s.SetWriteDeadline(t)
	}
	return os.ErrNoDeadline
}

func (o *output) busy() bool {
	return len(o.told) > 0 || len(o.rest) > 0 || o.line != unknown || len(o.head) > 0
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (n int, err error) {
	if len(o.rest) > 0 {
		m, err := o.dst.Write(o.rest)
		if o.rest = o.rest[m:]; err != nil {
			return 0, err
		}
	}
	for n < len(p) {
		if !o.busy() {
			m, err := o.dst.Write(p[n:])
			return n + m, err
		}
		m, err := o.part(p[n:])
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// part takes a part of one line, and returns how much it was.
func (o *output) part(p []byte) (n int, err error) {
	end := bytes.IndexByte(p, '\n')
	ends := end >= 0
	if ends {
		p = p[:end+1]
	}
	switch o.line {
	case unknown:
		err = o.begin(p, ends)
	case passed:
		_, err = o.dst.Write(p)
	case dropped:
		o.sum.Write(p)
	}
	if ends && err == nil {
		err = o.end()
	}
	return len(p), err
}

// begin finds out what becomes of a line.
func (o *output) begin(p []byte, ends bool) error {
	o.head = append(o.head, p...)
	open := false
	for i := range o.told {
		is, mayBe := o.told[i].answeredBy(o.head)
		if is {
			o.line, o.again, o.sum = dropped, o.told[i], sha256.New()
			o.sum.Write(o.head[len(replyHead)+len(o.again.id):])
			o.told = slices.Delete(slices.Clone(o.told), i, i+1)
			o.head = nil
			return nil
		}
		open = open || mayBe
	}
	if open && !ends {
		return nil
	}
	o.line = passed
	_, err := o.dst.Write(o.head)
	o.head = nil
	return err
}

// What each answer of weir's begins with, before and behind its id. A question of
// weir's may have the same one.
const replyHead = `{"jsonrpc":"2.0","id":`

var replyTails = []string{`,"result":`, `,"error":`}

// answeredBy reports whether a line that begins so is an answer to this request,
// or may be one yet.
func (t *told) answeredBy(head []byte) (is, mayBe bool) {
	for _, tail := range replyTails {
		want := append(append([]byte(replyHead), t.id...), tail...)
		is = is || bytes.HasPrefix(head, want)
		mayBe = mayBe || bytes.HasPrefix(want, head)
	}
	return is, mayBe
}

// end ends a line. The host is told if it was told something else before.
func (o *output) end() (err error) {
	if o.line == dropped && len(o.again.notice) > 0 && !bytes.Equal(o.sum.Sum(nil), o.again.sum) {
		_, err = o.dst.Write(o.again.notice)
	}
	o.line, o.again, o.sum = unknown, told{}, nil
	return err
}

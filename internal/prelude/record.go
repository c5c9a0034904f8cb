package prelude

import (
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"time"
)

// A Record is what a start answers, and what that depends on.
type Record struct {
	Made    time.Time
	Inputs  Inputs
	Answers []Answer // that to the first line of the host first
}

// An Answer is that to one line of a host. A notification has none: all that is
// known of it is that nothing is to be said.
type Answer struct {
	Line []byte // of the host, without its end
	ID   Span   // of the id in Line; the zero Span in a notification

	Reply   []byte // the line of the answer with its end; nil to a notification
	ReplyID Span   // of the id in Reply

	// Lifetime is where Reply says for how many milliseconds it is good, which
	// depends on when it is sent; the zero Lifetime where it does not. It stands
	// behind the id.
	Lifetime Lifetime

	// Notice is the line, with its end, that tells the host that what it was told
	// has changed; nil where it is not told that unasked.
	Notice []byte
}

// A Span is a part of a line.
type Span struct{ At, Len int }

func (s Span) of(line []byte) []byte { return line[s.At:s.end()] }

func (s Span) end() int { return s.At + s.Len }

// A Lifetime is a number in a reply: the milliseconds until a time, Most at most
// and 0 at least.
type Lifetime struct {
	Span

	Until time.Time
	Most  time.Duration
}

// The file of a record is a first line, a head, and bodies:
//
//	weir prelude 1 89abcdef 00001267           format; CRC-32 and size of the head
//
// The head is what an encoder writes. What is large of the replies are bodies, in
// the order of the head, which has the checksum of each: so that the first answer
// does not wait for them, and they need never be in memory whole.
//
// A change of this is another format, whose number stands in the names of its
// folders too.
const (
	number    = "1"
	format    = "weir prelude " + number + " "
	firstLine = len(format) + 8 + 1 + 8 + 1

	// maxHead is how large a head may be, maxRecord a file, in bytes.
	maxHead   = 1 << 20
	maxRecord = 32 << 20

	// bodyFrom is from which size on a text is a body.
	bodyFrom = 8 << 10
)

var (
	errDamaged  = errors.New("the record is damaged")
	errTooLarge = errors.New("the record is too large")
)

// Encode returns the file of a record.
func (r *Record) Encode() ([]byte, error) {
	e := encoder{text: make([]byte, firstLine, firstLine+16<<10)}
	e.time(r.Made)
	r.Inputs.encode(&e)
	e.number(len(r.Answers))
	for i := range r.Answers {
		e.answer(&r.Answers[i])
	}
	if len(e.text) > maxHead || len(e.text)+len(e.bodies) > maxRecord {
		return nil, errTooLarge
	}
	line := append(e.text[:0], format...)
	line = appendHex(line, sumOf(e.text[firstLine:]))
	line = appendHex(append(line, ' '), uint32(len(e.text)-firstLine))
	_ = append(line, '\n')
	return append(e.text, e.bodies...), nil
}

// What a piece of a reply is.
const (
	textPiece     = iota // bytes of the head
	bodyPiece            // bytes of the file
	idPiece              // the id of the request
	lifetimePiece        // the number of a Lifetime
)

func (e *encoder) answer(a *Answer) {
	e.bytes(a.Line)
	e.number(a.ID.At)
	e.number(a.ID.Len)
	e.bytes(a.Notice)
	if a.Reply == nil {
		e.number(0)
		return
	}
	behind := a.Reply[a.ReplyID.end():]
	e.number(3 + 2*count(a.Lifetime.Span != Span{}))
	e.piece(a.Reply[:a.ReplyID.At])
	e.number(idPiece)
	if a.Lifetime.Span != (Span{}) {
		e.piece(a.Reply[a.ReplyID.end():a.Lifetime.At])
		e.number(lifetimePiece)
		e.time(a.Lifetime.Until)
		e.fixed(uint64(a.Lifetime.Most.Milliseconds()))
		behind = a.Reply[a.Lifetime.end():]
	}
	e.piece(behind)
	sum := sha256.Sum256(a.Reply[a.ReplyID.end():])
	e.bytes(sum[:])
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

func (e *encoder) piece(text []byte) {
	if len(text) < bodyFrom {
		e.number(textPiece)
		e.bytes(text)
		return
	}
	e.number(bodyPiece)
	e.number(len(text))
	e.fixed(uint64(sumOf(text)))
	e.bodies = append(e.bodies, text...)
}

// leastCue is how many bytes a cue takes at least.
const leastCue = 5

// A script is a record as it is read.
type script struct {
	made   time.Time
	inputs Inputs
	cues   []cue
}

// A cue is a line of the host and what is said to it.
type cue struct {
	line   []byte
	id     Span
	notice []byte
	pieces []piece // of the reply; none to a notification
	sum    []byte  // of the reply behind its id
}

type piece struct {
	kind int
	text []byte

	at, size int64 // of a body, in the file
	crc      uint32

	until time.Time // of a lifetime
	most  int64     // in milliseconds
}

// decodeHead reads the first line.
func decodeHead(line []byte) (size int, sum uint32, ok bool) {
	if len(line) < firstLine || string(line[:len(format)]) != format || line[firstLine-10] != ' ' || line[firstLine-1] != '\n' {
		return 0, 0, false
	}
	sum, ok = fromHex(line[len(format) : firstLine-10])
	length, whole := fromHex(line[firstLine-9 : firstLine-1])
	return int(length), sum, ok && whole && length <= maxHead
}

// decode reads a head, which the script aliases, of a file with this size.
func decode(head []byte, sum uint32, fileSize int64) (*script, error) {
	if sumOf(head) != sum {
		return nil, errDamaged
	}
	d := decoder{rest: head, body: int64(firstLine + len(head))}
	s := &script{made: d.time()}
	s.inputs.decode(&d)
	s.cues = make([]cue, d.count(leastCue))
	for i := range s.cues {
		d.cue(&s.cues[i])
	}
	if d.bad || len(d.rest) > 0 || d.body != fileSize {
		return nil, errDamaged
	}
	return s, nil
}

func (d *decoder) cue(c *cue) {
	c.line = d.bytes()
	c.id = Span{d.number(), d.number()}
	c.notice = d.bytes()
	if c.id.end() > len(c.line) {
		d.bad = true
	}
	n := d.count(1)
	if n == 0 || d.bad {
		return
	}
	c.pieces = make([]piece, n)
	for i := range c.pieces {
		d.piece(&c.pieces[i])
	}
	c.sum = d.bytes()
}

func (d *decoder) piece(p *piece) {
	switch p.kind = d.number(); p.kind {
	case textPiece:
		p.text = d.bytes()
	case bodyPiece:
		p.at, p.size, p.crc = d.body, int64(d.number()), uint32(d.fixed())
		d.body += p.size
	case idPiece:
	case lifetimePiece:
		p.until, p.most = d.time(), int64(d.fixed())
	default:
		d.bad = true
	}
}

func sumOf(text []byte) uint32 { return crc32.ChecksumIEEE(text) }

const digits = "0123456789abcdef"

// hexOf writes bytes in digits.
func hexOf(data []byte) string {
	text := make([]byte, 0, 2*len(data))
	for _, b := range data {
		text = append(text, digits[b>>4], digits[b&0xf])
	}
	return string(text)
}

// appendHex writes a number in eight digits.
func appendHex(dst []byte, n uint32) []byte {
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&0xf])
	}
	return dst
}

func fromHex(text []byte) (n uint32, ok bool) {
	for _, c := range text {
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | uint32(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | uint32(c-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// An encoder is a file as far as it is written. Numbers are in groups of seven
// bits, the least first; what bytes writes has its length before it.
type encoder struct{ text, bodies []byte }

func (e *encoder) number(n int) {
	rest := uint64(n)
	for ; rest >= 0x80; rest >>= 7 {
		e.text = append(e.text, byte(rest)|0x80)
	}
	e.text = append(e.text, byte(rest))
}

// fixed is a number of eight bytes, the least first.
func (e *encoder) fixed(n uint64) {
	for shift := 0; shift < 64; shift += 8 {
		e.text = append(e.text, byte(n>>shift))
	}
}

func (e *encoder) bytes(b []byte) {
	e.number(len(b))
	e.text = append(e.text, b...)
}

func (e *encoder) time(t time.Time) { e.fixed(uint64(t.UnixMilli())) }

func (e *encoder) flag(f bool) { e.number(count(f)) }

// A decoder reads what an encoder has written. What is not there reads as
// nothing, and is remembered.
type decoder struct {
	rest []byte
	body int64 // where the next one begins
	bad  bool
}

// maxDigits is how many bytes a number has at most: none is larger than a file.
const maxDigits = 5

func (d *decoder) number() (n int) {
	for i, b := range d.rest {
		if i == maxDigits {
			break
		}
		n |= int(b&0x7f) << (7 * i)
		if b < 0x80 {
			d.rest = d.rest[i+1:]
			return n
		}
	}
	d.fail()
	return 0
}

func (d *decoder) fail() { d.bad, d.rest = true, nil }

func (d *decoder) fixed() (n uint64) {
	if len(d.rest) < 8 {
		d.fail()
		return 0
	}
	for i, b := range d.rest[:8] {
		n |= uint64(b) << (8 * i)
	}
	d.rest = d.rest[8:]
	return n
}

// count is the number of things that follow, each of which takes so many bytes at
// least.
func (d *decoder) count(each int) int {
	n := d.number()
	if n > len(d.rest)/each {
		d.fail()
		return 0
	}
	return n
}

func (d *decoder) bytes() []byte {
	n := d.number()
	if n > len(d.rest) {
		d.fail()
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) time() time.Time { return time.UnixMilli(int64(d.fixed())) }

func (d *decoder) flag() bool { return d.number() == 1 }

package transport

import (
	"bytes"
	"io"
	"math"
	"strconv"
	"time"
	"unicode"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// event is one event of an event stream (WHATWG HTML, server-sent events).
type event struct {
	// data is the data lines, joined. It is good until the next call of next;
	// from jsonrpc.Large on it has memory of its own and may be kept.
	data []byte

	name string            // "" for the default, which is "message"
	over *jsonrpc.IDFinder // in place of data that is over the limit: it was fed with that
}

// eventReader takes events from a stream. It holds one event and a few KiB, and
// is for one goroutine.
type eventReader struct {
	src   io.Reader
	limit int    // bytes of the data of one event
	idle  func() // called before each read, which may wait
	room  *room  // for events that grow large; nil for any

	lastID string
	retry  time.Duration // from the last retry field; negative without one

	buf        []byte // buf[start:end] is read and not yet looked at
	start, end int
	afterCR    bool // a \n that comes first belongs to the line end before it

	begun bool   // the first line, which may start with a byte order mark, is behind
	field field  // which the line is in
	name  []byte // of the field, as far as it can matter
	value []byte // of a field other than data, as far as it can matter
	space bool   // the next byte of the value may be the one space to skip

	ev      event
	hasData bool
}

// field is the part of a line that the reader is in: the name, or the value of
// one of the fields that there are.
type field uint8

const (
	inName field = iota
	inData
	inEvent
	inID
	inRetry
	inOther // unknown fields and comments
)

const (
	eventBuffer    = 32 << 10
	fieldNameLimit = 16
	fieldLimit     = 1 << 10 // of the value of a field other than data
)

func newEventReader(src io.Reader, limit int, idle func()) *eventReader {
	return &eventReader{src: src, limit: limit, idle: idle, retry: -1, buf: make([]byte, eventBuffer)}
}

// continueOn goes on with another stream, which continues the one before. What
// that left unfinished is dropped.
func (r *eventReader) continueOn(src io.Reader) {
	*r = eventReader{src: src, limit: r.limit, idle: r.idle, room: r.room, lastID: r.lastID, retry: r.retry, buf: r.buf}
}

// next returns the next event that has data. id and retry of those without
// (priming events) take effect all the same. The error, io.EOF among them, is
// final; an event that it cuts off is not returned.
func (r *eventReader) next() (event, error) {
	r.room.leave()
	r.ev = event{data: r.ev.data[:0]}
	if cap(r.ev.data) >= jsonrpc.Large {
		r.ev.data = nil
	}
	r.hasData = false
	for {
		if r.start == r.end {
			if err := r.room.hold(len(r.ev.data)); err != nil {
				return event{}, err
			}
			if err := r.fill(); err != nil {
				return event{}, err
			}
		}
		whole := r.line()
		if whole && r.endLine() {
			return r.ev, nil
		}
	}
}

func (r *eventReader) fill() error {
	r.idle()
	n, err := r.src.Read(r.buf)
	r.start, r.end = 0, n
	if n > 0 {
		return nil // the error, if there is one, comes again
	}
	return err
}

// line takes the rest of a line, or as much of it as is there, and reports
// whether the line is at its end.
func (r *eventReader) line() (whole bool) {
	rest := r.buf[r.start:r.end]
	if r.afterCR {
		r.afterCR = false
		if len(rest) > 0 && rest[0] == '\n' {
			r.start++
			return false
		}
	}
	end := lineEnd(rest)
	if end < 0 {
		r.start = r.end
		r.take(rest)
		return false
	}
	r.start += end + 1
	r.afterCR = rest[end] == '\r'
	r.take(rest[:end])
	return true
}

func lineEnd(p []byte) int {
	lf := bytes.IndexByte(p, '\n')
	if lf >= 0 {
		p = p[:lf]
	}
	if cr := bytes.IndexByte(p, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// take adds part of a line to the field that the line is in.
func (r *eventReader) take(part []byte) {
	if r.field == inName {
		colon := bytes.IndexByte(part, ':')
		if colon < 0 {
			r.name = appendUpTo(r.name, part, fieldNameLimit)
			return
		}
		r.name = appendUpTo(r.name, part[:colon], fieldNameLimit)
		r.beginValue()
		part = part[colon+1:]
	}
	if r.space && len(part) > 0 {
		r.space = false
		if part[0] == ' ' {
			part = part[1:]
		}
	}
	switch r.field {
	case inData:
		r.takeData(part)
	case inEvent, inID, inRetry:
		r.value = appendUpTo(r.value, part, fieldLimit+1)
	case inName, inOther:
	}
}

func appendUpTo(dst, p []byte, limit int) []byte {
	return append(dst, p[:min(len(p), limit-len(dst))]...)
}

// beginValue looks at the name of a field when it is whole.
func (r *eventReader) beginValue() {
	name := r.name
	if !r.begun {
		name = bytes.TrimPrefix(name, []byte("\uFEFF"))
	}
	r.space = true
	switch string(name) {
	case "data":
		r.field = inData
		if r.hasData {
			r.takeData([]byte{'\n'})
		}
		r.hasData = true
	case "event":
		r.field = inEvent
	case "id":
		r.field = inID
	case "retry":
		r.field = inRetry
	default:
		r.field = inOther
	}
}

func (r *eventReader) takeData(part []byte) {
	if r.ev.over == nil && len(part) > r.limit-len(r.ev.data) {
		r.ev.over = new(jsonrpc.IDFinder)
		r.ev.over.Feed(r.ev.data)
		r.ev.data = nil
	}
	if r.ev.over != nil {
		r.ev.over.Feed(part)
		return
	}
	if need := len(r.ev.data) + len(part); need > cap(r.ev.data) {
		// Doubled, where append would copy a large message many times over.
		grown := make([]byte, len(r.ev.data), max(need, min(2*need, r.limit)))
		copy(grown, r.ev.data)
		r.ev.data = grown
	}
	r.ev.data = append(r.ev.data, part...)
}

// endLine finishes a line, and reports whether an event with data ends with it.
func (r *eventReader) endLine() (dispatch bool) {
	blank := r.field == inName && len(r.name) == 0
	if blank {
		r.begun = true
		return r.endEvent()
	}
	if r.field == inName {
		r.beginValue() // a line without a colon is a name with an empty value
	}
	r.endField()
	r.begun = true
	r.field, r.name, r.value, r.space = inName, r.name[:0], r.value[:0], false
	return false
}

func (r *eventReader) endField() {
	if len(r.value) > fieldLimit {
		return
	}
	switch r.field {
	case inEvent:
		r.ev.name = string(r.value)
	case inID:
		// The standard bars only NUL; the others could not be sent back either.
		if bytes.IndexFunc(r.value, unicode.IsControl) < 0 {
			r.lastID = string(r.value)
		}
	case inRetry:
		if ms, err := strconv.ParseUint(string(r.value), 10, 63); err == nil {
			r.retry = time.Duration(min(ms, math.MaxInt64/uint64(time.Millisecond))) * time.Millisecond
		}
	case inName, inData, inOther:
	}
}

func (r *eventReader) endEvent() (dispatch bool) {
	if len(r.ev.data) == 0 && r.ev.over == nil {
		r.ev.name, r.hasData = "", false
		return false
	}
	return true
}

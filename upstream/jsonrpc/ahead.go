package jsonrpc

import "bytes"

// reserve is how much of a text that still comes must be there before a token is
// looked at. A number or a run of white space that is longer may be cut by the end
// of what is there, and the text is then scanned once more when it is whole.
const reserve = 1 << 10

// Ahead lets the Reader scan a long line while it comes, into m: who writes it and
// who reads it work at the same time then, and [Message.Parse] of m finds the work
// done. m is the Reader's while Next runs.
func (r *Reader) Ahead(m *Message) { r.ahead = m }

// isLong reports whether the line under way is worth being scanned, and was not
// tried yet in this buffer.
func (r *Reader) isLong() bool {
	return r.ahead != nil && !r.tried && len(r.buf) > bufferSize && r.end-r.start >= Large
}

// scanAhead scans the line under way, and reads on meanwhile: to its end at most,
// and as far as the buffer goes.
func (r *Reader) scanAhead() {
	r.tried = true
	r.ahead.scanAhead(r.buf[r.start:r.end], reserve, r.more)
}

// forgetAhead begins anew, with another line or in another buffer.
func (r *Reader) forgetAhead() {
	if r.tried {
		r.tried, r.ahead.scanned = false, nil
	}
}

// more reads once within the buffer and returns what is there of the line, and
// whether that is all there will be.
func (r *Reader) more() (text []byte, all bool) {
	if r.end == len(r.buf) || r.err != nil || r.isOverLimit() {
		return r.buf[r.start:r.end], true
	}
	r.fill()
	if i := bytes.IndexByte(r.buf[r.searched:r.end], '\n'); i >= 0 {
		return r.buf[r.start : r.searched+i], true
	}
	r.searched = r.end
	return r.buf[r.start:r.end], false
}

// scanAhead scans the first value of a text that still comes. If it finds one, m
// has its members, and Parse of just that value takes them as they are. So whatever
// stops the scan, or stands behind the value, costs a second one and nothing else.
func (m *Message) scanAhead(text []byte, reserve int, more func() ([]byte, bool)) {
	m.scanned, m.Members, m.Fields = nil, emptied(m.Members), emptied(m.Fields)
	s := scanner{data: text, reserve: reserve, more: more}
	from := s.space(0)
	if end := s.value(from, &m.Members, &m.Fields); end != failed {
		m.scanned = s.data[from:end]
	}
}

// isScanned reports whether raw is what scanAhead has scanned: not another text of
// the same bytes.
func (m *Message) isScanned(raw []byte) bool {
	return len(raw) == len(m.scanned) && len(raw) > 0 && &raw[0] == &m.scanned[0]
}

// refill reads on where the text is not whole, and reports whether there is more of
// it now.
func (s *scanner) refill() bool {
	if s.reserve == 0 {
		return false
	}
	had := len(s.data)
	text, all := s.more()
	if s.data = text; all {
		s.reserve = 0
	}
	return len(text) > had
}

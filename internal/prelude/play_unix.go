//go:build unix

package prelude

import (
	"bytes"
	"errors"
	"hash/crc32"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// How long a prelude waits for the host to go on, and how long all of it may take:
// meanwhile nobody makes ready what it does not know.
const (
	patience = 5 * time.Millisecond
	atMost   = 40 * time.Millisecond
)

// pipeSize is how far the prelude may be ahead of the host.
const pipeSize = 512 << 10

// Streams are the descriptors of a process's streams.
type Streams struct{ In, Out, Err int }

// Play answers the host of a process, as long as a record knows what it asks. It
// is nil if nothing was read: in any process that is not started as one that has
// served, or whose streams are not pipes or sockets. The descriptors stay as they
// are.
func Play(p Process, of Streams) *Performance {
	if !of.areHosts() {
		return nil
	}
	s, err := NewStart(p)
	if err != nil || !isOwnFolder(s.folder) || !isOwnFolder(s.records()) {
		return nil
	}
	return s.play(of)
}

// areHosts reports whether they are pipes or sockets of their own. What is stderr
// as well is left in its mode.
func (of Streams) areHosts() bool {
	var in, out, stderr unix.Stat_t
	if unix.Fstat(of.In, &in) != nil || unix.Fstat(of.Out, &out) != nil || !isStream(&in) || !isStream(&out) {
		return false
	}
	return unix.Fstat(of.Err, &stderr) != nil || !same(&stderr, &in) && !same(&stderr, &out)
}

func isStream(info *unix.Stat_t) bool {
	kind := info.Mode & unix.S_IFMT
	return kind == unix.S_IFIFO || kind == unix.S_IFSOCK
}

func same(a, b *unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }

func (s *Start) play(of Streams) *Performance {
	for _, fd := range [...]int{of.In, of.Out} {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			return nil
		}
		if flags&unix.O_NONBLOCK == 0 {
			if unix.SetNonblock(fd, true) != nil {
				return nil
			}
			defer unix.SetNonblock(fd, false) //nolint:errcheck // it was possible the other way
		}
	}
	p := player{in: of.In, out: of.Out, over: time.Now().Add(atMost)}
	if first, ok := p.next(); ok {
		p.play(s, first)
	}
	if len(p.heard) == 0 {
		return nil
	}
	return &p.Performance
}

// A player is a prelude while it is being played.
type player struct {
	Performance

	in, out int
	over    time.Time
	used    int // of heard, what lines were made of

	script *script
	file   *openedFile
	sound  bool // its bodies are what they were
}

func (p *player) play(s *Start, line []byte) {
	if !p.load(s, line) {
		return
	}
	defer p.file.close()
	for ok := true; ok; line, ok = p.next() {
		if !p.answer(line) {
			return
		}
		if !p.sound { // the host has something to read meanwhile
			p.sound = p.bodiesAreSound()
			growPipe(p.out, pipeSize)
		}
	}
}

// usualHead is how much is read of a record at first.
const usualHead = 32 << 10

// load opens the record for a host that begins like this, if it is one of this
// very moment.
func (p *player) load(s *Start, first []byte) bool {
	f, err := openOwn(s.Path(first), maxRecord)
	if err != nil {
		return false
	}
	p.file = f
	if p.script = f.script(); p.script == nil || p.script.made.After(time.Now()) || !s.Hold(&p.script.inputs) {
		f.close()
		return false
	}
	return true
}

// script reads the head of a record; nil if that is damaged.
func (f *openedFile) script() *script {
	data := make([]byte, min(f.size, usualHead))
	if n, err := f.readAt(data, 0); err != nil || n < len(data) {
		return nil
	}
	size, sum, ok := decodeHead(data)
	if !ok || int64(firstLine+size) > f.size {
		return nil
	}
	if n := firstLine + size - len(data); n > 0 {
		rest := make([]byte, n)
		if m, err := f.readAt(rest, int64(len(data))); err != nil || m < n {
			return nil
		}
		data = append(data, rest...)
	}
	script, err := decode(data[firstLine:firstLine+size], sum, f.size)
	if err != nil {
		return nil
	}
	return script
}

// bodiesAreSound looks whether the bodies are damaged.
func (p *player) bodiesAreSound() bool {
	room := make([]byte, chunk)
	for i := range p.script.cues {
		for _, piece := range p.script.cues[i].pieces {
			if piece.kind == bodyPiece && !p.file.isSound(&piece, room) {
				return false
			}
		}
	}
	return true
}

// chunk is how much of a body is in memory at a time.
const chunk = 64 << 10

func (f *openedFile) isSound(body *piece, room []byte) bool {
	sum := uint32(0)
	for done := int64(0); done < body.size; {
		part := room[:min(body.size-done, int64(len(room)))]
		if n, err := f.readAt(part, body.at+done); err != nil || n < len(part) {
			return false
		}
		sum = crc32.Update(sum, crc32.IEEETable, part)
		done += int64(len(part))
	}
	return sum == body.crc
}

// next returns the next line of the host, without its end, if it comes soon.
func (p *player) next() (line []byte, ok bool) {
	for {
		if end := bytes.IndexByte(p.heard[p.used:], '\n'); end >= 0 {
			line = p.heard[p.used : p.used+end]
			p.used += end + 1
			return line, true
		}
		if len(p.heard) >= maxHeard || !p.await(p.in, unix.POLLIN) {
			return nil, false
		}
		if p.heard == nil {
			p.heard = make([]byte, 0, maxHeard)
		}
		n, err := unix.Read(p.in, p.heard[len(p.heard):maxHeard])
		switch {
		case again(err):
		case err != nil || n <= 0:
			return nil, false // who comes after finds that out for itself
		default:
			p.heard = p.heard[:len(p.heard)+n]
		}
	}
}

// answer answers a line. It reports false if that is not in the script, or the
// host does not take the answer.
func (p *player) answer(line []byte) bool {
	for i := range p.script.cues {
		c := &p.script.cues[i]
		id, ok := c.matches(line)
		if !ok {
			continue
		}
		return len(c.pieces) == 0 || p.say(c, id.of(line))
	}
	return false
}

// say answers a request with this id.
func (p *player) say(c *cue, id []byte) bool {
	if p.has(id) {
		return false
	}
	parts := p.parts(c, id)
	if parts == nil {
		return false
	}
	p.told = append(p.told, told{id: bytes.Clone(id), sum: c.sum, notice: c.notice})
	for i, part := range parts {
		if done, err := part.write(p); err != nil || done < part.size() {
			p.rest = rest(p.file, parts[i:], done)
			return false
		}
	}
	return true
}

// has reports whether a request with this id was answered.
func (p *player) has(id []byte) bool {
	for i := range p.told {
		if bytes.Equal(p.told[i].id, id) {
			return true
		}
	}
	return false
}

// A part of an answer is bytes, or a body.
type part struct {
	bytes []byte
	body  *piece
}

func (w part) size() int64 {
	if w.body != nil {
		return w.body.size
	}
	return int64(len(w.bytes))
}

// parts are those of an answer, all bytes between bodies together; nil where there
// is a body that is damaged.
func (p *player) parts(c *cue, id []byte) []part {
	parts := make([]part, 1, 4)
	for i := range c.pieces {
		last := &parts[len(parts)-1]
		switch piece := &c.pieces[i]; piece.kind {
		case textPiece:
			last.bytes = append(last.bytes, piece.text...)
		case idPiece:
			last.bytes = append(last.bytes, id...)
		case lifetimePiece:
			last.bytes = strconv.AppendInt(last.bytes, piece.lifetime(time.Now()), 10)
		case bodyPiece:
			if !p.sound {
				if p.sound = p.bodiesAreSound(); !p.sound {
					return nil
				}
			}
			parts = append(parts, part{body: piece}, part{})
		}
	}
	return parts
}

func (p *piece) lifetime(now time.Time) int64 {
	return max(0, min(p.until.Sub(now).Milliseconds(), p.most))
}

// write writes as much of a part as the host takes soon.
func (w part) write(p *player) (done int64, err error) {
	for done < w.size() {
		n := 0
		if w.body != nil {
			n, err = send(p.out, p.file.fd, w.body.at+done, int(w.body.size-done))
		} else {
			n, err = unix.Write(p.out, w.bytes[done:])
		}
		switch {
		case n > 0:
			done += int64(n)
		case again(err):
			if !p.await(p.out, unix.POLLOUT) {
				return done, nil
			}
		default:
			return done, errGone // who comes after finds that out for itself
		}
	}
	return done, nil
}

var errGone = errors.New("the host takes nothing any more")

// rest is what is left of parts, of the first of which so much was written.
func rest(f *openedFile, parts []part, done int64) []byte {
	var all []byte
	for _, p := range parts {
		if p.body == nil {
			all = append(all, p.bytes[done:]...)
		} else {
			body := make([]byte, p.body.size-done)
			n, _ := f.readAt(body, p.body.at+done) // it was read before
			all = append(all, body[:n]...)
		}
		done = 0
	}
	return all
}

// await waits until a descriptor is ready, or has ended. It reports false if that
// takes too long.
func (p *player) await(fd int, events int16) bool {
	until := time.Now().Add(patience)
	if until.After(p.over) {
		until = p.over
	}
	for {
		left := time.Until(until)
		if left <= 0 {
			return false
		}
		fds := [1]unix.PollFd{{Fd: int32(fd), Events: events}}
		n, err := unix.Poll(fds[:], int(left/time.Millisecond)+1)
		if err != nil && !again(err) {
			return false
		}
		if n > 0 {
			return true
		}
	}
}

func again(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)
}

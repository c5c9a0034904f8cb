package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The patience of a WebSocket. Its pings keep the connection open where it leads
// through proxies, and find out that nobody is there any more. A server that is
// busy need not answer each of them: nothing at all may come for a while only,
// and, where something is asked of it, for as long as that may take.
const (
	pingInterval = 30 * time.Second
	silenceLimit = 90 * time.Second
	controlTime  = 60 * time.Second // for a ping or pong to be written
	closeTime    = time.Second      // for a server to agree to the end
)

const frameBuffer = 32 << 10

// ErrSilent is a server that has not answered pings.
var ErrSilent = errors.New("server does not answer any more")

// A BinaryError is a message in a binary frame. ID is the id if one could be
// found in it, else nil.
type BinaryError struct{ ID []byte }

func (e *BinaryError) Error() string { return "message came in a binary frame, want text" }

// frames is a WebSocket as a Stream: each text frame is a line. What its reader
// and its writer keep is theirs alone.
type frames struct {
	conn *websocket.Conn
	busy func() bool // reports whether the server works on something; nil for never

	heard  atomic.Int64 // when something came last, in Unix nanoseconds
	silent atomic.Bool  // nothing has come for so long that the connection was closed

	message io.Reader // the message under way; nil between two
	binary  bool      // it, or the last, is no text

	frame io.WriteCloser // the message being written; nil between two

	pongs    chan string   // payload of the last ping that is to be answered
	closing  chan struct{} // closed by Close
	ended    chan struct{} // closed when nothing more can be read
	done     chan struct{}
	once     sync.Once
	endOnce  sync.Once
	keepDone chan struct{}
}

// newFrames returns a Stream over conn, which it closes. While busy says so silence
// is none of a server that is gone; it must not block, and may be nil.
func newFrames(conn *websocket.Conn, busy func() bool) *frames {
	f := &frames{
		conn:     conn,
		busy:     busy,
		pongs:    make(chan string, 1),
		closing:  make(chan struct{}),
		ended:    make(chan struct{}),
		done:     make(chan struct{}),
		keepDone: make(chan struct{}),
	}
	conn.SetPingHandler(f.pinged)
	conn.SetPongHandler(func(string) error {
		f.alive()
		return nil
	})
	f.alive()
	go f.keep()
	return f
}

func (f *frames) Input() io.Reader      { return (*frameReader)(f) }
func (f *frames) Output() io.Writer     { return (*frameWriter)(f) }
func (f *frames) Done() <-chan struct{} { return f.done }

// keep pings the server and answers its pings. Only the last of those matters
// (RFC 6455, 5.5.3).
func (f *frames) keep() {
	defer close(f.keepDone)
	ticker := time.NewTicker(pingInterval)
	defer ticker.Stop()
	for {
		// What cannot be written is noticed by the silence that follows.
		select {
		case <-ticker.C:
			f.endIfSilent()
			_ = f.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(controlTime))
		case payload := <-f.pongs:
			_ = f.conn.WriteControl(websocket.PongMessage, []byte(payload), time.Now().Add(controlTime))
		case <-f.closing:
			return
		}
	}
}

// pinged is called by the reader, which must not wait for the writer.
func (f *frames) pinged(payload string) error {
	select {
	case <-f.pongs:
	default:
	}
	f.pongs <- payload // nobody else puts anything in
	f.alive()
	return nil
}

// alive notes that something has come.
func (f *frames) alive() { f.heard.Store(time.Now().UnixNano()) }

// endIfSilent closes the connection to a server that is gone.
func (f *frames) endIfSilent() {
	silence := time.Since(time.Unix(0, f.heard.Load()))
	if silence < silenceLimit || f.busy != nil && f.busy() {
		return
	}
	f.silent.Store(true)
	_ = f.conn.Close() // the reader notices
}

// Close ends the connection as RFC 6455, 7.1.2 asks for, in little time.
func (f *frames) Close() {
	f.once.Do(func() {
		close(f.closing)
		go f.close()
	})
}

func (f *frames) close() {
	defer close(f.done)
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	deadline := time.Now().Add(closeTime)
	select {
	case <-f.ended:
	default:
		if f.conn.WriteControl(websocket.CloseMessage, bye, deadline) == nil {
			f.awaitEnd(time.Until(deadline))
		}
	}
	_ = f.conn.Close()
	<-f.keepDone
}

func (f *frames) awaitEnd(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-f.ended:
	case <-timer.C:
	}
}

// Cause says what a close code says. What was closed on this side without need
// is a connection that could not be written.
func (f *frames) Cause(err error) error {
	if f.silent.Load() {
		return ErrSilent
	}
	if errors.Is(err, net.ErrClosed) {
		return ErrInputClosed
	}
	closed, ok := errors.AsType[*websocket.CloseError](err)
	if !ok {
		return err
	}
	switch closed.Code {
	case websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived:
		return ErrPeerClosed
	case websocket.CloseAbnormalClosure:
		return errors.New("connection broke off")
	}
	return fmt.Errorf("%w: code %d %.120q", ErrPeerClosed, closed.Code, closed.Text)
}

// check finds the lines that were binary frames.
func (f *frames) check(lines source) source { return textFrames{f, lines} }

type textFrames struct {
	frames *frames
	lines  source
}

// Next relies on the reader of lines to read no further than it must: a read
// ends with a message at the latest.
func (t textFrames) Next() ([]byte, error) {
	line, err := t.lines.Next()
	if err == nil && t.frames.binary {
		return nil, &BinaryError{jsonrpc.FindID(line)}
	}
	return line, err
}

// frameReader is the side of frames that reads.
type frameReader frames

func (f *frameReader) Read(p []byte) (int, error) {
	n, err := f.read(p)
	if err != nil {
		f.endOnce.Do(func() { close(f.ended) })
		return 0, err
	}
	(*frames)(f).alive()
	return n, nil
}

func (f *frameReader) read(p []byte) (int, error) {
	if f.message == nil {
		kind, message, err := f.conn.NextReader()
		if err != nil {
			return 0, err
		}
		f.message, f.binary = message, kind == websocket.BinaryMessage
	}
	n, err := f.message.Read(p)
	switch {
	case n > 0:
		onOneLine(p[:n])
		return n, nil // an error, if there is one, comes again
	case errors.Is(err, io.EOF):
		f.message = nil
		p[0] = '\n'
		return 1, nil
	}
	return 0, err
}

// frameWriter is the side of frames that writes.
type frameWriter frames

func (f *frameWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		if err := f.write(line, whole); err != nil {
			return 0, err
		}
		rest = after
	}
	return len(p), nil
}

// write adds to the message under way, or begins one.
func (f *frameWriter) write(part []byte, last bool) (err error) {
	if f.frame == nil {
		if f.frame, err = f.conn.NextWriter(websocket.TextMessage); err != nil {
			return err
		}
	}
	if _, err = f.frame.Write(part); err != nil || !last {
		return err
	}
	err = f.frame.Close()
	f.frame = nil
	return err
}

package transport

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A Stream is what a connection of lines runs over.
type Stream interface {
	// Input is what the server sends. Once Close is called it ends soon.
	Input() io.Reader

	// Output is what the server reads. Once Close is called writes fail soon.
	Output() io.Writer

	// Close begins the end of the stream and returns at once. It may be called
	// more than once.
	Close()

	// Cause turns what Input or Output ended with into what is to be told. It is
	// called once, after Close, and may wait a moment for the answer.
	Cause(err error) error

	// Done is closed when nothing is left of the stream.
	Done() <-chan struct{}
}

const (
	// backlog is how many bytes beyond one message may wait for a server that
	// does not read.
	backlog = 4 << 20

	// batchLimit bounds a batch: a line of empty elements would fill many times
	// its own memory. No server has a reason to send batches to weir, which
	// sends none.
	batchLimit = 4 << 20
)

// Lines is a [Conn] that carries one message a line in each direction (the
// framing of 2025-11-25, Transports, stdio). Batches, which 2025-03-26 allowed,
// are taken apart. One goroutine calls the Receiver, in the order of arrival;
// the Message is the same one each time.
type Lines struct {
	stream Stream
	recv   Receiver
	limit  int
	writer *jsonrpc.Writer

	message  jsonrpc.Message
	elements [][]byte

	lost chan struct{}
	done chan struct{}

	ending atomic.Bool // err is set

	mu      sync.Mutex
	err     error       // guarded by mu; the first reason to take no more
	isLost  bool        // guarded by mu; lost is closed
	failing *time.Timer // guarded by mu; runs since a write has failed
}

// ErrInputClosed is a server that takes no messages any more, but has not ended
// its side.
var ErrInputClosed = errors.New("server has closed its input")

// endTime is how long after a failed write the end of the other direction may
// take, which mostly comes along and knows better why.
const endTime = 200 * time.Millisecond

// NewLines returns a connection over s, which it closes. A message may have
// limit bytes.
func NewLines(s Stream, recv Receiver, limit int) *Lines {
	c := &Lines{
		stream: s,
		recv:   recv,
		limit:  limit,
		writer: jsonrpc.NewWriter(s.Output()),
		lost:   make(chan struct{}),
		done:   make(chan struct{}),
	}
	c.writer.OnFailure(func(error) { _ = c.unwritable() })
	go c.run()
	return c
}

// Send queues a message as one line. It is refused when the server has left
// more than limit and 4 MiB unread.
func (c *Lines) Send(b *jsonrpc.Batch, out *Outgoing) error {
	if c.ending.Load() {
		return c.Err()
	}
	switch err := c.writer.QueueBelow(b, c.limit+backlog, out.Pieces...); {
	case err == nil:
		return nil
	case errors.Is(err, jsonrpc.ErrFull):
		return ErrCongested
	}
	return c.unwritable()
}

// Abandon leaves it to the caller to tell the server.
func (c *Lines) Abandon(uint64) bool { return true }

// Established changes nothing: lines are the same in both eras.
func (c *Lines) Established(string, bool) {}

// Close begins the end. What is queued and not yet written is dropped.
func (c *Lines) Close() {
	c.mu.Lock()
	c.refuse(ErrClosed)
	c.mu.Unlock()
	c.stream.Close()
}

// Done is closed when the stream has ended and no goroutine is left.
func (c *Lines) Done() <-chan struct{} { return c.done }

// Lost is closed when the server's side of the stream has ended, or this side
// could not be written.
func (c *Lines) Lost() <-chan struct{} { return c.lost }

// Err says why the connection takes no more: ErrClosed after Close, else what
// the stream says about its end. It is nil while the connection is good, and
// does not change after.
func (c *Lines) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// run reads until the end and then sees everything else to its own.
func (c *Lines) run() {
	defer close(c.done)
	err := c.read()
	c.stream.Close()
	c.lose(c.stream.Cause(err))
	<-c.stream.Done()
	c.writer.Close()
	c.stopTimer()
}

// refuse takes no more, for that reason if it is the first. The caller holds mu.
func (c *Lines) refuse(err error) {
	if c.err == nil {
		c.err = err
		c.ending.Store(true)
	}
}

func (c *Lines) lose(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse(err)
	if !c.isLost {
		c.isLost = true
		close(c.lost)
	}
}

// unwritable begins the end after a failed write, and returns why nothing can
// be sent.
func (c *Lines) unwritable() error {
	c.stream.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if c.failing == nil {
		c.failing = time.AfterFunc(endTime, func() { c.lose(ErrInputClosed) })
	}
	return ErrInputClosed
}

func (c *Lines) stopTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failing != nil {
		c.failing.Stop()
	}
}

func (c *Lines) read() error {
	var b jsonrpc.Batch
	defer b.Flush()
	reader := jsonrpc.NewReader(c.stream.Input(), c.limit, b.Flush)
	reader.Ahead(&c.message)
	var lines source = reader
	if choosy, ok := c.stream.(interface{ check(lines source) source }); ok {
		lines = choosy.check(lines)
	}
	for first := true; ; first = false {
		line, err := lines.Next()
		if id, ok := passedOver(err); ok {
			c.recv.Malformed(&b, id, err)
			continue
		}
		if err != nil {
			return err
		}
		if first {
			line = bytes.TrimPrefix(line, byteOrderMark)
		}
		c.deliver(&b, line, reader.Loan())
	}
}

// A source yields the lines of a stream. After an error that passedOver knows it
// goes on.
type source interface{ Next() ([]byte, error) }

// passedOver reports whether err is about one line alone, and returns the id
// that was found in it.
func passedOver(err error) (id []byte, ok bool) {
	if tooLong, is := errors.AsType[*jsonrpc.LineTooLongError](err); is {
		return tooLong.ID, true
	}
	if binary, is := errors.AsType[*BinaryError](err); is {
		return binary.ID, true
	}
	return nil, false
}

// byteOrderMark is what some runtimes on Windows begin their output with.
var byteOrderMark = []byte("\uFEFF")

func (c *Lines) deliver(b *jsonrpc.Batch, line []byte, loan *jsonrpc.Loan) {
	if len(line) >= jsonrpc.Large {
		defer func() { c.message = jsonrpc.Message{} }() // it would keep the line while nothing comes
	}
	err := c.message.Parse(line)
	if errors.Is(err, jsonrpc.ErrBatch) {
		c.deliverBatch(b, line)
		return
	}
	c.message.Loan = loan
	c.deliverParsed(b, err)
}

func (c *Lines) deliverBatch(b *jsonrpc.Batch, line []byte) {
	if len(line) > batchLimit {
		c.recv.Malformed(b, nil, &jsonrpc.InvalidError{What: "batch is too long"})
		return
	}
	elements, err := jsonrpc.ParseArray(c.elements[:0], line)
	if err == nil && len(elements) == 0 {
		err = &jsonrpc.InvalidError{What: "batch is empty"}
	}
	if err != nil {
		c.recv.Malformed(b, nil, err)
		return
	}
	for _, element := range elements {
		c.deliverParsed(b, c.message.Parse(element))
	}
	clear(elements)
	if c.elements = elements; cap(elements) > 1024 {
		c.elements = nil
	}
}

// deliverParsed hands c.message on, whose Parse returned err.
func (c *Lines) deliverParsed(b *jsonrpc.Batch, err error) {
	m := &c.message
	if err == nil {
		c.recv.Receive(b, m, 0)
		return
	}
	if errors.Is(err, jsonrpc.ErrBatch) {
		err = &jsonrpc.InvalidError{What: "a batch in a batch"}
	}
	id := m.ID
	if id == nil && beginsObject(m.Raw) {
		id = jsonrpc.FindID(m.Raw)
	}
	c.recv.Malformed(b, id, err)
}

// beginsObject tells a broken message from a line that was never meant as one:
// a log line may well quote a message with its id.
func beginsObject(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	return len(line) > 0 && line[0] == '{'
}

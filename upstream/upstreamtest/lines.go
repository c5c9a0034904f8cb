package upstreamtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
)

// An EndedError is what ServeLines returns when the script ended the server.
// Code is the exit code that a child would have.
type EndedError struct{ Code int }

func (e *EndedError) Error() string { return "ended by the script" }

// ServeLines serves one client: messages from in, one a line, answers to out.
// It returns when in ends, or ctx, or the script ends the server, and has then
// left nothing behind. It closes nothing; a read of in that is still waiting
// goes on until in is closed.
func (s *Server) ServeLines(ctx context.Context, in io.Reader, out, stderr io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &lineWay{turn: make(chan struct{}, 1), out: out, errOut: stderr, cancel: cancel}
	c := newClient()
	push := &listener{way: w}
	c.attach(push)
	defer c.detach(push)
	defer s.unlisten(push)

	var calls sync.WaitGroup
	defer calls.Wait()
	start := s.exchange(ctx, c, w)
	for _, step := range s.script.Start {
		if !start.do(step) {
			break
		}
	}
	lines := readLines(ctx, in)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case line, ok := <-lines:
			if !ok {
				cancel(nil)
				return nil
			}
			if x := s.exchange(ctx, c, w); x.parse(line) {
				x.receive(calls.Go)
			}
		}
	}
}

// readLines reads until in or ctx ends. It cannot interrupt a read.
func readLines(ctx context.Context, in io.Reader) <-chan []byte {
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		r := bufio.NewReaderSize(in, 1<<16)
		for {
			line, err := r.ReadBytes('\n')
			if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
				select {
				case lines <- line:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return lines
}

// lineWay writes lines.
type lineWay struct {
	cancel context.CancelCauseFunc

	// turn guards both writers, and holds an element for who writes. It is no
	// mutex, for which a bubble of package synctest does not come to rest.
	turn   chan struct{}
	out    io.Writer
	errOut io.Writer
}

func (w *lineWay) send(message []byte) { w.raw(slices.Concat(message, []byte{'\n'})) }

func (w *lineWay) raw(text []byte) {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	if _, err := w.out.Write(text); err != nil {
		w.cancel(err)
	}
}

func (w *lineWay) stderr(line string) {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	if _, err := io.WriteString(w.errOut, line+"\n"); err != nil {
		w.cancel(err)
	}
}

func (w *lineWay) status(int) { w.cancel(errors.New("status: the script is for HTTP")) }

func (w *lineWay) end(code int) { w.cancel(&EndedError{code}) }

// Pipe connects a client in memory, with synchronous pipes, and returns its
// end: what it writes the server reads. The connection lasts until either side
// ends it; closing the client's end waits until the server has let go. Nothing
// of it is left then, so it may be used in a bubble of testing/synctest.
func (s *Server) Pipe() io.ReadWriteCloser {
	near, far := net.Pipe()
	p := &pipe{Conn: near, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		defer far.Close()
		// How it ended, the client sees: its reads end.
		_ = s.ServeLines(context.Background(), far, far, io.Discard)
	}()
	return p
}

type pipe struct {
	net.Conn
	done chan struct{}
}

func (p *pipe) Close() error {
	err := p.Conn.Close()
	<-p.done
	return err
}

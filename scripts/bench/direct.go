package main

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// A caller is a host with a server of echo, however far away.
type caller interface {
	// callEcho makes n calls, with this many in flight.
	callEcho(n, inFlight int) error
	stop()
}

// callEcho implements caller.
func (r *running) callEcho(n, inFlight int) error { return r.calls(n, inFlight, r.echo()) }

// A dialer makes the caller of a host that speaks to a server over a network by
// itself, with the client that a Go program has at hand, as weir has.
type dialer func(url string) (caller, error)

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":` + initializeParams + `}`

// mostInFlight is of calls, of any caller.
const mostInFlight = 1024

// atOnce has n calls made by as many workers as are to be in flight. Each
// calls as often as next says.
func atOnce(n, inFlight int, work func(worker int, next func() bool) error) error {
	var begun atomic.Int64
	next := func() bool { return begun.Add(1) <= int64(n) }
	failed := make([]error, inFlight)
	var working sync.WaitGroup
	for worker := range inFlight {
		working.Go(func() { failed[worker] = work(worker, next) })
	}
	working.Wait()
	return errors.Join(failed...)
}

func writeEcho(to *bytes.Buffer, id int, meta string) {
	to.Reset()
	fmt.Fprintf(to, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":%s}`, id, toolCall("echo", echoArguments, meta))
}

func checkAnswer(line []byte, id int) error {
	if got, ok := idOf(line); !ok || got != id || !bytes.Contains(line, result) {
		return fmt.Errorf("answer to call %d: %.500s", id, line)
	}
	return nil
}

package transport

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// listen keeps the standalone stream of a legacy session open, where the server
// offers one. It ends with the connection.
func (s *Streamable) listen() {
	select {
	case <-s.initialized:
	case <-s.lost:
		return
	}
	l := listener{s: s, in: inbox{recv: s.recv, limit: s.config.Limit}}
	l.events = newEventReader(nil, s.config.Limit, l.in.batch.Flush)
	l.events.room = s.rooms.stream(s.ctx)
	defer l.events.room.leave()
	for {
		pause, again := l.once(s.ctx)
		if !again {
			return
		}
		select {
		case <-time.After(pause):
		case <-s.lost:
			return
		}
	}
}

// listener is the standalone stream over all its connections.
type listener struct {
	s      *Streamable
	in     inbox
	events *eventReader
	opened bool // once at least
	pace   pace
}

// once opens the stream and follows it to its end. It returns how long to wait
// before the next time, if there is to be one.
func (l *listener) once(ctx context.Context) (pause time.Duration, again bool) {
	resp, err := l.s.get(ctx, l.events.lastID)
	if err != nil {
		l.pace.note(0)
		return l.pace.wait(l.events.retry), ctx.Err() == nil && !isRefused(err)
	}
	defer discard(resp)
	switch {
	case isSuccess(resp) && mediaType(resp) == typeStream:
		l.follow(resp)
		return l.pace.wait(l.events.retry), true
	case resp.StatusCode == http.StatusNotFound && l.opened:
		l.s.lose(ErrSessionLost)
		return 0, false
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		// To ask again with the same credentials would not help.
		return 0, false
	case isSuccess(resp), resp.StatusCode == http.StatusNotFound,
		resp.StatusCode == http.StatusMethodNotAllowed, resp.StatusCode == http.StatusNotImplemented:
		// Not offered. 405 is what the specification asks for; a server that only
		// knows POST on this path may say 404, which is no lost session then.
		return 0, false
	}
	l.pace.note(0)
	return max(RetryAfter(resp), l.pace.wait(l.events.retry)), true
}

// isRefused reports whether a request was refused for want of credentials, so
// that only others can help.
func isRefused(err error) bool {
	refused, ok := errors.AsType[*RefusedError](err)
	return ok && !refused.Temporary
}

// steady is how long a stream must have held to count as a good one, though
// nothing came over it.
const steady = 10 * time.Second

func (l *listener) follow(resp *http.Response) {
	if l.opened && l.events.lastID == "" {
		l.s.recv.Missed()
	}
	l.opened = true
	l.events.continueOn(resp.Body)
	begin := time.Now()
	count, _ := l.in.drain(l.events)
	if time.Since(begin) >= steady {
		count++
	}
	l.pace.note(count)
}

// get opens a stream from the server: the one that continues after an event, or
// with lastID "" the standalone one.
func (s *Streamable) get(ctx context.Context, lastID string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.config.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the URL: %w", withoutURL(err))
	}
	_, req.Header = s.sessionHeader()
	req.Header.Set("Accept", typeStream)
	if lastID != "" {
		req.Header.Set(lastEventIDHeader, lastID)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	return resp, nil
}

// pace says how long to wait before a stream is opened again: as long as the
// server asks for, and longer the more often in a row nothing came of it.
type pace struct{ fruitless int }

const (
	defaultRetry = time.Second
	shortestWait = 100 * time.Millisecond
	longestWait  = 5 * time.Minute
)

// note takes down how many events a stream brought.
func (p *pace) note(events int) {
	if events > 0 {
		p.fruitless = 0
		return
	}
	p.fruitless++
}

// wait takes the server's retry field, negative without one, as the least.
func (p *pace) wait(retry time.Duration) time.Duration {
	if retry < 0 {
		retry = defaultRetry
	}
	least := max(retry, shortestWait)
	if p.fruitless == 0 || least >= longestWait {
		return least
	}
	grown := min(least<<min(p.fruitless, 12), longestWait)
	return max(least, grown/2+rand.N(grown/2))
}

// sleep waits, or returns why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

const listenMethod = "subscriptions/listen"

// steady is how long a stream must have held for its end not to count as a
// failure.
const steady = 10 * time.Second

// listen keeps a subscriptions/listen stream open on a modern connection, the
// only way its changes of lists are told (2026-07-28, subscriptions). It
// returns when the connection is lost, ctx ends, or the server declines. What
// is told on the stream reaches the handler as any notification does.
func (c *connection) listen(ctx context.Context) {
	if facts := c.facts.Load(); !facts.Modern || !listChanged(*facts, "tools") {
		return
	}
	for failures := 1; ; failures++ {
		began := time.Now()
		err := c.listenOnce(ctx)
		if declined(err) {
			c.u.log.Debug().Err(err).Msg("server offers no subscription")
			return
		}
		if time.Since(began) >= steady {
			failures = 1
		}
		pause := pauseAfter(failures)
		c.u.log.Debug().Err(err).Dur("retry_in", pause).Msg("subscription ended")
		select {
		case <-time.After(pause):
		case <-c.t.Lost():
			return
		case <-ctx.Done():
			return
		}
	}
}

// listenOnce opens the stream and returns when it has ended, with the reason
// if there is one.
func (c *connection) listenOnce(ctx context.Context) error {
	w := newWaiter(listenMethod, []jsonrpc.Member{
		jsonrpc.NewMember("notifications", []byte(`{"toolsListChanged":true}`)),
	}, -1)
	if err := c.send(nil, &w.call); err != nil {
		return err
	}
	defer c.forget(w)
	select {
	case <-w.done:
		return w.err
	case <-c.t.Lost():
		return errEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// declined reports whether a server's answer means that it offers no
// subscription, now or later.
func declined(err error) bool {
	reply, ok := errors.AsType[*ReplyError](err)
	return ok && (reply.Code == codeMethodNotFound || reply.Code == codeInvalidParams)
}

// listenOpened takes the server's word that it tells changes from now on. What
// changed while no stream was open, nobody has told.
func (c *connection) listenOpened(b *jsonrpc.Batch) {
	c.mu.Lock()
	c.opened++
	reopened := c.opened > 1
	c.mu.Unlock()
	if reopened {
		c.u.announceTools(b)
	}
}

// listenEnded takes a notifications/cancelled: a server may end a subscription
// so, and nothing else.
func (c *connection) listenEnded(m *jsonrpc.Message) {
	id, ok := number(jsonrpc.Find(m.Fields, "requestId"))
	if !ok {
		return
	}
	c.mu.Lock()
	call := c.pending[id]
	if call != nil && call.Method != listenMethod {
		call = nil
	}
	if call != nil {
		c.remove(id)
	}
	c.mu.Unlock()
	if call != nil {
		call.done(nil, Answer{Modern: true, Err: c.u.lost(errUnsubscribed)})
	}
}

var errUnsubscribed = errors.New("server ended the subscription")

// listChanged reports whether the server announces changes of a list.
func listChanged(facts Facts, capability string) bool {
	capabilities, err := jsonrpc.ParseObject(nil, facts.Capabilities)
	if err != nil {
		return false
	}
	settings, err := jsonrpc.ParseObject(nil, jsonrpc.Find(capabilities, capability))
	return err == nil && string(jsonrpc.Find(settings, "listChanged")) == "true"
}

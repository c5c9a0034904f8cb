package upstream

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// This file makes those calls again, once, that surely were not executed.

// again makes a call that was surely not sent, since its connection had ended,
// on the next connection, once.
func (u *Upstream) again(b *jsonrpc.Batch, call *Call, ended *connection, cause error) {
	if !u.mayRepeat(call, ended) {
		call.done(b, Answer{Err: u.failure(&transport.DialError{Err: cause})})
		return
	}
	u.Do(b, call)
}

// resend makes a call that the server refused because it has forgotten the
// session in a new one, once. It was not executed.
func (u *Upstream) resend(call *Call, out *transport.Outgoing, lost *connection) {
	params, err := requestParams(out.Pieces)
	if !u.mayRepeat(call, lost) || err != nil {
		call.done(nil, Answer{Err: u.failure(transport.ErrSessionLost)})
		return
	}
	call.Params, call.Meta = params, metaOf(params)
	u.Do(nil, call)
}

// mayRepeat reports whether the call has not been repeated yet, and sees to it
// that it does not go to the connection that has ended.
func (u *Upstream) mayRepeat(call *Call, ended *connection) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.dropConn(ended)
	first := !call.resent && !call.upkeep
	call.resent = true
	return first
}

// amend makes a call that the server refused because of its headers with those
// that follow from a fresh definition of the tool, once (2026-07-28, Streamable
// HTTP, x-mcp-header). It was not executed.
func (u *Upstream) amend(b *jsonrpc.Batch, call *Call) {
	u.mu.Lock()
	first := !call.amended && call.Definition != nil
	call.amended, call.conn = true, nil
	u.mu.Unlock()
	if !first {
		call.done(b, Answer{Modern: true, Err: u.headersRefused()})
		return
	}
	u.wait.Go(func() {
		definition := u.definition(u.ctx, call.Name)
		if definition == nil {
			call.done(nil, Answer{Modern: true, Err: u.headersRefused()})
			return
		}
		if !bytes.Equal(definition, call.Definition) {
			u.announce(&toolList)
		}
		call.Definition = definition
		u.Do(nil, call)
	})
}

// definition asks the server for the present definition of a tool; nil if it
// cannot be had.
func (u *Upstream) definition(ctx context.Context, name string) []byte {
	list, err := u.ListTools(ctx)
	if err != nil {
		return nil
	}
	for _, item := range list.Items {
		members, _ := jsonrpc.ParseObject(nil, item) // what is no object has no name
		if listed, err := jsonrpc.String(jsonrpc.Find(members, "name")); err == nil && listed == name {
			return item
		}
	}
	return nil
}

// announce tells the handler, as the server would, that a list has changed.
func (u *Upstream) announce(kind *listKind) {
	var m jsonrpc.Message
	if err := m.Parse([]byte(`{"jsonrpc":"2.0","method":"` + kind.changed + `"}`)); err != nil {
		panic(err)
	}
	u.set.handler.Notification(u, nil, &m, nil)
}

// requestParams reads the params back out of a request that was sent. They
// carry the _meta of the lost connection, which composing replaces.
func requestParams(pieces [][]byte) ([]jsonrpc.Member, error) {
	var m jsonrpc.Message
	if err := m.Parse(slices.Concat(pieces...)); err != nil {
		return nil, fmt.Errorf("reading back a request: %w", err)
	}
	return m.Fields, nil
}

func metaOf(params []jsonrpc.Member) []jsonrpc.Member {
	meta, err := jsonrpc.ParseObject(nil, jsonrpc.Find(params, "_meta"))
	if err != nil {
		return nil
	}
	return meta
}

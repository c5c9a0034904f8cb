package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/weir-mcp/weir/upstream/transport"
)

// probeTime is how long server/discover may stay unanswered before initialize
// is sent as well. An answer that comes later still counts if it is the first.
const probeTime = 3 * time.Second

// connect dials and shakes hands, in the host's era if the server speaks it,
// within the connect timeout.
func (u *Upstream) connect(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, u.cfg.ConnectTimeout, errConnectTimeout)
	defer cancel()
	conn, err := u.tryToConnect(ctx)
	if _, told := errors.AsType[Failure](err); err != nil && !told && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return conn, err
}

// tryToConnect starts a server that ends when it is probed once more and does
// not probe it again (2026-07-28, versioning: detecting the era).
func (u *Upstream) tryToConnect(ctx context.Context) (*connection, error) {
	if u.ending != nil {
		select {
		case <-u.ending:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	u.tried = u.epoch.Load()
	u.stamp = u.stampOfCredentials(ctx) // before they are read: a change in between is seen later
	cfg, err := u.cfg.resolved(ctx)
	if err != nil {
		return nil, u.unreadable(err)
	}
	cfg.MessageLimit = u.messageLimit()
	plan := u.plan()
	conn, err := u.dialAndShake(ctx, cfg, plan)
	if plan != modernFirst || !errors.Is(err, errLostEarly) {
		return conn, err
	}
	select {
	case <-u.ending:
	case <-ctx.Done():
		return nil, err
	}
	return u.dialAndShake(ctx, cfg, legacyOnly)
}

// A plan is which handshakes to try.
type plan int

const (
	legacyFirst plan = iota
	modernFirst
	legacyOnly
	modernOnly
)

// plan follows the configuration, else what was found last time, else the
// host's era.
func (u *Upstream) plan() plan {
	u.mu.Lock()
	hint := u.hint
	u.mu.Unlock()
	modern := u.set.peer.Load().Modern
	if hint != nil {
		modern = *hint
	}
	switch {
	case u.cfg.Transport == SSE:
		return legacyOnly
	case u.cfg.Protocol == ModernVersion:
		return modernOnly
	case u.cfg.Protocol != "":
		return legacyOnly
	case modern:
		return modernFirst
	}
	return legacyFirst
}

// dialAndShake makes a connection. A server that refuses to begin over HTTP as
// one that never heard of Streamable HTTP does is tried over HTTP+SSE, whose URL
// then is the same (2025-11-25, Transports, backwards compatibility).
func (u *Upstream) dialAndShake(ctx context.Context, cfg Config, p plan) (*connection, error) {
	conn, err := u.dialAndShakeOnce(ctx, cfg, p)
	if cfg.Transport != HTTP || p == modernOnly || !refusedByStatus(err) {
		return conn, err
	}
	cfg.Transport = SSE
	conn, sseErr := u.dialAndShakeOnce(ctx, cfg, legacyOnly)
	if _, undialled := errors.AsType[*transport.DialError](sseErr); undialled || refusedByStatus(sseErr) {
		return nil, u.neither(err, sseErr)
	}
	return conn, sseErr
}

func (u *Upstream) dialAndShakeOnce(ctx context.Context, cfg Config, p plan) (*connection, error) {
	conn := newConnection(u)
	if err := conn.dial(ctx, cfg); err != nil {
		return nil, err
	}
	facts, err := conn.shake(ctx, p)
	if err != nil {
		conn.end(u.failure(err))
		u.endBehind(conn)
		return nil, err
	}
	facts.Transport = cfg.Transport
	conn.facts.Store(&facts)
	conn.t.Established(facts.Version, facts.Modern)
	if !facts.Modern {
		conn.notify(nil, "notifications/initialized", []byte("{}"))
	}
	return conn, nil
}

// shake tries the handshakes of the plan. A refusal of one leads to the other;
// anything else (a lost connection, credentials, a 5xx) says nothing about the
// era and ends the try.
func (c *connection) shake(ctx context.Context, p plan) (Facts, error) {
	switch p {
	case legacyOnly:
		return c.initialize(ctx)
	case modernOnly:
		return c.discover(ctx)
	case modernFirst:
		return c.probe(ctx)
	case legacyFirst:
	}
	facts, err := c.initialize(ctx)
	if !refused(err) {
		return facts, err
	}
	facts, modernErr := c.discover(ctx)
	if refused(modernErr) {
		return Facts{}, err
	}
	return facts, modernErr
}

// probe sends server/discover, and initialize when that is refused or stays
// unanswered for a while. The first good answer decides.
func (c *connection) probe(ctx context.Context) (Facts, error) {
	discover := c.askDiscover()
	defer c.forget(discover)
	patience := time.NewTimer(probeTime)
	defer patience.Stop()
	_, err := c.await(ctx, patience.C, discover, nil)
	if errors.Is(err, errSilent) {
		return c.eitherOf(ctx, discover)
	}
	if err != nil {
		return Facts{}, err
	}
	facts, err := c.settle(ctx, discover)
	if refused(err) {
		return c.initialize(ctx)
	}
	return facts, err
}

// eitherOf sends initialize too, to a server that may not have started yet or
// may never answer a probe.
func (c *connection) eitherOf(ctx context.Context, discover *waiter) (Facts, error) {
	initialize := c.askInitialize(c.legacyVersion())
	defer c.forget(initialize)
	first, err := c.await(ctx, nil, discover, initialize)
	if err != nil {
		return Facts{}, err
	}
	facts, err := c.settle(ctx, first)
	if !refused(err) {
		return facts, err
	}
	second := discover
	if first == discover {
		second = initialize
	}
	if _, err := c.await(ctx, nil, second, nil); err != nil {
		return Facts{}, err
	}
	return c.settle(ctx, second)
}

// initialize asks once more if the server refuses the revision and names
// others (2025-11-25, lifecycle, version negotiation).
func (c *connection) initialize(ctx context.Context) (Facts, error) {
	version := c.legacyVersion()
	w := c.askInitialize(version)
	defer c.forget(w)
	if _, err := c.await(ctx, nil, w, nil); err != nil {
		return Facts{}, err
	}
	facts, err := c.read(w)
	other := newestLegacy(supported(err))
	if other == "" || other == version {
		return facts, err
	}
	w = c.askInitialize(other)
	defer c.forget(w)
	if _, err := c.await(ctx, nil, w, nil); err != nil {
		return Facts{}, err
	}
	return c.read(w)
}

func (c *connection) discover(ctx context.Context) (Facts, error) {
	w := c.askDiscover()
	defer c.forget(w)
	if _, err := c.await(ctx, nil, w, nil); err != nil {
		return Facts{}, err
	}
	return c.settle(ctx, w)
}

// settle reads the answer to a handshake request. A server that refuses the
// revision and names it among those it speaks is asked once more (2026-07-28,
// versioning).
func (c *connection) settle(ctx context.Context, w *waiter) (Facts, error) {
	facts, err := c.read(w)
	if !errors.Is(err, errContradiction) {
		return facts, err
	}
	w = c.askDiscover()
	defer c.forget(w)
	if _, err := c.await(ctx, nil, w, nil); err != nil {
		return Facts{}, err
	}
	return c.read(w)
}

// refused reports whether err is a server's refusal of a handshake it does not
// know: any JSON-RPC error, or an HTTP answer that a server of the other era
// gives. Credentials and 5xx say nothing about the era.
func refused(err error) bool {
	if errors.Is(err, errOtherEra) {
		return true
	}
	if _, judged := errors.AsType[ProtocolError](err); judged {
		return false
	}
	if _, ok := errors.AsType[*ReplyError](err); ok {
		return true
	}
	return refusedByStatus(err)
}

// refusedByStatus reports whether err is an HTTP answer that is no MCP answer,
// with a status that a server gives to what it does not know.
func refusedByStatus(err error) bool {
	status, ok := errors.AsType[*transport.StatusError](err)
	if !ok {
		return false
	}
	switch status.Code {
	case 400, 404, 405, 406, 415, 422, 501:
		return true
	}
	return false
}

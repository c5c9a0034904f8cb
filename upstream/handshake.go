package upstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file asks and reads what era.go decides on.

// errSilent is that no answer came in time.
var errSilent = errors.New("server stays silent")

// await waits for one of two requests, the second of which may be nil, and
// returns it. What was answered before the connection ended counts.
func (c *connection) await(ctx context.Context, timeUp <-chan time.Time, a, b *waiter) (*waiter, error) {
	var bDone chan struct{}
	if b != nil {
		bDone = b.done
	}
	select {
	case <-a.done:
		return a, nil
	case <-bDone:
		return b, nil
	case <-timeUp:
		return nil, errSilent
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.t.Lost():
	}
	select {
	case <-a.done:
		return a, nil
	case <-bDone:
		return b, nil
	default:
		return nil, c.lostFailure()
	}
}

// errLostEarly is a connection that ended during the handshake.
var errLostEarly = errors.New("connection ended early")

// lostFailure is a connection that ended before any call was on it.
func (c *connection) lostFailure() error {
	cause := c.t.Err()
	return ConnectionError{&Fault{
		Server: c.u.cfg.Name, Err: fmt.Errorf("%w: %w", errLostEarly, cause), Retryable: true,
		Text: "the server ended before it was ready" + exitState(cause), Hint: "Nothing was sent. " + seeServers,
	}}
}

// ask makes a handshake request in the given era.
func (c *connection) ask(as Facts, method string, params []jsonrpc.Member) *waiter {
	c.facts.Store(&as)
	w := newWaiter(method, params, -1)
	err := c.send(nil, &w.call)
	switch {
	case err == nil:
	case c.t.Err() != nil:
		w.call.done(nil, Answer{Err: c.lostFailure()})
	default:
		w.call.done(nil, Answer{Err: c.u.failure(err)})
	}
	return w
}

const discoverMethod = "server/discover"

func (c *connection) askDiscover() *waiter {
	return c.ask(Facts{Modern: true, Version: ModernVersion}, discoverMethod, nil)
}

func (c *connection) askInitialize(version string) *waiter {
	return c.ask(Facts{Version: version}, "initialize", []jsonrpc.Member{
		jsonrpc.NewMember("protocolVersion", quoted(version)),
		jsonrpc.NewMember("capabilities", Withhold(c.peer.capabilities(), c.u.cfg.Withheld)),
		jsonrpc.NewMember("clientInfo", c.u.set.clientInfo),
	})
}

// forget lets go of a request of weir's own that nobody waits for any more. The
// server is not told: initialize must not be cancelled, a legacy server knows
// nothing of a probe, and a subscription ends with its connection.
func (c *connection) forget(w *waiter) {
	c.mu.Lock()
	id := w.call.id
	left := c.pending.At(id) == &w.call
	if left {
		c.remove(id)
	}
	c.mu.Unlock()
	if left {
		c.t.Abandon(id)
	}
}

// legacyVersion is the legacy revision to ask for: as configured, else the
// host's.
func (c *connection) legacyVersion() string {
	if c.u.cfg.Protocol != "" {
		return c.u.cfg.Protocol
	}
	if !c.peer.Modern {
		return c.peer.Version
	}
	return LatestLegacy
}

// errOtherEra is a refusal: a server that speaks revisions of the other era
// only, or does not know what it was asked.
var errOtherEra = errors.New("server does not speak this era")

// errContradiction is a server that refuses a revision and names it among those
// it speaks.
var errContradiction = errors.New("server contradicts itself")

// read reads the answer to a handshake request.
func (c *connection) read(w *waiter) (Facts, error) {
	if w.call.Method == "initialize" {
		return c.initialized(w)
	}
	return c.discovered(w)
}

// initialized reads an InitializeResult (2025-11-25, lifecycle).
func (c *connection) initialized(w *waiter) (Facts, error) {
	if w.err != nil {
		return Facts{}, w.err
	}
	version, err := jsonrpc.String(jsonrpc.Find(w.out.Fields, "protocolVersion"))
	switch {
	case err != nil:
		return Facts{}, c.u.protocolFailure("the server's answer to initialize names no protocol revision", err)
	case version == ModernVersion:
		return Facts{}, errOtherEra
	case !LegacyVersion(version):
		return Facts{}, c.u.protocolFailure(fmt.Sprintf("the server speaks protocol revision %q, which weir does not", version), nil)
	}
	facts := readFacts(w.out.Fields)
	facts.Version = version
	facts.ServerInfo = jsonrpc.Find(w.out.Fields, "serverInfo")
	return facts, nil
}

// discovered reads a DiscoverResult (2026-07-28, server/discover).
func (c *connection) discovered(w *waiter) (Facts, error) {
	if w.err != nil {
		return Facts{}, c.notDiscovered(w.err)
	}
	list := jsonrpc.Find(w.out.Fields, "supportedVersions")
	if list == nil {
		return Facts{}, errOtherEra // it answers anything with anything
	}
	versions := readStrings(list)
	if !slices.Contains(versions, ModernVersion) {
		return Facts{}, c.noModern(versions)
	}
	facts := readFacts(w.out.Fields)
	facts.Modern, facts.Version = true, ModernVersion
	facts.ServerInfo = jsonrpc.Find(metaOf(w.out.Fields), MetaServerInfo)
	return facts, nil
}

// notDiscovered tells the errors of a modern server from those of one that
// does not know the probe (2026-07-28, versioning: detecting the era).
func (c *connection) notDiscovered(err error) error {
	reply, ok := errors.AsType[*ReplyError](err)
	if !ok {
		return err
	}
	switch reply.Code {
	case codeVersion:
		switch versions := supported(err); {
		case slices.Contains(versions, ModernVersion):
			return c.u.protocolFailure("the server refuses protocol revision "+ModernVersion+" and says that it speaks it", errContradiction)
		case versions != nil:
			return c.noModern(versions)
		}
	case codeHeader, codeCapability:
		return c.u.protocolFailure(fmt.Sprintf("the server refused server/discover with error %d", reply.Code), err)
	}
	return err
}

// noModern is a server that speaks these revisions, not weir's modern one.
func (c *connection) noModern(versions []string) error {
	if newestLegacy(versions) != "" {
		return errOtherEra
	}
	return c.u.protocolFailure(fmt.Sprintf("the server speaks protocol revisions %.200q, of which weir speaks none", versions), nil)
}

// supported returns the revisions that a server's refusal names, or nil.
func supported(err error) []string {
	reply, ok := errors.AsType[*ReplyError](err)
	if !ok {
		return nil
	}
	fields, _ := jsonrpc.ParseObject(nil, reply.Raw) // it was parsed before
	data, parseErr := jsonrpc.ParseObject(nil, jsonrpc.Find(fields, "data"))
	if parseErr != nil {
		return nil
	}
	return readStrings(jsonrpc.Find(data, "supported"))
}

// newestLegacy returns the newest legacy revision among versions that weir
// speaks, or "".
func newestLegacy(versions []string) string {
	newest := ""
	for _, v := range versions {
		if LegacyVersion(v) {
			newest = max(newest, v)
		}
	}
	return newest
}

func readFacts(fields []jsonrpc.Member) Facts {
	instructions, err := jsonrpc.String(jsonrpc.Find(fields, "instructions"))
	if err != nil {
		instructions = ""
	}
	return Facts{Capabilities: jsonrpc.Find(fields, "capabilities"), Instructions: instructions}
}

func readStrings(raw []byte) []string {
	elements, err := jsonrpc.ParseArray(nil, raw)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range elements {
		if s, err := jsonrpc.String(e); err == nil {
			out = append(out, s)
		}
	}
	return out
}

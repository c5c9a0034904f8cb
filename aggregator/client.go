package aggregator

import (
	"bytes"
	"strings"
	"sync"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is who the host says it is. Nothing is granted for that; but a policy
// may deny something to a client, and then each client has lists of its own.

// A client is a host by its own word. It is immutable.
type client struct {
	policy.Client
	raw   []byte // its clientInfo; nil for none, or for a long one
	label string // name and version
}

// noteClient takes a raw clientInfo for the host's: of initialize, or of a modern
// request (2026-07-28, basic, _meta), where it is mostly the same. One that is
// left out changes nothing.
func (s *session) noteClient(raw []byte) {
	if raw == nil || bytes.Equal(raw, s.client.Load().raw) {
		return
	}
	c := &client{}
	if len(raw) <= maxClientInfo {
		c.raw = bytes.Clone(raw)
	}
	c.Name, _ = jsonrpc.String(memberOf(raw, "name")) // what is no text is no name
	c.Version, _ = jsonrpc.String(memberOf(raw, "version"))
	c.Name, c.Version = clip(c.Name), clip(c.Version)
	c.label = strings.TrimSpace(c.Name + " " + c.Version)
	s.client.Store(c)
}

// maxClientInfo is how many bytes of a clientInfo are remembered.
const maxClientInfo = 4 << 10

// maxClientViews is how many clients' views are kept: a stream has one client, or
// few.
const maxClientViews = 8

// clientViews are the views of clients beside the one that they hang on. It is
// safe for concurrent use.
type clientViews struct {
	mu    sync.Mutex
	views map[policy.Client]*view // guarded by mu
}

// viewOf is what a client sees of what v shows. It is made when it is first asked
// for.
func (a *Aggregator) viewOf(v *view, c policy.Client) *view {
	known := v.clients
	known.mu.Lock()
	defer known.mu.Unlock()
	if found := known.views[c]; found != nil {
		return found
	}
	if len(known.views) >= maxClientViews || known.views == nil {
		known.views = make(map[policy.Client]*view)
	}
	made := a.look(v.world, c, v.snapshot, v.held)
	known.views[c] = made
	return made
}

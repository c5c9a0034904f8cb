package catalog

import (
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// pushedTTL is how long a list is called fresh that has no other limit than that
// its changes are announced.
const pushedTTL = 5 * time.Minute

// The values of "cacheScope" (2026-07-28, caching).
const (
	ScopePublic  = "public"
	ScopePrivate = "private"
)

// toolsServed is what the servers together say about their lists of tools.
type toolsServed struct {
	missing   bool      // a server has not been listed yet
	has       bool      // a server has tools
	announces bool      // a server announces changes of its list
	private   bool      // a list is not for everybody
	stale     bool      // a list is never fresh
	pushed    bool      // a list is fresh until a change of it is announced
	until     time.Time // until when the lists are fresh that say so; zero: none does
}

// add takes in what one server told.
func (t *toolsServed) add(l *Lists) {
	if l == nil || !l.Known() {
		t.missing = true
		return
	}
	has, announces := toolsCapability(l.Capabilities)
	if !has {
		return
	}
	t.has = true
	t.announces = t.announces || announces
	t.private = t.private || !l.Modern || l.Tools.Scope != ScopePublic
	switch {
	case l.Tools.Hinted:
		until := l.Tools.Fetched.Add(l.Tools.TTL)
		if t.until.IsZero() || until.Before(t.until) {
			t.until = until
		}
	case announces:
		t.pushed = true
	default:
		t.stale = true
	}
}

// toolsCapability reads a server's capabilities: whether it has tools, and
// announces changes of their list.
func toolsCapability(raw []byte) (has, changes bool) {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return false, false
	}
	tools := jsonrpc.Find(members, "tools")
	members, err = jsonrpc.ParseObject(members[:0], tools)
	if err != nil {
		return false, false
	}
	return true, string(jsonrpc.Find(members, "listChanged")) == "true"
}

// ToolsServed reports whether any server has tools, and whether any announces
// changes of its list.
func (s *Snapshot) ToolsServed() (has, announces bool) {
	return s.served.has, s.served.announces
}

// Whole reports whether every server has been listed.
func (s *Snapshot) Whole() bool { return !s.served.missing }

// ToolsHints returns the hints for the merged list (2026-07-28, caching): how
// long it is fresh from now on, 0 if it is not, or not whole; and its scope,
// private if that of any list is, or unknown. A list that is filtered for
// somebody is private, whatever this says.
func (s *Snapshot) ToolsHints(now time.Time) (ttl time.Duration, scope string) {
	scope = ScopePublic
	if s.served.private {
		scope = ScopePrivate
	}
	if s.served.missing || s.served.stale {
		return 0, scope
	}
	if s.served.until.IsZero() {
		return pushedTTL, scope
	}
	ttl = max(0, s.served.until.Sub(now))
	if s.served.pushed {
		ttl = min(ttl, pushedTTL)
	}
	return ttl, scope
}

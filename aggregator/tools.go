package aggregator

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// listTools answers tools/list from the catalog, as soon as that has had its
// chance to hear from every server. The list is one page.
func (s *session) listTools(r *request) {
	if hasCursor(r.params) {
		s.refuse(&s.batch, r.id, codeInvalidParams, "Invalid params: unknown cursor")
		return
	}
	if s.a.listsAreIn() {
		s.replyTools(&s.batch, r.id, r.modern)
		s.a.refreshOld()
		return
	}
	s.whenListed(r, listing, func(_ context.Context, c *call) {
		s.out.WaitBelow(maxUnwritten)
		if c.end() {
			s.replyTools(nil, c.id, c.modern)
		}
	})
}

// hasCursor reports whether a page is asked for that is not the first: no list
// of weir's has any.
func hasCursor(params []jsonrpc.Member) bool {
	cursor := jsonrpc.Find(params, "cursor")
	return cursor != nil && string(cursor) != "null"
}

func (s *session) replyTools(b *jsonrpc.Batch, id []byte, modern bool) {
	v := s.look()
	if !modern {
		s.write(b, replyHead(id), []byte("{"), v.tools, []byte("}}"))
		return
	}
	ttl, _ := v.snapshot.Hints(catalog.Tools, time.Now())
	tail := append([]byte(`,"resultType":"complete","ttlMs":`), strconv.FormatInt(ttl.Milliseconds(), 10)...)
	tail = s.a.appendServerMeta(append(tail, `,"cacheScope":"private",`...))
	s.write(b, replyHead(id), []byte("{"), v.tools, tail, []byte("}}"))
}

// resolve finds the tool that is meant by name. No name of weir's own tools
// ever means another's, be they there for the principal or not.
func (a *Aggregator) resolve(name string) *catalog.Route {
	if strings.HasPrefix(name, namespace.Reserved) {
		return nil
	}
	return a.view.Load().snapshot.Resolve(name, a.listed)
}

// verdict is the policy's word on a tool that was called; nil is denied.
func (a *Aggregator) verdict(route *catalog.Route) policy.Verdict {
	if route == nil {
		return policy.Verdict{}
	}
	return a.judge(route)
}

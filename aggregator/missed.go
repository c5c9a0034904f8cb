package aggregator

import (
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file tells hosts that a resource may have changed while its server told
// nobody, though they believed to be told. A server that was away has that said of
// it by package upstream; here are those that took the subscription later than the
// host was told, or in place of another server. Who reads again in vain loses little.

const updatedMethod = "notifications/resources/updated"

// missed tells all who follow the resource, and nothing else below or above it.
func (a *Aggregator) missed(f followed) {
	params := updateOf(a.view.Load().snapshot, f)
	a.notifyFollowers(nil, []byte(updatedMethod), params, func(g *followed) bool { return *g == f })
}

// tellLost tells of a resource that is not there for the host any more, so that
// nothing will be told of it: the host learns that when it reads. Of a task there
// is nothing to tell without its state. A host that has left too much unread has
// other worries. The caller holds s.mu.
func (s *session) tellLost(before *catalog.Snapshot, f followed, subscription []byte) {
	mayHear := subscription != nil || s.pushed
	if f.task || !mayHear || s.out.Queued() > maxUnwritten {
		return
	}
	s.write(nil, notification([]byte(updatedMethod), updateOf(before, f), subscription))
}

// updateOf is the params of the notification, with the URI as hosts know it.
func updateOf(snapshot *catalog.Snapshot, f followed) []jsonrpc.Member {
	uri := snapshot.ExposeURI(f.server.Name, f.name)
	return []jsonrpc.Member{jsonrpc.NewMember("uri", jsonrpc.AppendString(nil, uri))}
}

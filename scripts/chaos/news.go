package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// This file is what servers tell by themselves: that their tools have changed, and
// their resources, of which each has as many as hosts ask for. Whoever follows one
// is told each of its versions, by number, in order.

// scheme is that of the resources. Behind it stands the server's name.
const scheme = "news://"

// news is what a server tells, and to whom.
type news struct {
	mu       sync.Mutex
	versions map[string]int // of resources, by URI
	clients  map[*upstreamtest.Client]map[string]bool
	streams  map[*newsStream]struct{}

	queue   []func() // what is yet to be told: a server that is frozen tells nothing
	telling bool     // somebody works on queue
	running sync.WaitGroup
}

func newNews() *news {
	return &news{
		versions: map[string]int{}, clients: map[*upstreamtest.Client]map[string]bool{}, streams: map[*newsStream]struct{}{},
	}
}

// A newsStream is one subscriptions/listen.
type newsStream struct {
	mu   sync.Mutex // held until it is acknowledged, so that nothing is told before
	x    upstreamtest.Exchange
	id   string // raw
	uris map[string]bool
	list bool // of tools

	end chan struct{} // closed to end it in good order
}

func (st *newsStream) send(method, params, meta string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.x.Send(notice(method, params, join(`"io.modelcontextprotocol/subscriptionId":`+st.id, meta)))
}

func notice(method, params, meta string) string {
	if meta != "" {
		params = join(params, `"_meta":{`+meta+`}`)
	}
	return `{"jsonrpc":"2.0","method":"` + method + `","params":{` + params + `}}`
}

// handleNews deals with requests for resources, and for news of them.
func (s *server) handleNews(x upstreamtest.Exchange) bool {
	uri, _ := jsonrpc.String(jsonrpc.Find(x.Message().Fields, "uri"))
	switch string(x.Message().Method) {
	case "resources/list":
		s.replyList(x, `"resources":[{"uri":`+quote(scheme+s.name+"/board")+`,"name":"board"}]`)
	case "resources/templates/list":
		s.replyList(x, `"resourceTemplates":[{"uriTemplate":`+quote(scheme+s.name+"/{who}")+`,"name":"news"}]`)
	case "resources/subscribe":
		if !strings.HasPrefix(uri, scheme+s.name+"/") {
			s.w.journal.violated(s.name, "is asked to tell of %q", uri)
		}
		s.news.subscribe(x.Client(), uri)
		x.Reply("{}")
	case "resources/unsubscribe":
		s.news.unsubscribe(x.Client(), uri)
		x.Reply("{}")
	case "subscriptions/listen":
		s.news.listen(x)
	default:
		return false
	}
	return true
}

func (s *server) replyList(x upstreamtest.Exchange, members string) {
	if x.Modern() {
		members += `,"resultType":"complete",` + x.Hints()
	}
	x.Reply("{" + members + "}")
}

func (n *news) subscribe(c *upstreamtest.Client, uri string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.clients[c] == nil {
		n.clients[c] = map[string]bool{}
	}
	n.clients[c][uri] = true
}

func (n *news) unsubscribe(c *upstreamtest.Client, uri string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.clients[c], uri)
}

// listen tells until the client goes, or the stream is ended.
func (n *news) listen(x upstreamtest.Exchange) {
	st := &newsStream{x: x, id: string(x.Message().ID), uris: map[string]bool{}, end: make(chan struct{})}
	raw := jsonrpc.Find(x.Message().Fields, "notifications")
	filter, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		x.Fail(-32602, "notifications is missing", "")
		return
	}
	st.list = string(jsonrpc.Find(filter, "toolsListChanged")) == "true"
	uris, _ := jsonrpc.ParseArray(nil, jsonrpc.Find(filter, "resourceSubscriptions"))
	for _, raw := range uris {
		if uri, err := jsonrpc.String(raw); err == nil {
			st.uris[uri] = true
		}
	}
	meta := `"_meta":{"io.modelcontextprotocol/subscriptionId":` + st.id + `}`
	st.mu.Lock()
	n.mu.Lock()
	n.streams[st] = struct{}{}
	n.mu.Unlock()
	x.Send(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{` + meta + `,"notifications":` + string(raw) + `}}`)
	st.mu.Unlock()
	select {
	case <-x.Context().Done():
	case <-st.end:
		x.Reply(`{"resultType":"complete",` + meta + `}`)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.streams, st)
}

// endStreams ends all streams in good order, as a server does that makes room.
func (n *news) endStreams() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for st := range n.streams {
		close(st.end)
		delete(n.streams, st)
	}
}

// isFollowed reports whether anybody is told of the resource.
func (n *news) isFollowed(uri string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, uris := range n.clients {
		if uris[uri] {
			return true
		}
	}
	for st := range n.streams {
		if st.uris[uri] {
			return true
		}
	}
	return false
}

// version is the latest of a resource.
func (n *news) version(uri string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.versions[uri]
}

const updatedMethod = "notifications/resources/updated"

// update makes the next version of a resource, and has it told, sooner or later.
func (n *news) update(uri string) (version int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.versions[uri]++
	params := `"uri":` + quote(uri)
	meta := fmt.Sprintf(`"chaos/version":%d`, n.versions[uri])
	for c, uris := range n.clients {
		if uris[uri] {
			n.enqueue(func() { c.Push(notice(updatedMethod, params, meta)) })
		}
	}
	for st := range n.streams {
		if st.uris[uri] {
			n.enqueue(func() { st.send(updatedMethod, params, meta) })
		}
	}
	return n.versions[uri]
}

// toolsChanged has it told that the list of tools has changed; to clients is how
// those of the legacy era are told.
func (n *news) toolsChanged(toClients func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.enqueue(toClients)
	for st := range n.streams {
		if st.list {
			n.enqueue(func() { st.send("notifications/tools/list_changed", "", "") })
		}
	}
}

// enqueue has something told after all that waits already. The caller holds n.mu.
func (n *news) enqueue(tell func()) {
	n.queue = append(n.queue, tell)
	if !n.telling {
		n.telling = true
		n.running.Go(n.tell)
	}
}

func (n *news) tell() {
	for {
		n.mu.Lock()
		if len(n.queue) == 0 {
			n.telling = false
			n.mu.Unlock()
			return
		}
		next := n.queue[0]
		n.queue = n.queue[1:]
		n.mu.Unlock()
		next()
	}
}

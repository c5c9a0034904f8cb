package reference

import (
	"strings"
	"sync"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A stream is one subscriptions/listen of a modern client.
type stream struct {
	id      []byte // raw
	filter  []jsonrpc.Member
	uris    map[string]bool
	taskIDs map[string]bool
	ended   chan struct{} // closed to end it gracefully

	mu   sync.Mutex // keeps what is sent within the life of the stream
	over bool
	call *call
}

// listen is subscriptions/listen (2026-07-28, Subscriptions). It honours all
// but resources whose URI begins with "deaf:", and tasks that it does not know.
func (c *call) listen() {
	st := &stream{
		id: c.x.Message().ID, filter: members(c.field("notifications")), call: c,
		uris: map[string]bool{}, taskIDs: map[string]bool{}, ended: make(chan struct{}),
	}
	if c.field("notifications") == nil {
		c.x.Fail(codeInvalidParams, "notifications is missing", "")
		return
	}
	if jsonrpc.Find(st.filter, "taskIds") != nil && !can(c.declared, tasksPath) {
		c.refuse(tasksPath)
		return
	}
	acknowledged := c.acknowledge(st)
	st.mu.Lock() // what happens from now on is told after it
	c.mu.Lock()
	c.streams[st] = struct{}{}
	c.mu.Unlock()
	c.notify("notifications/subscriptions/acknowledged", `{"_meta":{`+subscription(st.id)+`},"notifications":`+acknowledged+`}`)
	st.mu.Unlock()
	select {
	case <-c.x.Context().Done():
		c.close(st)
	case <-st.ended:
		c.close(st)
		c.succeed("", subscription(st.id))
	}
}

// acknowledge takes out of the filter what is honoured and returns it.
func (c *call) acknowledge(st *stream) string {
	var honoured []string
	for _, member := range st.filter {
		value := string(member.Value)
		switch string(member.Key) {
		case "toolsListChanged", "promptsListChanged", "resourcesListChanged":
			if value != "true" {
				continue
			}
		case "resourceSubscriptions":
			value = subset(member.Value, st.uris, func(uri string) bool { return !strings.HasPrefix(uri, "deaf:") })
		case "taskIds":
			value = subset(member.Value, st.taskIDs, func(id string) bool { return c.task(id) != nil })
		default:
			continue
		}
		honoured = append(honoured, string(member.Name)+":"+value)
	}
	return "{" + strings.Join(honoured, ",") + "}"
}

// subset puts the texts of an array that are wanted into a set, and returns
// them as an array.
func subset(raw []byte, set map[string]bool, want func(string) bool) string {
	all, err := jsonrpc.ParseArray(nil, raw)
	if err != nil {
		return "[]"
	}
	var kept []string
	for _, item := range all {
		if want(text(item)) {
			set[text(item)] = true
			kept = append(kept, string(item))
		}
	}
	return "[" + strings.Join(kept, ",") + "]"
}

func (s *server) close(st *stream) {
	s.mu.Lock()
	delete(s.streams, st)
	s.mu.Unlock()
	st.mu.Lock()
	defer st.mu.Unlock()
	st.over = true
}

func (s *server) openStreams() []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*stream, 0, len(s.streams))
	for st := range s.streams {
		all = append(all, st)
	}
	return all
}

// send sends a notification with these members of its params.
func (st *stream) send(method, params string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.over && st.call.x.Context().Err() == nil {
		st.call.notify(method, "{"+join(params, `"_meta":{`+subscription(st.id)+`,"vendor/x":1}`)+"}")
	}
}

func subscription(id []byte) string { return quote(metaPrefix+"subscriptionId") + ":" + string(id) }

// endListens ends all streams, gracefully.
func (c *call) endListens() {
	for _, st := range c.openStreams() {
		c.mu.Lock()
		_, open := c.streams[st]
		delete(c.streams, st)
		c.mu.Unlock()
		if open {
			close(st.ended)
		}
	}
	c.succeed(`"content":[]`, "")
}

// touch says that a resource was updated, to those who have subscribed to it.
func (c *call) touch() {
	uri := c.argument("uri")
	for _, client := range c.legacyClients() {
		c.mu.Lock()
		subscribed := client.subscribed[uri]
		c.mu.Unlock()
		if subscribed {
			client.Push(notification("notifications/resources/updated", `{"vendor":1.0,"uri":`+quote(uri)+`,"_meta":{"vendor/x":1}}`))
		}
	}
	for _, st := range c.openStreams() {
		if st.uris[uri] {
			st.send("notifications/resources/updated", `"vendor":1.0,"uri":`+quote(uri))
		}
	}
	c.succeed(`"content":[]`, "")
}

package upstream

import (
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A filter is what a subscription is to tell (2026-07-28, subscriptions, and
// the tasks extension). Its lists are sorted.
type filter struct {
	lists     []string // members of the filter that ask for changes of a list
	resources []string // URIs
	tasks     []string // ids
}

// tasksExtension lets a server answer a call with a task, and tell its state
// (2026-07-28, tasks extension).
const tasksExtension = "io.modelcontextprotocol/tasks"

// changing are the lists whose changes a server tells.
var changing = [...]*listKind{&promptList, &resourceList, &toolList}

// wantedFilter is what the server can tell and somebody wants to know.
func (u *Upstream) wantedFilter(facts Facts) filter {
	var f filter
	for _, kind := range changing {
		if supports(facts, kind.capability, "listChanged") {
			f.lists = append(f.lists, kind.filter)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if subscribable(facts) {
		for uri := range u.kept.resources {
			f.resources = append(f.resources, uri)
		}
		slices.Sort(f.resources)
	}
	if extends(facts, tasksExtension) {
		for id := range u.kept.tasks {
			f.tasks = append(f.tasks, id)
		}
		slices.Sort(f.tasks)
	}
	return f
}

func (f *filter) isEmpty() bool { return len(f.lists)+len(f.resources)+len(f.tasks) == 0 }

func (f *filter) equal(g *filter) bool {
	return slices.Equal(f.lists, g.lists) && slices.Equal(f.resources, g.resources) && slices.Equal(f.tasks, g.tasks)
}

// shared is what both ask for.
func (f *filter) shared(g *filter) filter {
	both := func(a, b []string) []string {
		return only(a, func(s string) bool { _, ok := slices.BinarySearch(b, s); return ok })
	}
	return filter{both(f.lists, g.lists), both(f.resources, g.resources), both(f.tasks, g.tasks)}
}

// encode returns the filter as it is sent.
func (f *filter) encode() []byte {
	var members []jsonrpc.Member
	for _, name := range f.lists {
		members = append(members, jsonrpc.NewMember(name, []byte("true")))
	}
	if len(f.resources) > 0 {
		members = append(members, jsonrpc.NewMember("resourceSubscriptions", jsonrpc.AppendStrings(nil, f.resources)))
	}
	if len(f.tasks) > 0 {
		members = append(members, jsonrpc.NewMember("taskIds", jsonrpc.AppendStrings(nil, f.tasks)))
	}
	return object(members...)
}

// granted is the part of the filter that the server's acknowledgement honours:
// all of it where the acknowledgement does not say.
func (f *filter) granted(acknowledged []byte) filter {
	members, err := jsonrpc.ParseObject(nil, acknowledged)
	if err != nil {
		return *f
	}
	honoured := func(member string, asked []string) []string {
		told := readStrings(jsonrpc.Find(members, member))
		slices.Sort(told)
		return only(asked, func(s string) bool { _, ok := slices.BinarySearch(told, s); return ok })
	}
	return filter{
		lists:     only(f.lists, func(name string) bool { return string(jsonrpc.Find(members, name)) == "true" }),
		resources: honoured("resourceSubscriptions", f.resources),
		tasks:     honoured("taskIds", f.tasks),
	}
}

// only returns the elements that pass, in a list of its own.
func only(list []string, passes func(string) bool) []string {
	var out []string
	for _, s := range list {
		if passes(s) {
			out = append(out, s)
		}
	}
	return out
}

// The notifications that a modern server sends by subscription only, beside
// those of lists.
const (
	updatedMethod = "notifications/resources/updated"
	taskMethod    = "notifications/tasks"
)

func isSubscribed(method []byte) bool {
	switch string(method) {
	case updatedMethod, taskMethod, toolList.changed, promptList.changed, resourceList.changed:
		return true
	}
	return false
}

// tells reports whether a notification is one that the filter asks for.
func (f *filter) tells(m *jsonrpc.Message) bool {
	switch method := string(m.Method); method {
	case updatedMethod:
		uri := memberText(m, "uri")
		return slices.ContainsFunc(f.resources, func(asked string) bool { return isWithin(uri, asked) })
	case taskMethod:
		return slices.Contains(f.tasks, memberText(m, "taskId"))
	default:
		for _, kind := range changing {
			if kind.changed == method {
				return slices.Contains(f.lists, kind.filter)
			}
		}
		return false
	}
}

// keeps reports whether what the notification tells has not been given up.
func (u *Upstream) keeps(m *jsonrpc.Message) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch string(m.Method) {
	case updatedMethod:
		uri := memberText(m, "uri")
		for asked := range u.kept.resources {
			if isWithin(uri, asked) {
				return true
			}
		}
		return false
	case taskMethod:
		_, ok := u.kept.tasks[memberText(m, "taskId")]
		return ok
	}
	return true
}

// memberText is a member of params that is a string; "" if it is not.
func memberText(m *jsonrpc.Message, key string) string {
	text, err := jsonrpc.String(jsonrpc.Find(m.Fields, key))
	if err != nil {
		return ""
	}
	return text
}

// isWithin reports whether uri is the resource that was asked for, or one below
// it: a server may tell of those too (2025-11-25, schema,
// ResourceUpdatedNotification).
func isWithin(uri, asked string) bool {
	rest, ok := strings.CutPrefix(uri, asked)
	return ok && (rest == "" || strings.HasSuffix(asked, "/") || strings.IndexByte("/?#", rest[0]) >= 0)
}

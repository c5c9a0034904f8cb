package reference

import (
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A kind is one of the lists.
type kind string

const (
	tools     kind = "tools"
	prompts   kind = "prompts"
	resources kind = "resources"
	templates kind = "templates"
)

// announcement is the notification that says that the list has changed.
func (k kind) announcement() string {
	if k == templates {
		k = resources
	}
	return "notifications/" + string(k) + "/list_changed"
}

// filter is the member of a listen stream's filter that asks for it.
func (k kind) filter() string {
	if k == templates {
		k = resources
	}
	return string(k) + "ListChanged"
}

func (c *call) listTools() {
	modern := c.x.Modern()
	var definitions []string
	for _, t := range allTools {
		definitions = append(definitions, t.definition(modern))
	}
	c.list(tools, "tools", definitions, extraTool, 7)
}

func (c *call) listPrompts() { c.list(prompts, "prompts", promptDefinitions, extraPrompt, 0) }

func (c *call) listResources() {
	c.list(resources, "resources", resourceDefinitions, extraResource, 3)
}

func (c *call) listTemplates() {
	c.list(templates, "resourceTemplates", templateDefinitions, extraTemplate, 2)
}

// list answers with one page of so many items; 0 = all.
func (c *call) list(k kind, member string, definitions []string, extra string, size int) {
	c.mu.Lock()
	if c.extra[k] {
		definitions = append(definitions[:len(definitions):len(definitions)], extra)
	}
	c.mu.Unlock()
	c.page(k, member, definitions, size)
}

func (c *call) page(k kind, member string, items []string, size int) {
	from := 0
	if raw := c.field("cursor"); raw != nil {
		for from = size; from > 0 && from < len(items) && cursor(k, from) != text(raw); {
			from += size
		}
		if from == 0 || from >= len(items) {
			c.x.Fail(codeInvalidParams, "Invalid cursor", "")
			return
		}
	}
	to := len(items)
	next := ""
	if size > 0 && from+size < to {
		to = from + size
		next = `"nextCursor":` + quote(cursor(k, to))
	}
	result := join(quote(member)+":["+strings.Join(items[from:to], ",")+"]", next, `"vendor":1`)
	c.succeed(c.kept(result), `"vendor/x":9007199254740993`)
}

// cursor is where the page begins that starts with this item. An empty cursor
// is one (2025-11-25, Pagination), and some servers have it.
func cursor(k kind, from int) string {
	if k == templates {
		return ""
	}
	return "<" + strings.Repeat("é", from) + ">"
}

// change adds an item to a list, or takes it out again, and says so.
func (c *call) change() {
	k := kind(c.argument("list"))
	c.mu.Lock()
	c.extra[k] = !c.extra[k]
	c.mu.Unlock()
	c.announce(k)
	c.succeed(`"content":[]`, "")
}

// announce tells all who listen that the list has changed.
func (s *server) announce(k kind) {
	for _, client := range s.legacyClients() {
		client.Push(notification(k.announcement(), `{"_meta":{"vendor/x":1}}`))
	}
	for _, st := range s.openStreams() {
		if string(jsonrpc.Find(st.filter, k.filter())) == "true" {
			st.send(k.announcement(), `"vendor":1`)
		}
	}
}

// legacyClients returns them all, for use without the lock.
func (s *server) legacyClients() []*client {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*client, 0, len(s.clients))
	for _, c := range s.clients {
		all = append(all, c)
	}
	return all
}

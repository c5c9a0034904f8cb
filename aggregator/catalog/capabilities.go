package catalog

import (
	"bytes"
	"slices"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// feature is a capability that stands for a thing that a server has.
type feature uint8

const (
	toolsFeature feature = iota
	promptsFeature
	resourcesFeature
	completionsFeature
	loggingFeature
	featureCount = iota
)

// The keys of the features (2025-11-25, lifecycle).
var featureKeys = [featureCount]string{"tools", "prompts", "resources", "completions", "logging"}

// features are those of one server.
type features struct {
	has       [featureCount]bool
	announces [featureCount]bool // it tells of changes
	subscribe bool               // to resources
}

// offer is all that a server's capabilities say.
type offer struct {
	features

	tasks        tasksOffer
	extensions   []jsonrpc.Member
	experimental []jsonrpc.Member
}

// tasksOffer is the capability "tasks" (2025-11-25, tasks).
type tasksOffer struct{ list, cancel, toolCalls bool }

// Declares reports whether a server with these capabilities has things of a kind.
func Declares(capabilities []byte, k Kind) bool {
	return readFeatures(object(capabilities)).has[kinds[k].feature]
}

// readOffer reads a server's capabilities. What is not as it should be is not
// there.
func readOffer(raw []byte) offer {
	members := object(raw)
	return offer{
		features:     readFeatures(members),
		tasks:        readTasks(jsonrpc.Find(members, "tasks")),
		extensions:   settingsOf(jsonrpc.Find(members, "extensions")),
		experimental: settingsOf(jsonrpc.Find(members, "experimental")),
	}
}

func readFeatures(capabilities []jsonrpc.Member) (f features) {
	for i, key := range featureKeys {
		value := jsonrpc.Find(capabilities, key)
		if !isObject(value) {
			continue
		}
		settings := object(value)
		f.has[i], f.announces[i] = true, isTrue(settings, "listChanged")
		if feature(i) == resourcesFeature {
			f.subscribe = isTrue(settings, "subscribe")
		}
	}
	return f
}

func readTasks(raw []byte) tasksOffer {
	members := object(raw)
	tools := object(jsonrpc.Find(object(jsonrpc.Find(members, "requests")), "tools"))
	has := func(in []jsonrpc.Member, key string) bool { return len(in) > 0 && isObject(jsonrpc.Find(in, key)) }
	return tasksOffer{list: has(members, "list"), cancel: has(members, "cancel"), toolCalls: has(tools, "call")}
}

func (t tasksOffer) with(other tasksOffer) tasksOffer {
	return tasksOffer{t.list || other.list, t.cancel || other.cancel, t.toolCalls || other.toolCalls}
}

// object returns the members of an object; none of anything else.
func object(raw []byte) []jsonrpc.Member {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil
	}
	return members
}

func isObject(raw []byte) bool { return len(raw) > 0 && raw[0] == '{' }

func isTrue(members []jsonrpc.Member, key string) bool {
	return string(jsonrpc.Find(members, key)) == "true"
}

// Bounds of the extensions of one server: they stand in every handshake.
const (
	maxExtensions = 100
	maxSettings   = 4 << 10 // bytes
)

// settingsOf returns the members that are settings of something, each once.
func settingsOf(raw []byte) (settings []jsonrpc.Member) {
	for _, m := range object(raw) {
		if isObject(m.Value) && len(m.Name)+len(m.Value) <= maxSettings && len(settings) < maxExtensions &&
			jsonrpc.Find(settings, string(m.Key)) == nil {
			settings = append(settings, m)
		}
	}
	return settings
}

// Extensions that are not merged as others are.
const (
	tasksExtension = "io.modelcontextprotocol/tasks"
	uiExtension    = "io.modelcontextprotocol/ui"
)

// Claims are the capabilities that hosts are told of: those for which a server
// stands. They are its own copy, to be changed.
type Claims struct {
	Tools, Prompts, Resources, Subscribe, Completions, Logging bool

	tasks       tasksOffer // of legacy servers
	modernTasks bool       // a modern server has the extension for tasks

	extensions   []jsonrpc.Member
	experimental []jsonrpc.Member
}

// HasTasks reports whether any server has tasks, as the host's era knows them.
func (c *Claims) HasTasks(modern bool) bool {
	if modern {
		return c.modernTasks
	}
	return c.tasks != tasksOffer{}
}

// Claims merges the capabilities of the permitted servers. While one of them has
// never been listed, all that weir can carry is claimed: legacy hosts are told
// once.
func (s *Snapshot) Claims(permitted func(server string) bool) Claims {
	var c Claims
	var extensions, experimental settingsMerge
	for i := range s.servers {
		from := &s.servers[i]
		if !permitted(from.Name) {
			continue
		}
		if from.Lists == nil || !from.Lists.Known() {
			c.Tools, c.Prompts, c.Resources, c.Subscribe, c.Completions, c.Logging = true, true, true, true, true, true
			c.tasks, c.modernTasks = tasksOffer{list: true, cancel: true, toolCalls: true}, true
			continue
		}
		o := readOffer(from.Lists.Capabilities)
		c.add(o, from.Lists.Modern)
		extensions.add(o.extensions)
		experimental.add(o.experimental)
	}
	c.extensions, c.experimental = extensions.agreed, experimental.agreed
	return c
}

func (c *Claims) add(o offer, modern bool) {
	c.Tools = c.Tools || o.has[toolsFeature]
	c.Prompts = c.Prompts || o.has[promptsFeature]
	c.Resources = c.Resources || o.has[resourcesFeature]
	c.Subscribe = c.Subscribe || o.subscribe
	c.Completions = c.Completions || o.has[completionsFeature]
	c.Logging = c.Logging || o.has[loggingFeature]
	if !modern {
		c.tasks = c.tasks.with(o.tasks)
		return
	}
	c.modernTasks = c.modernTasks || jsonrpc.Find(o.extensions, tasksExtension) != nil
}

// settingsMerge keeps the settings that all who have them agree on.
type settingsMerge struct {
	agreed   []jsonrpc.Member
	disputed [][]byte // keys
}

func (m *settingsMerge) add(settings []jsonrpc.Member) {
	for _, s := range settings {
		at := slices.IndexFunc(m.agreed, func(other jsonrpc.Member) bool { return bytes.Equal(other.Key, s.Key) })
		switch {
		case string(s.Key) == tasksExtension, slices.ContainsFunc(m.disputed, func(key []byte) bool { return bytes.Equal(key, s.Key) }):
		case at < 0:
			m.agreed = append(m.agreed, s)
		case string(s.Key) == uiExtension && len(object(m.agreed[at].Value)) == 0:
			m.agreed[at] = s // what a server says of itself here binds no other
		case string(s.Key) != uiExtension && !bytes.Equal(m.agreed[at].Value, s.Value):
			m.agreed = slices.Delete(m.agreed, at, at+1)
			m.disputed = append(m.disputed, s.Key)
		}
	}
}

// The revision that has tasks in its core, and the first of the modern era.
const (
	tasksRevision  = "2025-11-25"
	modernRevision = "2026-07-28"
)

// Append appends the object of capabilities for a host of a protocol revision.
// Changes of lists are announced, whoever tells weir of them.
func (c *Claims) Append(dst []byte, revision string) []byte {
	var members []jsonrpc.Member
	claim := func(has bool, key, settings string) {
		if has {
			members = append(members, jsonrpc.NewMember(key, []byte(settings)))
		}
	}
	claim(c.Tools, "tools", `{"listChanged":true}`)
	claim(c.Prompts, "prompts", `{"listChanged":true}`)
	claim(c.Resources && c.Subscribe, "resources", `{"subscribe":true,"listChanged":true}`)
	claim(c.Resources && !c.Subscribe, "resources", `{"listChanged":true}`)
	claim(c.Completions, "completions", `{}`)
	claim(c.Logging, "logging", `{}`)
	claim(revision == tasksRevision && c.tasks != tasksOffer{}, "tasks", string(c.tasks.append(nil)))
	extensions := c.extensions
	if revision >= modernRevision && c.modernTasks {
		extensions = append(slices.Clip(extensions), jsonrpc.NewMember(tasksExtension, []byte("{}")))
	}
	claim(len(extensions) > 0, "extensions", string(jsonrpc.AppendObject(nil, extensions)))
	claim(len(c.experimental) > 0, "experimental", string(jsonrpc.AppendObject(nil, c.experimental)))
	return jsonrpc.AppendObject(dst, members)
}

func (t tasksOffer) append(dst []byte) []byte {
	var members []jsonrpc.Member
	if t.list {
		members = append(members, jsonrpc.NewMember("list", []byte("{}")))
	}
	if t.cancel {
		members = append(members, jsonrpc.NewMember("cancel", []byte("{}")))
	}
	if t.toolCalls {
		members = append(members, jsonrpc.NewMember("requests", []byte(`{"tools":{"call":{}}}`)))
	}
	return jsonrpc.AppendObject(dst, members)
}

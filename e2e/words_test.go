package e2e

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is what a player makes of a message: its bytes, but for what must
// differ between a server and weir. Each of those is checked for what it is and
// then told in words, or replaced.

const metaPrefix = "io.modelcontextprotocol/"

// A way leads from a host to the reference server: by the names that the server,
// and what stands before it, has in each weir, beginning with the host's. It is
// empty where there is no weir.
type way []string

// prefix is what the names of tools and prompts have before them.
func (w way) prefix() string {
	if len(w) == 0 {
		return ""
	}
	return strings.Join(w, "__") + "__"
}

// asker is what the user sees before a question.
func (w way) asker() string {
	if len(w) == 0 {
		return ""
	}
	return "[" + strings.Join(w, "] [") + "] "
}

// logger is that of the server itself; its other loggers follow after a slash.
func (w way) logger() string { return strings.Join(w, "/") }

// aliases stand for ids, in the order in which these come: T1 is the first
// task.
type aliases struct {
	raw  []string
	name []string
}

// of returns the alias of a raw id.
func (a *aliases) of(letter string, raw []byte) string {
	count := 1
	for i, known := range a.raw {
		if known == letter+string(raw) {
			return a.name[i]
		}
		if strings.HasPrefix(known, letter) {
			count++
		}
	}
	a.raw = append(a.raw, letter+string(raw))
	a.name = append(a.name, `"`+letter+strconv.Itoa(count)+`"`)
	return a.name[len(a.name)-1]
}

// outcome tells what an answer to a request says.
func (p *player) outcome(method string, m *jsonrpc.Message) string {
	if m.Kind == jsonrpc.Failure {
		return method + " fails: " + p.failure(m)
	}
	return method + " returns: " + p.result(m.Fields) + p.facts(m)
}

// failure is an error. Its message names what the host has asked for by the name
// the host has for it.
func (p *player) failure(m *jsonrpc.Message) string {
	raw := jsonrpc.Find(m.Fields, "message")
	message, err := jsonrpc.String(raw)
	if err != nil {
		return string(m.Error)
	}
	for _, unknown := range []string{"Unknown tool: ", "Unknown prompt: "} {
		if name, ok := strings.CutPrefix(message, unknown+p.way.prefix()); ok {
			return string(jsonrpc.Splice(nil, m.Error, jsonrpc.Edit{At: raw, With: []byte(quoted(unknown + name))}))
		}
	}
	return p.elicitations(m)
}

// elicitations is an error that says which URLs to open.
func (p *player) elicitations(m *jsonrpc.Message) string {
	data, err := jsonrpc.ParseObject(nil, jsonrpc.Find(m.Fields, "data"))
	if err != nil {
		return string(m.Error)
	}
	list, err := jsonrpc.ParseArray(nil, jsonrpc.Find(data, "elicitations"))
	if err != nil {
		return string(m.Error)
	}
	var edits []jsonrpc.Edit
	for _, one := range list {
		edits = append(edits, jsonrpc.Edit{At: one, With: []byte(p.elicitation(objectOf(p.t, one)))})
	}
	return string(jsonrpc.Splice(nil, m.Error, edits...))
}

// ofHop are the members of a result that belong to the hop it has come over.
var ofHop = map[string]bool{"resultType": true, "ttlMs": true, "cacheScope": true}

// result is a result without what belongs to the hop. Ids of tasks in it have
// their aliases.
func (p *player) result(fields []jsonrpc.Member) string {
	var kept []jsonrpc.Member
	for _, member := range fields {
		switch key := string(member.Key); {
		case ofHop[key]:
			continue
		case key == "_meta":
			if member.Value = p.meta(member.Value); member.Value == nil {
				continue
			}
		case key == "taskId", key == "task", key == "tasks", key == "inputRequests", key == "result":
			member.Value = []byte(p.task(key, member.Value))
		}
		kept = append(kept, member)
	}
	return string(jsonrpc.AppendObject(nil, kept))
}

// task is a value in which tasks are named.
func (p *player) task(key string, raw []byte) string {
	switch key {
	case "taskId":
		return p.names.of("T", raw)
	case "tasks":
		list, err := jsonrpc.ParseArray(nil, raw)
		if err != nil {
			return string(raw)
		}
		all := make([]string, len(list))
		for i, one := range list {
			all[i] = p.result(objectOf(p.t, one))
		}
		return "[" + strings.Join(all, ",") + "]"
	case "inputRequests":
		return p.inputRequests(raw)
	}
	return p.result(objectOf(p.t, raw))
}

// inputRequests is what a task asks.
func (p *player) inputRequests(raw []byte) string {
	var all []string
	for _, r := range objectOf(p.t, raw) {
		request := objectOf(p.t, r.Value)
		method, err := jsonrpc.String(jsonrpc.Find(request, "method"))
		if err != nil {
			p.t.Fatalf("inputRequests: %v: %s", err, raw)
		}
		all = append(all, p.question(method, jsonrpc.Find(request, "params")))
	}
	return "{" + strings.Join(all, "; ") + "}"
}

// meta is _meta without what belongs to the hop; nil if nothing is left.
func (p *player) meta(raw []byte) []byte {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return raw
	}
	var kept []jsonrpc.Member
	for _, member := range members {
		switch string(member.Key) {
		case metaPrefix + "serverInfo":
			continue
		case metaPrefix + "subscriptionId":
			if string(member.Value) == p.stream {
				continue
			}
		case metaPrefix + "related-task":
			member.Value = []byte(p.task("task", member.Value))
		}
		kept = append(kept, member)
	}
	if len(kept) == 0 && len(members) > 0 {
		return nil
	}
	return jsonrpc.AppendObject(nil, kept)
}

// facts tells of the members that belong to the hop.
func (p *player) facts(m *jsonrpc.Message) string {
	var b strings.Builder
	if kind := jsonrpc.Find(m.Fields, "resultType"); kind != nil {
		fmt.Fprintf(&b, " resultType=%s", kind)
	}
	if raw := jsonrpc.Find(m.Fields, "ttlMs"); raw != nil && !isTask(m.Fields) {
		word := "some"
		if ttl, err := strconv.Atoi(string(raw)); err != nil || ttl < 0 {
			word = string(raw)
		}
		b.WriteString(" ttlMs=" + word)
	}
	if scope := string(jsonrpc.Find(m.Fields, "cacheScope")); scope == `"private"` || scope == `"public"` {
		b.WriteString(" cacheScope=some")
	} else if scope != "" {
		b.WriteString(" cacheScope=" + scope)
	}
	meta, err := jsonrpc.ParseObject(nil, jsonrpc.Find(m.Fields, "_meta"))
	if err == nil && jsonrpc.Find(meta, metaPrefix+"serverInfo") != nil {
		b.WriteString(" serverInfo")
	}
	if b.Len() == 0 {
		return ""
	}
	return " [" + strings.TrimSpace(b.String()) + "]"
}

func isTask(fields []jsonrpc.Member) bool { return jsonrpc.Find(fields, "taskId") != nil }

// item is one of a list, with the name that the server has for it.
func (p *player) item(raw []byte) string {
	members := objectOf(p.t, raw)
	if isTask(members) {
		return p.result(members)
	}
	name := jsonrpc.Find(members, "name")
	original, ok := strings.CutPrefix(string(name), `"`+p.way.prefix())
	if !ok {
		return string(raw)
	}
	return string(jsonrpc.Splice(nil, raw, jsonrpc.Edit{At: name, With: []byte(`"` + original)}))
}

// question is what the host is asked.
func (p *player) question(method string, params []byte) string {
	text := string(params)
	members, err := jsonrpc.ParseObject(nil, params)
	if err == nil {
		text = p.elicitation(members)
	}
	return "asked for " + method + ": " + text
}

// elicitation is the params of a question: with the id of an elicitation told
// after them, since weir may have to make one up, and of the token only that
// there is one.
func (p *player) elicitation(members []jsonrpc.Member) string {
	var kept []jsonrpc.Member
	id := ""
	for _, member := range members {
		switch string(member.Key) {
		case "elicitationId":
			id = " with the id " + p.names.of("E", member.Value)
			continue
		case "message":
			member.Value = p.withoutName(member.Value)
		case "_meta":
			member.Value = p.meta(withToken(member.Value))
		}
		kept = append(kept, member)
	}
	return string(jsonrpc.AppendObject(nil, kept)) + id
}

func withToken(meta []byte) []byte {
	members, err := jsonrpc.ParseObject(nil, meta)
	if err != nil {
		return meta
	}
	for i := range members {
		if string(members[i].Key) == "progressToken" {
			members[i].Value = []byte(`"some"`)
		}
	}
	return jsonrpc.AppendObject(nil, members)
}

// withoutName takes off the name of the server that asks.
func (p *player) withoutName(raw []byte) []byte {
	message, err := jsonrpc.String(raw)
	if err != nil {
		return raw
	}
	message, ok := strings.CutPrefix(message, p.way.asker())
	if !ok {
		return []byte(`"NOT NAMED: ` + string(raw[1:]))
	}
	return []byte(quoted(message))
}

// told is what a notification tells.
func (p *player) told(m *jsonrpc.Message) string {
	method := string(m.Method)
	var kept []jsonrpc.Member
	for _, member := range m.Fields {
		switch string(member.Key) {
		case "logger":
			if member.Value = p.logger(member.Value); member.Value == nil {
				continue
			}
		case "elicitationId":
			member.Value = []byte(p.names.of("E", member.Value))
		case "taskId":
			member.Value = []byte(p.names.of("T", member.Value))
		case "notifications":
			member.Value = []byte(p.acknowledged(member.Value))
		case "requestId":
			if string(member.Value) == p.held {
				member.Value = []byte(`"the question"`)
			}
		case "result", "inputRequests":
			member.Value = []byte(p.task(string(member.Key), member.Value))
		case "_meta":
			if member.Value = p.meta(member.Value); member.Value == nil {
				continue
			}
		}
		kept = append(kept, member)
	}
	if strings.HasSuffix(method, "/list_changed") {
		kept = nil // weir tells so itself, of all servers' lists
	}
	return "told " + method + p.ofStream(m) + " " + string(jsonrpc.AppendObject(nil, kept))
}

// acknowledged is what is honoured of a listen stream's filter.
func (p *player) acknowledged(raw []byte) string {
	filter := objectOf(p.t, raw)
	for i := range filter {
		if string(filter[i].Key) != "taskIds" {
			continue
		}
		ids, err := jsonrpc.ParseArray(nil, filter[i].Value)
		if err != nil {
			continue
		}
		all := make([]string, len(ids))
		for j, id := range ids {
			all[j] = p.names.of("T", id)
		}
		filter[i].Value = []byte("[" + strings.Join(all, ",") + "]")
	}
	return string(jsonrpc.AppendObject(nil, filter))
}

// ofStream tells whether a notification belongs to the open listen stream.
func (p *player) ofStream(m *jsonrpc.Message) string {
	meta, err := jsonrpc.ParseObject(nil, jsonrpc.Find(m.Fields, "_meta"))
	if err != nil {
		return ""
	}
	switch id := string(jsonrpc.Find(meta, metaPrefix+"subscriptionId")); id {
	case "":
		return ""
	case p.stream:
		return " on the stream"
	default:
		return " on a stream with id " + id
	}
}

// logger is the name of a logger without that of the server; nil if nothing is
// left.
func (p *player) logger(raw []byte) []byte {
	name, err := jsonrpc.String(raw)
	if err != nil || len(p.way) == 0 {
		return raw
	}
	if name == p.way.logger() {
		return nil
	}
	name, ok := strings.CutPrefix(name, p.way.logger()+"/")
	if !ok {
		return []byte(`"NOT NAMED: ` + string(raw[1:]))
	}
	return []byte(quoted(name))
}

package aggregator

import (
	"bytes"
	"strings"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is the way from what a host names to the server that has it, where
// that is called, and the way back of the URIs in results.

// tool finds the tool that is meant by name, permitted or not; nil if there is
// none. No name of weir's own tools ever means another's, be they there for the
// principal or not.
func (v *view) tool(name string) *catalog.Route {
	if strings.HasPrefix(name, namespace.Reserved) {
		return nil
	}
	return v.snapshot.Resolve(name, v.listed)
}

// prompt finds the prompt that is meant by name; nil if there is none for the
// principal.
func (v *view) prompt(name string) *catalog.Route {
	if strings.HasPrefix(name, namespace.Reserved) {
		return nil
	}
	return v.ifListed(v.snapshot.ResolvePrompt(name, v.listed))
}

// template finds the resource template that hosts call so; nil if there is none
// for the principal.
func (v *view) template(exposed string) *catalog.Route {
	return v.ifListed(v.snapshot.Template(exposed))
}

func (v *view) ifListed(route *catalog.Route) *catalog.Route {
	if route == nil || !v.listed(route) {
		return nil
	}
	return route
}

// resource finds the server that a host's URI leads to, and what that
// calls it: as the lists say; else the server that has sent it; else the only
// one that can be meant. nil if there is none for the principal.
func (v *view) resource(uri string) (*server, string) {
	if name, original, ok := v.snapshot.Locate(uri, v.listed); ok {
		if !v.readable(name, original) {
			return nil, ""
		}
		return v.byName[name], original
	}
	if from := v.learned.server(uri); from != nil && v.byName[from.Name] != nil && v.readable(from.Name, uri) {
		return v.byName[from.Name], uri
	}
	sole := ""
	for _, name := range v.sharers {
		if !v.readable(name, uri) {
			continue
		}
		if sole != "" {
			return nil, ""
		}
		sole = name
	}
	return v.byName[sole], uri
}

// learn remembers the URIs in a result of a server. Where no other server has
// resources there is nothing to know.
func (a *Aggregator) learn(from *server, fields []jsonrpc.Member) {
	if v := a.view.Load(); v.clients == nil && len(v.sharers) < 2 {
		return
	}
	for _, raw := range resultURIs(fields) {
		if uri, err := jsonrpc.String(raw); err == nil {
			a.learned.add(uri, from)
		}
	}
}

// exposeURIs appends the edits that put the host's URIs in place of those of the
// server which would lead the host to another one. What is edited already stays.
func (c *call) exposeURIs(edits []jsonrpc.Edit, fields []jsonrpc.Member) []jsonrpc.Edit {
	snapshot := c.s.a.view.Load().snapshot
	if !snapshot.MayMoveURIs() {
		return edits
	}
	before := edits
	for _, raw := range resultURIs(fields) {
		uri, err := jsonrpc.String(raw)
		if err != nil || covered(before, raw) {
			continue
		}
		if exposed := snapshot.ExposeURI(c.server.Name, uri); exposed != uri {
			edits = append(edits, jsonrpc.Edit{At: raw, With: jsonrpc.AppendString(nil, exposed)})
		}
	}
	return edits
}

// covered reports whether part lies within what an edit of the same text
// replaces: slices of one array that start later have less capacity.
func covered(edits []jsonrpc.Edit, part []byte) bool {
	for _, e := range edits {
		if cap(e.At) >= cap(part) && cap(e.At)-len(e.At) <= cap(part)-len(part) {
			return true
		}
	}
	return false
}

// Bounds of the search for URIs in one result.
const (
	maxSearched = 4 << 20 // bytes of one array
	maxBlocks   = 1000    // elements of it
)

// resultURIs returns the URIs in a result, raw, as they stand in it: of links and
// embedded resources in content (of tools/call, and of the messages of
// prompts/get), and of what was read. The result of a task is one too.
func resultURIs(fields []jsonrpc.Member) (uris [][]byte) {
	for i := range fields {
		value := fields[i].Value
		switch string(fields[i].Key) {
		case "content", "contents":
			for _, block := range blocks(value) {
				uris = appendURIs(uris, block)
			}
		case "messages":
			for _, message := range blocks(value) {
				uris = appendMessageURIs(uris, message)
			}
		case "result":
			if isObject(value) && bytes.Contains(value, uriName) && len(value) <= maxSearched {
				inner, _ := jsonrpc.ParseObject(nil, value) // it is an object
				uris = append(uris, resultURIs(withoutResult(inner))...)
			}
		}
	}
	return uris
}

// withoutResult keeps a result in a result in a result from being looked into.
func withoutResult(fields []jsonrpc.Member) []jsonrpc.Member {
	return rewrittenMembers(fields, "result", nil)
}

var uriName = []byte(`"uri"`)

// blocks returns the elements of an array that may have URIs in them.
func blocks(array []byte) [][]byte {
	if len(array) > maxSearched || !bytes.Contains(array, uriName) {
		return nil
	}
	elements, err := jsonrpc.ParseArray(nil, array)
	if err != nil {
		return nil
	}
	return elements[:min(len(elements), maxBlocks)]
}

func appendMessageURIs(uris [][]byte, message []byte) [][]byte {
	content := memberOf(message, "content")
	if isObject(content) {
		return appendURIs(uris, content)
	}
	for _, block := range blocks(content) {
		uris = appendURIs(uris, block)
	}
	return uris
}

// appendURIs appends the URI of a block, and that of a resource embedded in it.
func appendURIs(uris [][]byte, block []byte) [][]byte {
	for _, raw := range [][]byte{memberOf(block, "uri"), memberOf(memberOf(block, "resource"), "uri")} {
		if len(raw) > 0 && raw[0] == '"' {
			uris = append(uris, raw)
		}
	}
	return uris
}

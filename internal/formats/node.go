package formats

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A node is one schema object on its way to be written anew: its members in
// their order, each key once.
type node []jsonrpc.Member

// parseNode reads a schema object. Of members with one key the first counts, as
// everywhere in weir.
func parseNode(raw []byte) (node, error) {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool, len(members))
	return slices.DeleteFunc(members, func(m jsonrpc.Member) bool {
		again := seen[string(m.Key)]
		seen[string(m.Key)] = true
		return again
	}), nil
}

// object is parseNode of what may be no object: it has no members then.
func object(raw []byte) node {
	n, _ := parseNode(raw)
	return n
}

func (n node) find(key string) []byte { return jsonrpc.Find(n, key) }

func (n node) has(key string) bool { return n.find(key) != nil }

// set replaces a member where it stands, or appends it.
func (n *node) set(key string, value []byte) {
	if i := n.index(key); i >= 0 {
		(*n)[i].Value = value
		return
	}
	*n = append(*n, member(key, value))
}

// rename puts a member with another key where the old one stood.
func (n *node) rename(key, to string, value []byte) {
	(*n)[n.index(key)] = member(to, value)
}

func (n *node) remove(keys ...string) {
	*n = slices.DeleteFunc(*n, func(m jsonrpc.Member) bool { return slices.Contains(keys, string(m.Key)) })
}

func (n node) index(key string) int {
	return slices.IndexFunc(n, func(m jsonrpc.Member) bool { return string(m.Key) == key })
}

// only reports whether the node has no members but those with these keys.
func (n node) only(keys ...string) bool {
	return !slices.ContainsFunc(n, func(m jsonrpc.Member) bool { return !slices.Contains(keys, string(m.Key)) })
}

func (n node) raw() []byte { return write(n...) }

func member(key string, value []byte) jsonrpc.Member { return jsonrpc.NewMember(key, value) }

// write returns an object of members; one whose value is nil is left out.
func write(members ...jsonrpc.Member) []byte { return jsonrpc.AppendObject(nil, members) }

// types returns the types that a node declares.
func (n node) types() []string {
	declared := n.find("type")
	if isString(declared) {
		return []string{text(declared)}
	}
	return stringsOf(declared)
}

// stringsOf returns the strings in an array.
func stringsOf(raw []byte) []string {
	var all []string
	for _, element := range elements(raw) {
		if isString(element) {
			all = append(all, text(element))
		}
	}
	return all
}

func elements(raw []byte) [][]byte {
	all, _ := jsonrpc.ParseArray(nil, raw)
	return all
}

func arrayOf(elements [][]byte) []byte {
	return slices.Concat([]byte("["), bytes.Join(elements, []byte(",")), []byte("]"))
}

func stringArray(texts []string) []byte {
	quoted := make([][]byte, len(texts))
	for i, t := range texts {
		quoted[i] = quote(t)
	}
	return arrayOf(quoted)
}

func text(raw []byte) string {
	s, _ := jsonrpc.String(raw)
	return s
}

func isString(raw []byte) bool { return len(raw) > 0 && raw[0] == '"' }
func isObject(raw []byte) bool { return len(raw) > 0 && raw[0] == '{' }
func isArray(raw []byte) bool  { return len(raw) > 0 && raw[0] == '[' }

func isNull(raw []byte) bool { return string(raw) == "null" }

// maxSchema is how large a schema may be to be looked into. One that is larger
// passes as it is.
const maxSchema = 256 << 10

func isManageable(schema []byte) bool { return len(schema) <= maxSchema && jsonrpc.Fair(schema) }

// definition finds what a reference within a schema leads to: the schema itself,
// or one of its definitions. nil if it leads anywhere else.
func definition(root node, reference string) []byte {
	if reference == "#" {
		return root.raw()
	}
	for _, key := range definitionKeys {
		if name, ok := strings.CutPrefix(reference, "#/"+key+"/"); ok && !strings.ContainsAny(name, "/~%") {
			return object(root.find(key)).find(name)
		}
	}
	return nil
}

var definitionKeys = []string{"$defs", "definitions"}

// maxNesting is how deep a schema is looked into: deeper than any that a person
// has written.
const maxNesting = 48

var errNesting = errors.New("it nests too deep")

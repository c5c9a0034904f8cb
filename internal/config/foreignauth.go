package config

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/upstream/auth"
)

// foreignAuthKeys are the keys of weir's own auth by how others spell them: in
// capitals (Cursor), in camel case (Gemini CLI, Claude Code), with other words.
var foreignAuthKeys = map[string]string{
	"type": "type", "token": "token", "value": "value", "username": "username", "password": "password",
	"header": "header", "headername": "header", "prefix": "prefix", "headerprefix": "prefix",
	"clientid": "client_id", "clientsecret": "client_secret", "tokenurl": "token_url", "issuer": "issuer",
	"scopes": "scopes", "scope": "scopes", "callbackport": "callback_port",
}

// A foreignAuth is what other programs have under "auth" or "oauth", as weir
// writes it. It has no type where its keys do not tell.
type foreignAuth struct{ made *authentication }

func (f *foreignAuth) decode(d *decoder, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		d.wrongType(n, "keys with values")
		return
	}
	own := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column}
	d.pairs(n, func(key, value *yaml.Node) {
		renamed := *key
		plain := strings.ToLower(strings.ReplaceAll(key.Value, "_", ""))
		if known := foreignAuthKeys[plain]; known != "" {
			renamed.Value = known
		}
		if renamed.Value == "scopes" {
			value = scopeList(value)
		}
		own.Content = append(own.Content, &renamed, value)
	})
	asOwnType(own)
	f.made = &authentication{}
	f.made.decode(d, own)
}

// scopeList makes a list of scopes that stand in one text, as RFC 6749 writes
// them.
func scopeList(n *yaml.Node) *yaml.Node {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		return n
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: n.Line, Column: n.Column}
	for scope := range strings.FieldsSeq(n.Value) {
		list.Content = append(list.Content, scalarAt(n, scope))
	}
	return list
}

func scalarAt(place *yaml.Node, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: place.Line, Column: place.Column}
}

// asOwnType gives auth one of weir's own types: by its synonym, or oauth2 where
// nothing else is said: then a token endpoint is one that weir finds by itself.
func asOwnType(n *yaml.Node) {
	kind := member(n, "type")
	if kind == nil {
		rename(n, "token_url", "tokenUrl")
		n.Content = append(n.Content, scalarAt(n, "type"), scalarAt(n, string(auth.OAuth2)))
		return
	}
	word := strings.ToLower(kind.Value)
	if own := authSynonyms[word]; own != "" {
		word = own
	}
	value := member(n, "value")
	switch {
	case word == string(auth.Bearer) && value != nil && member(n, "token") == nil:
		rename(n, "value", "token")
	case word == string(auth.Basic) && value != nil: // name and password, encoded already
		word = string(auth.APIKey)
		n.Content = append(n.Content, scalarAt(n, "prefix"), scalarAt(n, "Basic"))
	case word == string(auth.OAuth2) && member(n, "token_url") != nil && member(n, "grant") == nil:
		n.Content = append(n.Content, scalarAt(n, "grant"), scalarAt(n, string(auth.ClientCredentials)))
	}
	i := slices.Index(n.Content, kind)
	n.Content[i] = scalarAt(kind, word)
}

func rename(n *yaml.Node, from, to string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == from {
			n.Content[i].Value = to
		}
	}
}

// auth is how the other program authenticates to the server.
func (f *foreignServer) auth() *authentication {
	for _, given := range []*foreignAuth{f.Auth, f.OAuth} {
		if given != nil {
			return given.made
		}
	}
	if f.BearerVar == nil {
		return nil
	}
	token := &text{value: "${" + f.BearerVar.value + "}", pos: f.BearerVar.pos}
	return &authentication{
		pos: f.BearerVar.pos, kind: text{value: string(auth.Bearer), pos: f.BearerVar.pos},
		bearer: bearerAuth{Token: token},
	}
}

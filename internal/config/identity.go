package config

import (
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/weir-mcp/weir/upstream/auth"
)

// identity writes down all that could change what a server lists: each text
// with its length, so that no two configurations read the same. References to
// files stay references. Inherited variables count with their values where they
// are named: they may choose an account.
func (m *serverMaker) identity() []byte {
	s := &m.made
	id := make(identity, 0, 256)
	id = id.texts("server", s.Transport, s.Protocol, s.Command, s.Dir, s.URL, strconv.FormatBool(s.InheritAll))
	id = id.texts("args", s.Args...)
	id = id.pairs("env", s.Env)
	id = id.pairs("headers", s.Headers)
	if s.Subprotocol != "" {
		id = id.texts("subprotocol", s.Subprotocol)
	}
	id = append(id, authIdentity(&s.Auth)...)
	inherited := make(map[string]string, len(s.InheritEnv))
	for _, name := range s.InheritEnv {
		value, isSet := os.LookupEnv(name)
		m.e.sources.lookedUp(name, isSet)
		inherited[name] = value
	}
	return id.pairs("inherited", inherited)
}

// authIdentity writes down who weir is to the server. How it logs in, and where
// the browser comes back to, changes nothing of that.
func authIdentity(c *auth.Config) (id identity) {
	if c.Kind == auth.None {
		return nil
	}
	id = id.texts("auth", string(c.Kind), c.Token, c.Value, c.Header, c.Prefix, c.Username, c.Password)
	if c.Kind != auth.OAuth2 {
		return id
	}
	o := &c.OAuth
	id = id.texts("oauth", string(o.Grant), o.ClientID, o.ClientSecret, o.PrivateKey, o.ClientMetadataURL, o.Issuer, o.TokenURL, o.Account)
	id = id.texts("scopes", o.Scopes...)
	if o.Resource != "" {
		id = id.texts("resource", o.Resource)
	}
	if o.Assertion != "" {
		id = id.texts("assertion", o.Assertion)
	}
	if p := o.IdentityProvider; p != (auth.IdentityProvider{}) {
		id = id.texts("provider", p.Issuer, p.TokenURL, p.ClientID, p.ClientSecret, p.PrivateKey, p.SubjectToken, p.SubjectTokenType)
	}
	return id.pairs("params", o.AuthorizeParams)
}

type identity []byte

func (id identity) texts(label string, texts ...string) identity {
	id = append(id, label...)
	id = strconv.AppendInt(append(id, ' '), int64(len(texts)), 10)
	for _, t := range texts {
		id = strconv.AppendInt(append(id, ' '), int64(len(t)), 10)
		id = append(append(id, ':'), t...)
	}
	return append(id, '\n')
}

func (id identity) pairs(label string, values map[string]string) identity {
	texts := make([]string, 0, 2*len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		texts = append(texts, key, values[key])
	}
	return id.texts(label, texts...)
}

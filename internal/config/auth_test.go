package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/auth"
)

// testKey is a key that nobody uses.
const testKey = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIFDJ8a4YhQq4mSHFp3a2rOQ8sUyWbZ4b4k5b2s0sWl1V\n-----END PRIVATE KEY-----\n"

func TestAuth(t *testing.T) {
	t.Setenv("WEIR_TEST_TOKEN", "s3cret")
	t.Setenv("WEIR_TEST_KEY", testKey)
	for _, tt := range []struct {
		server string
		want   auth.Config
	}{
		{`{command: x}`, auth.Config{}},
		{`{url: "https://x/"}`, auth.Config{Kind: auth.OAuth2}},
		{`{url: "wss://x/"}`, auth.Config{Kind: auth.OAuth2}},
		{`{url: "http://localhost:1/"}`, auth.Config{Kind: auth.OAuth2}},
		{`{url: "ws://127.0.0.1:1/"}`, auth.Config{Kind: auth.OAuth2}},
		{`{url: "http://x/"}`, auth.Config{}},
		{`{url: "https://x/", headers: {X-MCP-Toolsets: repos}}`, auth.Config{Kind: auth.OAuth2}},
		{`{url: "https://x/", headers: {Authorization: a}}`, auth.Config{}},
		{`{url: "https://x/", headers: {X-Api-Key: a}}`, auth.Config{}},
		{`{url: "https://x/", auth: {type: none}}`, auth.Config{}},
		{`{url: "https://x/", auth: {type: bearer, token: "${WEIR_TEST_TOKEN}"}}`, auth.Config{Kind: auth.Bearer, Token: "s3cret"}},
		{`{url: "https://x/", auth: {type: bearer, token: "a$${b"}}`, auth.Config{Kind: auth.Bearer, Token: "a${b"}},
		{`{url: "http://[::1]/", auth: {type: bearer, token: 12}}`, auth.Config{Kind: auth.Bearer, Token: "12"}},
		{`{url: "https://x/", auth: {type: api_key, value: k}}`, auth.Config{Kind: auth.APIKey, Value: "k"}},
		{
			`{url: "wss://x/", auth: {type: api_key, value: k, header: x-api-key, prefix: "Key "}}`,
			auth.Config{Kind: auth.APIKey, Value: "k", Header: "X-Api-Key", Prefix: "Key"},
		},
		{`{url: "https://x/", auth: {type: api_key, value: k, prefix: ""}}`, auth.Config{Kind: auth.APIKey, Value: "k"}},
		{`{url: "https://x/", auth: {type: basic, username: u, password: "p:q"}}`, auth.Config{Kind: auth.Basic, Username: "u", Password: "p:q"}},
		{`{url: "https://x/", auth: {type: basic, username: u, password: ""}}`, auth.Config{Kind: auth.Basic, Username: "u"}},
		{`{url: "https://x/", auth: {type: oauth2}}`, auth.Config{Kind: auth.OAuth2}},
		{
			`{url: "https://x/", auth: {type: oauth2, grant: authorization_code, client_id: c, client_secret: "${WEIR_TEST_TOKEN}", client_auth: post,
			  issuer: "https://as.example/t", scopes: ["a:b", "https://x/.default"], resource: "api://acme", callback_host: localhost, callback_port: 7777, login: ask, account: work,
			  authorize_params: {access_type: offline, audience: "https://api.example/"}}}`,
			auth.Config{Kind: auth.OAuth2, OAuth: auth.OAuth{
				Grant: auth.AuthorizationCode, ClientID: "c", ClientSecret: "s3cret", ClientAuth: "post",
				Issuer: "https://as.example/t", Scopes: []string{"a:b", "https://x/.default"}, Resource: "api://acme", CallbackHost: "localhost", CallbackPort: 7777, Ask: true, Account: "work",
				AuthorizeParams: map[string]string{"access_type": "offline", "audience": "https://api.example/"},
			}},
		},
		{`{url: "https://x/", auth: {type: oauth2, dpop: off}}`, auth.Config{Kind: auth.OAuth2, OAuth: auth.OAuth{Unbound: true}}},
		{`{url: "https://x/", auth: {type: oauth2, dpop: auto}}`, auth.Config{Kind: auth.OAuth2}},
		{
			`{url: "https://x/", auth: {type: oauth2, client_metadata_url: "https://me.example/client.json", login: auto}}`,
			auth.Config{Kind: auth.OAuth2, OAuth: auth.OAuth{ClientMetadataURL: "https://me.example/client.json"}},
		},
		{
			`{url: "https://x/", auth: {type: oauth2, grant: client_credentials, client_id: c, private_key: "${WEIR_TEST_KEY}", key_id: k1, resource: none, token_url: "http://127.0.0.1:9/token?tenant=a"}}`,
			auth.Config{Kind: auth.OAuth2, OAuth: auth.OAuth{
				Grant: auth.ClientCredentials, ClientID: "c", PrivateKey: testKey, KeyID: "k1", Resource: auth.NoResource, TokenURL: "http://127.0.0.1:9/token?tenant=a",
			}},
		},
	} {
		t.Run(tt.server, func(t *testing.T) {
			s := load(t, "mcp.yaml", "servers: {a: "+tt.server+"}").Servers[0]
			if s.Broken != nil {
				t.Fatal(s.Broken)
			}
			if diff := cmp.Diff(tt.want, s.Auth); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestBrokenAuth has servers that are broken by their auth. No secret is told.
func TestBrokenAuth(t *testing.T) {
	t.Setenv("WEIR_TEST_EMPTY", "")
	t.Setenv("WEIR_TEST_SECRET", "top\x01s3cret")
	const remote = `url: "https://x/", auth: `
	for _, tt := range []struct{ server, want string }{
		{remote + `{type: bearr, token: t}`, `auth.type: unknown type "bearr" (did you mean "bearer"?) (want none, bearer, api_key, basic or oauth2)`},
		{remote + `{type: bearer_token, token: t}`, `auth.type: unknown type "bearer_token" (did you mean "bearer"?) (want none, bearer, api_key, basic or oauth2)`},
		{remote + `{type: OAuth}`, `auth.type: unknown type "OAuth" (did you mean "oauth2"?) (want none, bearer, api_key, basic or oauth2)`},
		{remote + `{type: zzz}`, `auth.type: unknown type "zzz" (want none, bearer, api_key, basic or oauth2)`},
		{`command: x, auth: {type: none}`, `auth: this key is for servers with a url (what a program needs goes into env)`},
		{remote + `{type: bearer}`, `auth: "token" is missing`},
		{remote + `{type: bearer, token: "  "}`, `auth.token: it is empty`},
		{remote + `{type: bearer, token: "${WEIR_TEST_EMPTY}"}`, `auth.token: it is empty`},
		{remote + `{type: bearer, token: "${WEIR_TEST_UNSET}"}`, `auth.token: variable WEIR_TEST_UNSET is not set`},
		{remote + `{type: bearer, token: "${WEIR_TEST_SECRET}"}`, `auth.token: it has a control character`},
		{remote + `{type: api_key, header: X-Key}`, `auth: "value" is missing`},
		{remote + `{type: api_key, value: k, header: "X Key"}`, `auth.header: "X Key": this cannot be the name of a header`},
		{remote + `{type: api_key, value: k, header: ""}`, `auth.header: "": this cannot be the name of a header`},
		{remote + `{type: api_key, value: k, header: Content-Type}`, `auth.header: "Content-Type": weir sets this header itself`},
		{remote + `{type: api_key, value: k, header: MCP-Session-Id}`, `auth.header: "MCP-Session-Id": weir sets this header itself`},
		{remote + `{type: api_key, value: k, prefix: "${file:p}"}`, `auth.prefix: ${file:} and ${keyring:} are not possible here (only in args, env, url, headers and the secrets of auth)`},
		{remote + `{type: basic, password: p}`, `auth: "username" is missing`},
		{remote + `{type: basic, username: u}`, `auth: "password" is missing ("" for none)`},
		{remote + `{type: basic, username: "u:v", password: p}`, `auth.username: it must not have a colon`},
		{`url: "http://x/", auth: {type: bearer, token: t}`, `auth: a credential must not travel over plain http (use a URL with https)`},
		{`url: "http://127.0.0.1.example/", auth: {type: basic, username: u, password: p}`, `auth: a credential must not travel over plain http (use a URL with https)`},
		{`url: "http://x/", auth: {type: oauth2}`, `auth: a credential must not travel over plain http (use a URL with https)`},
		{`url: "https://x/", headers: {authorization: b}, auth: {type: bearer, token: t}`, `auth: header "Authorization" is set by auth (type bearer) and by headers; keep one of them`},
		{`url: "https://x/", headers: {Authorization: b}, auth: {type: oauth2}`, `auth: header "Authorization" is set by auth (type oauth2) and by headers; keep one of them`},
		{`url: "https://x/", headers: {x-key: b}, auth: {type: api_key, value: t, header: X-KEY}`, `auth: header "X-Key" is set by auth (type api_key) and by headers; keep one of them`},

		{remote + `{type: oauth2, grant: client_credential}`, `auth.grant: unknown word "client_credential" (did you mean "client_credentials"?) (want authorization_code, client_credentials, jwt_bearer or enterprise)`},
		{remote + `{type: oauth2, login: never}`, `auth.login: unknown word "never" (want auto or ask)`},
		{remote + `{type: oauth2, client_id: c, client_secret: s, client_auth: body}`, `auth.client_auth: unknown word "body" (want basic or post)`},
		{remote + `{type: oauth2, dpop: on}`, `auth.dpop: unknown word "on" (want auto or off)`},
		{remote + `{type: oauth2, authorize_params: {dpop_jkt: x}}`, `auth.authorize_params: weir sets "dpop_jkt" itself`},
		{remote + `{type: oauth2, client_auth: post}`, `auth.client_auth: it says how a "client_secret" is sent, and there is none`},
		{remote + `{type: oauth2, client_secret: s}`, `auth.client_secret: it needs a "client_id"`},
		{remote + `{type: oauth2, client_id: c, client_secret: ""}`, `auth.client_secret: it is empty`},
		{remote + `{type: oauth2, client_id: " "}`, `auth.client_id: it is empty`},
		{remote + `{type: oauth2, client_id: c, private_key: /home/u/key.pem}`, `auth.private_key: it is no key in PEM (for one in a file, write ${file:PATH})`},
		{remote + `{type: oauth2, private_key: "${file:k}"}`, `auth.private_key: it needs a "client_id"`},
		{remote + `{type: oauth2, client_id: c, client_secret: s, private_key: "${file:k}"}`, `auth: it has both a "client_secret" and a "private_key"`},
		{remote + `{type: oauth2, client_id: c, client_secret: s, key_id: k1}`, `auth.key_id: it names a "private_key", and there is none`},
		{remote + `{type: oauth2, client_id: c, private_key: "${file:k}", key_id: ""}`, `auth.key_id: it is empty`},
		{remote + `{type: oauth2, client_id: "${file:c}"}`, `auth.client_id: ${file:} and ${keyring:} are not possible here (only in args, env, url, headers and the secrets of auth)`},
		{remote + `{type: oauth2, issuer: "http://as.example"}`, `auth.issuer: it must begin with https:// (http:// is for this machine only)`},
		{remote + `{type: oauth2, issuer: "as.example"}`, `auth.issuer: it must begin with https:// (http:// is for this machine only)`},
		{remote + `{type: oauth2, issuer: "https://u:p@as.example"}`, `auth.issuer: it must not have a name or password`},
		{remote + `{type: oauth2, issuer: "https:///t"}`, `auth.issuer: it has no host`},
		{remote + `{type: oauth2, issuer: "https://as.example/#"}`, `auth.issuer: it must not have a fragment (#)`},
		{remote + `{type: oauth2, issuer: "https://as.example/?a"}`, `auth.issuer: it must not have a query (?)`},
		{remote + `{type: oauth2, client_metadata_url: "https://me.example/"}`, `auth.client_metadata_url: it must begin with https:// and have a path`},
		{remote + `{type: oauth2, client_metadata_url: "http://localhost/c"}`, `auth.client_metadata_url: it must begin with https:// and have a path`},
		{remote + `{type: oauth2, client_metadata_url: "https://me.example/c", client_id: c}`, `auth.client_metadata_url: there is a "client_id" already`},
		{remote + `{type: oauth2, token_url: "https://as.example/token"}`, `auth.token_url: this key is for grant client_credentials, jwt_bearer or enterprise (for a login, name the issuer, if anything)`},
		{remote + `{type: oauth2, scopes: ["a b"]}`, `auth.scopes: "a b" is not a scope (each stands by itself, without spaces)`},
		{remote + `{type: oauth2, scopes: ["a\u0000"]}`, `auth.scopes: "a\x00" is not a scope (each stands by itself, without spaces)`},
		{remote + `{type: oauth2, resource: ""}`, `auth.resource: it is empty`},
		{remote + `{type: oauth2, resource: off}`, `auth.resource: "off" is no absolute URI without a fragment (want one, or none)`},
		{remote + `{type: oauth2, resource: "https://x/#a"}`, `auth.resource: "https://x/#a" is no absolute URI without a fragment (want one, or none)`},
		{remote + `{type: oauth2, resource: "https://x/ y"}`, `auth.resource: "https://x/ y" is no absolute URI without a fragment (want one, or none)`},
		{remote + `{type: oauth2, callback_host: "::1"}`, `auth.callback_host: unknown word "::1" (want 127.0.0.1 or localhost)`},
		{remote + `{type: oauth2, grant: client_credentials, client_id: c, client_secret: s, callback_host: localhost}`, `auth.callback_host: this key is for grant authorization_code`},
		{remote + `{type: oauth2, callback_port: 0}`, `auth.callback_port: 0 is not a port (want 1 to 65535)`},
		{remote + `{type: oauth2, callback_port: 65536}`, `auth.callback_port: 65536 is not a port (want 1 to 65535)`},
		{remote + `{type: oauth2, account: ""}`, `auth.account: it is empty`},
		{remote + `{type: oauth2, account: ` + strings.Repeat("a", 129) + `}`, `auth.account: it is longer than 128 bytes`},
		{remote + `{type: oauth2, authorize_params: {State: x}}`, `auth.authorize_params: weir sets "State" itself`},
		{remote + `{type: oauth2, authorize_params: {resource: x}}`, `auth.authorize_params: weir sets "resource" itself`},
		{remote + `{type: oauth2, grant: client_credentials, client_secret: s}`, `auth: grant client_credentials needs a "client_id"`},
		{remote + `{type: oauth2, grant: client_credentials, client_id: c}`, `auth: grant client_credentials needs a "client_secret" or a "private_key"`},
		{remote + `{type: oauth2, grant: client_credentials, client_id: c, client_secret: s, login: ask}`, `auth.login: this key is for grant authorization_code`},
		{remote + `{type: oauth2, grant: client_credentials, client_id: c, client_secret: s, callback_port: 80}`, `auth.callback_port: this key is for grant authorization_code`},
		{remote + `{type: oauth2, grant: client_credentials, client_id: c, client_secret: s, authorize_params: {a: b}}`, `auth.authorize_params: this key is for grant authorization_code`},
	} {
		t.Run(tt.server, func(t *testing.T) {
			path := write(t, "mcp.yaml", "servers:\n  a: {"+tt.server+"}\n  b: {command: x}\n")
			f, err := Load(Options{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			if f.Servers[0].Broken == nil {
				t.Fatal("got a server that is not broken")
			}
			if got, want := bare(path, f.Servers[0].Broken.Error()), `mcp.yaml:2: server "a": `+tt.want; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if f.Servers[1].Broken != nil {
				t.Errorf("the other server: %v", f.Servers[1].Broken)
			}
		})
	}
}

// TestStrictAuth has keys that do not belong to their type.
func TestStrictAuth(t *testing.T) {
	for _, tt := range []struct{ auth, want string }{
		{`bearer`, `servers.a.auth: this is text, want keys with values`},
		{`{token: t}`, `servers.a.auth: "type" is missing (none, bearer, api_key, basic or oauth2)`},
		{`{type: [bearer]}`, `servers.a.auth.type: this is a list, want text`},
		{`{type: none, token: t}`, `servers.a.auth: unknown key "token" (known are type)`},
		{`{type: bearer, tokn: t}`, `servers.a.auth: unknown key "tokn" (did you mean "token"?)`},
		{`{type: api_key, token: t}`, `servers.a.auth: unknown key "token" (known are type, value, header, prefix)`},
		{`{type: api_key, value: t, header_name: t}`, `servers.a.auth: unknown key "header_name" (known are type, value, header, prefix)`},
		{`{type: basic, user: t}`, `servers.a.auth: unknown key "user" (did you mean "username"?)`},
		{`{type: oauth2, clientid: t}`, `servers.a.auth: unknown key "clientid" (did you mean "client_id"?)`},
		{`{type: oauth2, scopes: "a b"}`, `servers.a.auth.scopes: this is text, want a list`},
		{`{type: oauth2, callback_port: "x"}`, `servers.a.auth.callback_port: this is text, want a whole number`},
		{`{type: oauth2, account: }`, `servers.a.auth.account: a value is missing`},
	} {
		t.Run(tt.auth, func(t *testing.T) {
			path := write(t, "mcp.yaml", "servers:\n  a: {url: \"https://x/\", auth: "+tt.auth+"}\n")
			_, err := Load(Options{Path: path})
			if err == nil || bare(path, err.Error()) != "mcp.yaml:2: "+tt.want {
				t.Errorf("got error %v, want %s", err, tt.want)
			}
		})
	}
}

// TestDeferredAuth: what lies in files is read with what stands beside it.
func TestDeferredAuth(t *testing.T) {
	secret := write(t, "secret", "from a file\n")
	s := load(t, "mcp.yaml", `servers: {a: {url: "https://x/", auth: {type: basic, username: "u$${v", password: "${file:`+secret+`}"}}}`).Servers[0]
	if s.Broken != nil {
		t.Fatal(s.Broken)
	}
	if s.Resolve == nil {
		t.Fatal("got nothing to resolve the reference with")
	}
	beside := load(t, "mcp.yaml", `servers: {a: {url: "https://x/", auth: {type: oauth2, client_id: "c$${d", client_secret: "${file:`+secret+`}",
	  account: "$${a}", authorize_params: {p: "$${q}"}}}}`).Servers[0]
	if beside.Broken != nil {
		t.Fatal(beside.Broken)
	}
	for text, want := range map[string]string{
		s.Auth.Username: "u${v", s.Auth.Password: "from a file",
		beside.Auth.OAuth.ClientID: "c${d", beside.Auth.OAuth.Account: "${a}", beside.Auth.OAuth.AuthorizeParams["p"]: "${q}",
	} {
		if got, err := s.Resolve(context.Background(), text); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

func TestAuthIdentity(t *testing.T) {
	t.Setenv("WEIR_TEST_TOKEN", "one")
	identity := func(auth string) string {
		t.Helper()
		s := load(t, "mcp.yaml", `servers: {a: {url: "https://x/", `+auth+`}}`).Servers[0]
		if s.Broken != nil {
			t.Fatal(s.Broken)
		}
		return string(s.Identity)
	}
	const base = `auth: {type: oauth2, client_id: c, account: a, issuer: "https://as/", scopes: [s]}`
	seen := map[string]string{identity(base): base}
	for _, other := range []string{
		`auth: {type: none}`, `auth: {type: oauth2}`,
		`auth: {type: oauth2, client_id: c, account: b, issuer: "https://as/", scopes: [s]}`,
		`auth: {type: oauth2, client_id: d, account: a, issuer: "https://as/", scopes: [s]}`,
		`auth: {type: oauth2, client_id: c, account: a, issuer: "https://bs/", scopes: [s]}`,
		`auth: {type: oauth2, client_id: c, account: a, issuer: "https://as/", scopes: [s, t]}`,
		`auth: {type: oauth2, client_id: c, account: a, issuer: "https://as/", scopes: [s], authorize_params: {audience: x}}`,
		`auth: {type: oauth2, client_id: c, account: a, issuer: "https://as/", scopes: [s], resource: none}`,
		`auth: {type: bearer, token: c}`, `auth: {type: bearer, token: "${WEIR_TEST_TOKEN}"}`, `auth: {type: bearer, token: "${file:/dev/null}"}`,
		`auth: {type: api_key, value: c}`, `auth: {type: api_key, value: c, header: X-K}`, `auth: {type: basic, username: c, password: d}`,
	} {
		id := identity(other)
		if first, twice := seen[id]; twice {
			t.Errorf("%s and %s: got the same identity", first, other)
		}
		seen[id] = other
	}
	if id := identity(`auth: {type: oauth2, client_id: c, account: a, issuer: "https://as/", scopes: [s], login: ask, callback_host: localhost, callback_port: 80}`); seen[id] != base {
		t.Error("the way of logging in: got another identity")
	}
	if id := identity(`auth: {type: bearer, token: "${file:/dev/null}"}`); !strings.Contains(id, "${file:/dev/null}") {
		t.Errorf("got %q, want the reference in it", id)
	}
}

// TestForeignAuth has what other programs write.
func TestForeignAuth(t *testing.T) {
	t.Setenv("WEIR_TEST_TOKEN", "s3cret")
	for _, tt := range []struct {
		name, entry string
		want        auth.Config
		warning     string
	}{
		{"nothing", `{"url": "https://x/"}`, auth.Config{Kind: auth.OAuth2}, ""},
		{"headers", `{"url": "https://x/", "headers": {"Authorization": "Bearer t"}}`, auth.Config{}, ""},
		{
			"Cursor", `{"url": "https://x/", "auth": {"CLIENT_ID": "c", "CLIENT_SECRET": "${env:WEIR_TEST_TOKEN}", "scopes": ["a", "b"]}}`,
			auth.Config{Kind: auth.OAuth2, OAuth: auth.OAuth{ClientID: "c", ClientSecret: "s3cret", Scopes: []string{"a", "b"}}},
			"",
		},
		{
			"Claude Code", `{"type": "http", "url": "https://x/", "oauth": {"clientId": "c", "callbackPort": 7777, "scopes": "a b"}}`,
			auth.Config{Kind: auth.OAuth2, OAuth: auth.OAuth{ClientID: "c", CallbackPort: 7777, Scopes: []string{"a", "b"}}},
			"",
		},
		{
			"Gemini CLI", `{"httpUrl": "https://x/", "oauth": {"clientId": "c", "tokenUrl": "https://as/token", "scopes": ["a"]}}`,
			auth.Config{Kind: auth.OAuth2, OAuth: auth.OAuth{ClientID: "c", Scopes: []string{"a"}}},
			`mcp.json:1: s.oauth: ignoring unknown key "tokenUrl"`,
		},
		{"Codex", `{"url": "https://x/", "bearer_token_env_var": "WEIR_TEST_TOKEN"}`, auth.Config{Kind: auth.Bearer, Token: "s3cret"}, ""},
		{"bearer_token", `{"url": "https://x/", "auth": {"type": "bearer_token", "value": "t"}}`, auth.Config{Kind: auth.Bearer, Token: "t"}, ""},
		{
			"api_key", `{"url": "https://x/", "auth": {"type": "api_key", "value": "t", "header_name": "X-K", "header_prefix": "Key"}}`,
			auth.Config{Kind: auth.APIKey, Value: "t", Header: "X-K", Prefix: "Key"},
			"",
		},
		{
			"basic, encoded", `{"url": "https://x/", "auth": {"type": "basic", "value": "dTpw"}}`,
			auth.Config{Kind: auth.APIKey, Value: "dTpw", Prefix: "Basic"},
			"",
		},
		{
			"o_auth2", `{"url": "https://x/", "auth": {"type": "o_auth2", "client_id": "c", "client_secret": "s", "token_url": "https://as/token"}}`,
			auth.Config{Kind: auth.OAuth2, OAuth: auth.OAuth{
				Grant: auth.ClientCredentials, ClientID: "c", ClientSecret: "s", TokenURL: "https://as/token",
			}},
			"",
		},
		{"of another transport", `{"type": "stdio", "command": "x", "url": "", "auth": {"CLIENT_ID": "c"}}`, auth.Config{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, "mcp.json", `{"mcpServers": {"s": `+tt.entry+`}}`)
			f, err := Load(Options{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			if f.Servers[0].Broken != nil {
				t.Fatal(f.Servers[0].Broken)
			}
			if diff := cmp.Diff(tt.want, f.Servers[0].Auth); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got := bare(path, strings.Join(f.Warnings, "\n")); got != tt.warning {
				t.Errorf("got warnings %q, want %q", got, tt.warning)
			}
		})
	}
	s := load(t, "mcp.json", `{"mcpServers": {"s": {"url": "https://x/", "bearer_token_env_var": "WEIR_TEST_UNSET"}}}`).Servers[0]
	if s.Broken == nil || !strings.Contains(s.Broken.Error(), "variable WEIR_TEST_UNSET is not set") {
		t.Errorf("got %v, want the variable named", s.Broken)
	}
}

// TestAuthSecretsAreNotTold: errors of a server whose auth is wrong in every way
// that its secrets can be.
func TestAuthSecretsAreNotTold(t *testing.T) {
	t.Setenv("WEIR_TEST_SECRET", "planted\x01secret")
	for _, auth := range []string{
		`{type: bearer, token: "${WEIR_TEST_SECRET}"}`, `{type: bearer, token: "planted${"}`,
		`{type: api_key, value: "${WEIR_TEST_SECRET}"}`, `{type: basic, username: "planted:a", password: "${WEIR_TEST_SECRET}"}`,
		`{type: oauth2, client_secret: "${WEIR_TEST_SECRET}"}`, `{type: oauth2, client_id: a, private_key: planted}`,
		`{type: oauth2, issuer: "https://planted:b@x/"}`, `{type: oauth2, token_url: "https://x/%zzplanted"}`,
	} {
		path := filepath.Join(t.TempDir(), "mcp.yaml")
		if err := os.WriteFile(path, []byte(`servers: {a: {url: "https://x/", auth: `+auth+`}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Load(Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if broken := f.Servers[0].Broken; broken == nil || strings.Contains(broken.Error(), "planted") {
			t.Errorf("%s: got %v, want an error that does not tell", auth, broken)
		}
	}
}

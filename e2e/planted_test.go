//go:build linux

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
	"github.com/weir-mcp/weir/upstream/upstreamtest/desktop"
)

// planted are the credentials that a user has, each somewhere else.
var planted = map[string]string{
	"token":    "planted-bearer-token-6f1c",
	"key":      "planted-api-key-93ab",
	"password": "planted-password-c0de",
	"header":   "planted-header-5a5a",
	"secret":   "planted-client-secret-77e1",
	"wrong":    "planted-wrong-secret-e08f",
}

const plantedFile = "planted-key"

// plantedConfig has each of them in use. The servers at ECHO refuse them all, and
// repeat them.
const plantedConfig = `
log: {level: trace}
audit: {arguments: true}
policy: {default: execute}
servers:
  child: {command: fake, args: [SCRIPT]}
  bearer: {url: "ECHO/401", auth: {type: bearer, token: "${PLANTED_TOKEN}"}}
  key: {url: "ECHO/403", auth: {type: api_key, header: X-Planted, value: "${file:HOME/planted-key}"}}
  basic: {url: "ECHO/500", auth: {type: basic, username: ada, password: "${PLANTED_PASSWORD}"}}
  header: {url: "ECHO/garbage", headers: {X-Planted: "${PLANTED_HEADER}"}}
  moved: {url: "ECHO/moved", auth: {type: bearer, token: "${PLANTED_TOKEN}"}}
  works: {url: "ECHO/works", auth: {type: bearer, token: "${PLANTED_TOKEN}"}}
  robot: {url: NOTES, auth: {type: oauth2, grant: client_credentials, client_id: robot, client_secret: "${PLANTED_SECRET}"}}
  stray: {url: NOTES, auth: {type: oauth2, grant: client_credentials, client_id: robot, client_secret: "${PLANTED_WRONG}"}}
  notes: {url: NOTES, auth: {type: oauth2, client_id: person, client_secret: "${PLANTED_SECRET}", login: ask}}
`

// echoing is a server that repeats the credentials that it is sent in all ways of
// refusing them.
type echoing struct {
	works http.Handler

	mu  sync.Mutex
	got []string
}

func (e *echoing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	said := strings.TrimSpace(r.Header.Get("Authorization") + " " + r.Header.Get("X-Planted"))
	e.mu.Lock()
	e.got = append(e.got, said)
	e.mu.Unlock()
	if name, password, ok := r.BasicAuth(); ok {
		said += " " + name + ":" + password
	}
	switch r.URL.Path {
	case "/401":
		refuseAndRepeat(w, http.StatusUnauthorized, said)
	case "/403":
		refuseAndRepeat(w, http.StatusForbidden, said)
	case "/500":
		refuseAndRepeat(w, http.StatusInternalServerError, said)
	case "/moved":
		http.Redirect(w, r, "/elsewhere?was="+url.QueryEscape(said), http.StatusTemporaryRedirect)
	case "/works":
		e.works.ServeHTTP(w, r)
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, "{%q", said)
	}
}

func refuseAndRepeat(w http.ResponseWriter, status int, said string) {
	w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q, error="invalid_token", error_description=%q`, said, said))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error":"invalid_token","error_description":%q,"message":%q}`, said, said)
}

// An eavesdropper keeps all that weir has said, and where.
type eavesdropper struct {
	where []string
	what  [][]byte
}

func (e *eavesdropper) hear(where string, what []byte) {
	e.where, e.what = append(e.where, where), append(e.what, what)
}

// find names the places where a secret was said, as it is or in another writing.
func (e *eavesdropper) find(secret string) (places []string) {
	writings := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(marshal(secret)), `"`),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte("ada:" + secret)), base64.StdEncoding.EncodeToString([]byte("robot:" + secret)),
		base64.StdEncoding.EncodeToString([]byte("person:" + secret)), fmt.Sprintf("%x", secret),
	}
	for i, what := range e.what {
		for _, writing := range writings {
			if at := bytes.Index(what, []byte(writing)); at >= 0 {
				around := what[max(0, at-150):min(len(what), at+len(writing)+50)]
				places = append(places, fmt.Sprintf("%s: …%s…", e.where[i], around))
				break
			}
		}
	}
	return places
}

func marshal(text string) []byte {
	out, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string
	}
	return out
}

// hearFiles takes in all files but those where secrets belong.
func (e *eavesdropper) hearFiles(t *testing.T, u *user) {
	t.Helper()
	for _, root := range []string{u.home, u.temp, u.cache, u.config, u.state} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || entry.Name() == visitsFile || entry.Name() == plantedFile {
				return err
			}
			e.hear("the name of "+path, []byte(path))
			if entry.Type()&fs.ModeSocket != 0 {
				return nil // what it tells is heard by those who ask it
			}
			if root == u.state && (strings.HasPrefix(entry.Name(), "login-") || strings.HasPrefix(entry.Name(), "client-")) {
				if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: got %v, %v, want it to be for nobody else", path, info.Mode(), err)
				}
				return nil
			}
			content, err := os.ReadFile(path)
			e.hear(path, content)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// hearProcesses takes in the command lines of all that runs, and the environment of
// what is not weir: that has what its host gave it.
func (e *eavesdropper) hearProcesses(t *testing.T, u *user, weir int) {
	t.Helper()
	found := 0
	for _, pid := range append(descendants(weir), weir) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue
		}
		e.hear(fmt.Sprintf("the command line %q", line), line)
		if !bytes.Contains(line, []byte("fake\x00")) {
			continue
		}
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			t.Error(err)
		}
		e.hear(fmt.Sprintf("the environment of %q", line), environment)
		found++
	}
	if found == 0 {
		t.Error("no child was found")
	}
}

// A plot is a user with servers that repeat what they are sent, and whoever listens.
type plot struct {
	*eavesdropper
	t      *testing.T
	u      *user
	server *authserver.Server
	echo   *echoing
	weir   *session
}

func newPlot(t *testing.T) *plot {
	t.Helper()
	tools := upstreamtest.Script{Tools: []json.RawMessage{upstreamtest.Tool("ok"), upstreamtest.Tool("write")}}
	p := &plot{eavesdropper: &eavesdropper{}, t: t, u: newUser(t, "").withBrowser(), echo: &echoing{works: upstreamtest.New(tools)}}
	web := httptest.NewServer(p.echo)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	p.server = authserver.New(t, authserver.Options{
		Clients: []authserver.Client{
			{ID: "person", Secret: planted["secret"]},
			{ID: "robot", Secret: planted["secret"], Grants: []string{"client_credentials"}},
		},
		ToolScopes: map[string][]string{"write": {"write"}},
	})
	script := filepath.Join(p.u.home, "script.json")
	if err := tools.Save(script); err != nil {
		t.Fatal(err)
	}
	notes := p.server.Protect(upstreamtest.New(tools), "/mcp")
	p.u.configure(t, strings.NewReplacer("ECHO", web.URL, "NOTES", notes, "HOME", p.u.home, "SCRIPT", script).Replace(plantedConfig))
	p.u.write(t, plantedFile, planted["key"])
	for _, name := range []string{"token", "password", "header", "secret", "wrong"} {
		p.u.env = append(p.u.env, "PLANTED_"+strings.ToUpper(name)+"="+planted[name])
	}
	return p
}

// serve starts weir with a host.
func (p *plot) serve() {
	p.t.Helper()
	cmd := p.u.command("serve")
	cmd.Env = append(cmd.Env, "GOTRACEBACK=all")
	h, err := startHost(cmd)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(h.kill)
	p.weir = &session{host: h, version: upstreamtest.Legacy}
	p.weir.greet(p.t)
}

// run runs a command, however it ends.
func (p *plot) run(args ...string) string {
	p.t.Helper()
	said, _ := p.u.run(p.t, args...)
	p.hear("weir "+strings.Join(args, " "), []byte(said))
	return said
}

func (p *plot) call(name string) string {
	p.t.Helper()
	m := p.weir.call(p.t, name, `{"about":"nothing"}`)
	p.hear("the answer to "+name, m.Raw)
	return string(m.Raw)
}

// callAll lets the host use all that is configured.
func (p *plot) callAll() {
	p.t.Helper()
	p.hear("tools/list", p.weir.request(p.t, "tools/list", "").Raw)
	for _, name := range []string{"child", "bearer", "key", "basic", "header", "moved", "works", "robot", "stray", "notes"} {
		p.call(name + "__ok")
	}
	p.call("robot__write")
	p.call("notes__write")
}

// look lets the user look at all that weir tells.
func (p *plot) look() {
	p.t.Helper()
	lines := []string{
		"auth", "auth --json", "servers", "servers --json", "servers --live", "servers --live --json", "login", "tools", "logs", "logs --json",
	}
	for _, line := range lines {
		p.run(strings.Fields(line)...)
	}
}

// logIn lets the user log in anew, with servers that do what they should.
func (p *plot) logIn() {
	p.t.Helper()
	p.server.Set(func(o *authserver.Options) { *o = authserver.Options{Clients: o.Clients, ToolScopes: o.ToolScopes} })
	p.run("logout", "notes")
	if said := p.run("login", "notes"); !strings.Contains(said, "Logged in to notes") {
		p.t.Errorf("weir login: %s", said)
	}
	until(p.t, "a call after the login", func() bool { return strings.Contains(p.call("notes__ok"), `"text":"ok"`) })
}

// repeating are answers of a token endpoint that repeats what it knows.
var repeating = []authserver.Reply{
	{Status: 400, Body: `{"error":"invalid_grant","error_description":%q}`},
	{Status: 400, Body: `{"error":%q}`},
	{Status: 401, Body: `{"error":"invalid_client","error_description":%q,"error_uri":%[1]q}`},
	{Status: 500, Body: `%s`},
	{Status: 200, Body: `{"access_token":"","scope":%q}`},
	{Status: 200, Body: `{"access_token":"x","token_type":%q}`},
	{Status: 200, Body: `{"access_token":{%q:1}}`},
}

// repeat has the token endpoint answer with what it was just sent, and with what it
// knows besides, to requests of all kinds.
func (p *plot) repeat(reply authserver.Reply) {
	p.t.Helper()
	for _, known := range []string{p.latest("refresh-"), p.latest("access-") + " " + strings.Join(p.server.Secrets(), " "), planted["secret"]} {
		body := fmt.Sprintf(reply.Body, known)
		p.server.Set(func(o *authserver.Options) {
			o.Refresh = &authserver.Reply{Status: reply.Status, Body: body}
			o.Token = o.Refresh
		})
		p.server.Expire()
		p.call("notes__ok")
		p.call("robot__ok")
		p.call("stray__ok")
		p.run("login", "notes")
	}
	p.logIn()
}

// latest is the last secret of a kind that the server has given out.
func (p *plot) latest(prefix string) string {
	p.t.Helper()
	for _, secret := range slices.Backward(p.server.Secrets()) {
		if strings.HasPrefix(secret, prefix) {
			return secret
		}
	}
	p.t.Fatalf("there is no secret %s…", prefix)
	return ""
}

// misuse has the protected server refuse good tokens, and repeat them.
func (p *plot) misuse() {
	p.t.Helper()
	p.server.Set(func(o *authserver.Options) {
		o.RejectTokens = true
		o.Challenge = func(w http.ResponseWriter, r *http.Request, _ string) {
			refuseAndRepeat(w, http.StatusUnauthorized, r.Header.Get("Authorization"))
		}
	})
	p.callAll()
	p.logIn()
	p.server.Set(func(o *authserver.Options) {
		o.Challenge = func(w http.ResponseWriter, r *http.Request, _ string) {
			_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer error="insufficient_scope", scope=%q`, token))
			w.WriteHeader(http.StatusForbidden)
		}
	})
	p.callAll()
	p.look()
}

// refuseLogin has the authorization server refuse a login, and a log-out, and
// repeat what it knows.
func (p *plot) refuseLogin() {
	p.t.Helper()
	p.logIn()
	known := strings.Join(p.server.Secrets(), " ")
	latest := p.latest("refresh-") + " " + planted["secret"]
	p.server.Set(func(o *authserver.Options) {
		o.AuthorizeError, o.ErrorDescription = "access_denied", latest
		o.Revocation = &authserver.Reply{Status: 400, Body: known}
	})
	p.run("login", "notes", "--scopes", "more")
	p.run("logout", "notes")
	p.callAll()
	p.hear("weir__login", p.weir.call(p.t, "weir__login", `{"server":"notes"}`).Raw)
	p.callAll()
	p.look()
}

// end ends weir by a signal that has it say all that it is doing.
func (p *plot) end() {
	p.t.Helper()
	if err := p.weir.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		p.t.Fatal(err)
	}
	if err := p.weir.wait(); err == nil || !strings.Contains(p.weir.stderr.String(), "goroutine ") {
		p.t.Errorf("got %v, want weir to end with all that it was doing", err)
	}
	p.hear("stderr of weir serve", p.weir.stderr.Bytes())
	for _, line := range p.weir.rest() {
		p.hear("a message to the host", line)
	}
}

// TestNoSecretIsShown goes through logins, renewals, and all ways of failing with
// servers that repeat what they were sent; and looks for the secrets in all that
// was said to the host, the user, the log and the audit, in what is stored, and in
// what weir says when it is ended by force.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	p := newPlot(t)
	p.serve()
	p.callAll()
	p.logIn()
	p.callAll()
	p.server.Expire()
	p.callAll()
	p.look()
	p.hearProcesses(t, p.u, p.weir.cmd.Process.Pid)
	for _, reply := range repeating {
		p.repeat(reply)
	}
	p.misuse()
	p.refuseLogin()
	p.end()
	p.hearFiles(t, p.u)

	secrets := p.server.Secrets()
	for _, secret := range planted {
		secrets = append(secrets, secret)
		if !p.echo.has(secret) && !p.sent(secret) {
			t.Errorf("%s was never sent to a server", secret)
		}
	}
	for _, kind := range []string{"access-", "refresh-", "code-"} {
		p.latest(kind)
	}
	for _, secret := range secrets {
		for _, place := range p.find(secret) {
			t.Errorf("%s: found in %s", secret, place)
		}
	}
	// The address at which the user logs in has the state in it, and is shown.
	for _, event := range p.server.At("/authorize") {
		for _, place := range p.find(event.Form.Get("state")) {
			if !strings.HasPrefix(place, "weir login notes") {
				t.Errorf("the state: found in %s", place)
			}
		}
	}
}

// TestNoSecretOfKeyringIsShown: the same of a credential that the user keeps in the
// keyring of a desktop, and of a login whose tokens are sealed by it.
func TestNoSecretOfKeyringIsShown(t *testing.T) {
	t.Parallel()
	const secret = "planted-keyring-secret-b1d3"
	p := newPlot(t)
	keyring := desktop.Start(t, t.TempDir())
	p.u.env = append(p.u.env, slices.DeleteFunc(slices.Clone(keyring.Environ), func(variable string) bool {
		return strings.HasPrefix(variable, "HOME=")
	})...)
	p.u.configure(t, strings.NewReplacer(
		"${PLANTED_TOKEN}", "${keyring:weir/planted}", "${PLANTED_HEADER}", "${keyring:weir/planted}", "${PLANTED_PASSWORD}", "${keyring:weir/planted}",
	).Replace(p.u.configuration(t)))
	store := p.u.command("auth", "secret", "set", "weir/planted")
	store.Stdin = strings.NewReader(secret + "\n")
	said, err := store.CombinedOutput()
	if p.hear("weir auth secret set", said); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	p.serve()
	p.callAll()
	p.logIn()
	p.callAll()
	p.look()
	p.hearProcesses(t, p.u, p.weir.cmd.Process.Pid)
	keyring.Lock(t)
	p.callAll()
	p.look()
	p.end()
	p.hearFiles(t, p.u)
	if !p.echo.has(secret) {
		t.Error("the secret was never sent to a server")
	}
	for _, secret := range append(p.server.Secrets(), secret) {
		for _, place := range p.find(secret) {
			t.Errorf("%s: found in %s", secret, place)
		}
	}
}

func (e *echoing) has(secret string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.got, func(got string) bool {
		_, encoded, _ := strings.Cut(got, " ")
		basic, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
		return strings.Contains(got, secret) || bytes.Contains(basic, []byte(secret))
	})
}

// sent reports whether a client has authenticated with a secret.
func (p *plot) sent(secret string) bool {
	return slices.ContainsFunc(p.server.At("/token"), func(e authserver.Event) bool {
		_, encoded, _ := strings.Cut(e.Header.Get("Authorization"), " ")
		basic, _ := base64.StdEncoding.DecodeString(encoded)
		return e.Form.Get("client_secret") == secret || bytes.Contains(basic, []byte(secret))
	})
}

// TestSecretsAreFound: the search finds what it is there for.
func TestSecretsAreFound(t *testing.T) {
	e := &eavesdropper{}
	for _, said := range []string{"a=s3cret&b", "b=s3cret%2F+x", base64.StdEncoding.EncodeToString([]byte("ada:s3cret/ x"))} {
		e.hear("here", []byte(said))
	}
	if got := e.find("s3cret"); len(got) != 2 {
		t.Errorf("got %q, want two places", got)
	}
	if got := e.find("s3cret/ x"); len(got) != 2 {
		t.Errorf("got %q, want two places", got)
	}
}

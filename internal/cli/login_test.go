package cli

import (
	"encoding/json"
	"io/fs"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
	"github.com/weir-mcp/weir/upstream/upstreamtest/authserver"
)

// fakeBrowser is a command of the test binary: a browser whose user consents to
// everything.
const fakeBrowser = "fake-browser"

func browse(address string) int {
	jar, _ := cookiejar.New(nil) // never fails
	client := &http.Client{Jar: jar, Timeout: time.Minute}
	response, err := client.Get(address)
	if err != nil {
		return exitFailed
	}
	_ = response.Body.Close()
	return exitOK
}

// protected is a server that wants a login, and a configuration with it.
type protected struct {
	*authserver.Server
	endpoint, config string
}

func newProtected(t *testing.T, o authserver.Options, keys string) *protected {
	t.Helper()
	s := authserver.New(t, o)
	endpoint := s.Protect(upstreamtest.New(upstreamtest.Script{Tools: []json.RawMessage{upstreamtest.Tool("echo")}}), "/mcp")
	text := "servers:\n  acme:\n    url: " + endpoint + "\n" + keys + "aliases: {a: acme}\n"
	return &protected{s, endpoint, writeConfig(t, text)}
}

// withBrowser gives the test a browser that consents.
func withBrowser(t *testing.T) { t.Setenv("BROWSER", program(t)+" "+fakeBrowser+" %s") }

// count is how many requests came to a path.
func (p *protected) count(path string) int {
	n := 0
	for _, e := range p.Seen() {
		if e.Path == path {
			n++
		}
	}
	return n
}

// TestLogin is a person's walk: what wants a login, the login, its use, its end.
func TestLogin(t *testing.T) {
	home := newHome(t)
	withBrowser(t)
	p := newProtected(t, authserver.Options{Scopes: []string{"read", "write"}, ChallengeScopes: []string{"read"}}, "")

	weir(t, "servers", "--config", p.config).wants(t, exitFailed, "needs_login", "weir login acme")
	weir(t, "login", "--config", p.config).wants(t, exitOK, "acme wants a login: run weir login acme")
	weir(t, "auth", "--config", p.config).wants(t, exitOK, "not logged in")

	got := weir(t, "login", "a", "--config", p.config)
	got.wants(t, exitOK, "To log in to acme, open this address:\n\n"+p.Issuer(), "It is being opened in your browser.",
		"Logged in to acme.", "by "+p.Issuer()+", scopes read", "renewed by itself", "a file that only you can read", "It has 1 tool")
	weir(t, "auth", "--config", p.config).wants(t, exitOK, "logged in", p.Issuer(), "read", "renewed", "file")
	weir(t, "tools", "--config", p.config).wants(t, exitOK, "acme__echo")
	weir(t, "servers", "--config", p.config).wants(t, exitOK, "ready")
	weir(t, "login", "--config", p.config).wants(t, exitOK, "No server wants a login.")

	before := p.count("/authorize")
	weir(t, "login", "acme", "--config", p.config).wants(t, exitOK, "You are logged in to acme.", "It has 1 tool")
	if n := p.count("/authorize"); n != before {
		t.Errorf("a login that is good was done again, %d times", n-before)
	}
	weir(t, "login", "acme", "--scopes", "write", "--config", p.config).wants(t, exitOK, "scopes read write")

	line := p.authLine(t)
	if line.Server != "acme" || line.State != authLoggedIn || !slices.Equal(line.Scopes, []string{"read", "write"}) ||
		line.Expires == nil || line.Since == nil || !line.Renewable || line.Stored != "file" || line.ClientID == "" {
		t.Errorf("got %+v", line)
	}
	p.keepsSecrets(t, home, got)

	weir(t, "logout", "acme", "--config", p.config).wants(t, exitOK, "Logged out of acme: its tokens are withdrawn")
	weir(t, "logout", "acme", "--config", p.config).wants(t, exitOK, "Nobody is logged in to acme.")
	weir(t, "servers", "--config", p.config).wants(t, exitFailed, "needs_login")
}

func (p *protected) authLine(t *testing.T) authLine {
	t.Helper()
	var lines []authLine
	got := weir(t, "auth", "--json", "--config", p.config)
	if err := json.Unmarshal([]byte(got.stdout), &lines); err != nil || len(lines) != 1 {
		t.Fatalf("%v in %s%s", err, got.stdout, got.stderr)
	}
	return lines[0]
}

// keepsSecrets looks for every secret that was ever given out in all that was
// written: it may be in files of the user's alone, among their logins.
func (p *protected) keepsSecrets(t *testing.T, home string, outputs ...outcome) {
	t.Helper()
	secrets := p.Secrets()
	if len(secrets) == 0 {
		t.Fatal("no secret was given out")
	}
	outputs = append(outputs, weir(t, "auth", "--config", p.config), weir(t, "auth", "--json", "--config", p.config))
	for _, o := range outputs {
		for _, secret := range secrets {
			if strings.Contains(o.stdout+o.stderr, secret) {
				t.Errorf("a secret was shown in:\n%s%s", o.stdout, o.stderr)
			}
		}
	}
	found := 0
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		for _, secret := range secrets {
			if !strings.Contains(string(data), secret) {
				continue
			}
			found++
			if info.Mode().Perm() != 0o600 || !strings.Contains(path, filepath.Join("state", "weir")) {
				t.Errorf("a secret is in %s (%v)", path, info.Mode())
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("no token is stored: this test looks in the wrong place")
	}
}

// TestLoginNotNeeded: a server that answers wants none.
func TestLoginNotNeeded(t *testing.T) {
	newHome(t)
	open := upstreamtest.New(upstreamtest.Script{Tools: []json.RawMessage{upstreamtest.Tool("echo")}})
	web := httptest.NewServer(open)
	t.Cleanup(web.Close)
	config := writeConfig(t, "servers: {open: {url: \""+web.URL+"\"}}")
	weir(t, "login", "open", "--config", config).wants(t, exitOK, "open wants no login.")
	weir(t, "login", "--config", config).wants(t, exitOK, "No server wants a login.")
}

// TestLoginRefused: who says no is not logged in, and nothing listens any more.
func TestLoginRefused(t *testing.T) {
	newHome(t)
	withBrowser(t)
	p := newProtected(t, authserver.Options{AuthorizeError: "access_denied", ErrorDescription: "not\x1b[2J today"}, "")
	got := weir(t, "login", "acme", "--config", p.config)
	got.wants(t, exitFailed, `logging in to "acme": access was denied, by you or by the authorization server`)
	if strings.Contains(got.stdout+got.stderr, "\x1b") {
		t.Error("a control character was shown")
	}
	nobodyListens(t, got.stdout)
}

// TestLoginWithoutRegistration names what there is to do.
func TestLoginWithoutRegistration(t *testing.T) {
	newHome(t)
	p := newProtected(t, authserver.Options{NoRegistration: true}, "")
	weir(t, "login", "acme", "--config", p.config).wants(t, exitFailed, "client_id")
}

// TestLoginByHand is a client that was registered beforehand, at a fixed port.
func TestLoginByHand(t *testing.T) {
	newHome(t)
	withBrowser(t)
	t.Setenv("ACME_SECRET", "planted-secret")
	client := authserver.Client{ID: "by-hand", Secret: "planted-secret"}
	p := newProtected(t, authserver.Options{NoRegistration: true, Clients: []authserver.Client{client}},
		"    auth: {type: oauth2, client_id: by-hand, client_secret: \"${ACME_SECRET}\", account: work, authorize_params: {audience: x y}}\n")
	got := weir(t, "login", "acme", "--config", p.config)
	got.wants(t, exitOK, "Logged in to acme.", "account work", "audience=x+y")
	if strings.Contains(got.stdout+got.stderr, "planted") {
		t.Error("the client's secret was shown")
	}
	if line := p.authLine(t); line.ClientID != "by-hand" || line.Account != "work" {
		t.Errorf("got %+v", line)
	}
}

// TestLogoutOfWhatIsGone logs out of servers that are configured no more.
func TestLogoutOfWhatIsGone(t *testing.T) {
	newHome(t)
	withBrowser(t)
	p := newProtected(t, authserver.Options{NoRevocation: true}, "")
	weir(t, "login", "acme", "--config", p.config).wants(t, exitOK, "Logged in")
	empty := writeConfig(t, "servers: {}")
	weir(t, "auth", "--config", empty).wants(t, exitOK, p.endpoint, "no server is configured for this login; run weir logout "+p.endpoint)
	weir(t, "logout", p.endpoint, "--config", empty).wants(t, exitOK, "Logged out of "+p.endpoint, "could not be withdrawn")
	weir(t, "login", "acme", "--config", p.config).wants(t, exitOK, "Logged in")
	weir(t, "logout", "--all", "--config", empty).wants(t, exitOK, "Logged out of "+p.endpoint)
	weir(t, "auth", "--config", empty).wants(t, exitOK, "you are logged in nowhere")
}

// callback is where the browser is to come back to.
var callback = regexp.MustCompile(`http://(127\.0\.0\.1:\d+)/`)

// nobodyListens checks that the port that a command named is free again.
func nobodyListens(t *testing.T, said string) {
	t.Helper()
	m := callback.FindAllStringSubmatch(said, -1)
	if m == nil {
		t.Fatalf("no callback is named in:\n%s", said)
	}
	address := m[len(m)-1][1]
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		_ = conn.Close()
		t.Errorf("somebody still listens on %s", address)
	}
}

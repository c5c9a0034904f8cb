package cli

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/internal/doctor"
	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/process"
	"github.com/weir-mcp/weir/upstream/state"
)

func TestWrapText(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"one two three", []string{"one two", "three"}},
		{"abcdefghijklmnopqrstuvwxyz", []string{"abcdefghij", "klmnopqrst", "uvwxyz"}},
		{"to abcdefghijkl", []string{"to", "abcdefghij", "kl"}},
		{"äöüäöüäöüä ö", []string{"äöüäöüäöüä", "ö"}},
		{"鍵がありません 鍵", []string{"鍵がありま", "せん 鍵"}},
	} {
		if diff := cmp.Diff(tt.want, wrapText(tt.text, 10)); diff != "" {
			t.Errorf("%q: -want +got\n%s", tt.text, diff)
		}
	}
}

// TestWeirEntry: however a host writes it, it is read.
func TestWeirEntry(t *testing.T) {
	for _, tt := range []struct {
		raw  string
		want weirEntry
	}{
		{`{"command":"/b/weir","args":["serve"],"env":{"A":"1"}}`, weirEntry{argv: []string{"/b/weir", "serve"}, env: map[string]string{"A": "1"}}},
		{`{"type":"local","command":["/b/weir","serve"],"environment":{"A":"1"},"enabled":false}`, weirEntry{argv: []string{"/b/weir", "serve"}, env: map[string]string{"A": "1"}, off: true}},
		{`{"command":"weir","env_vars":["T"],"disabled":true}`, weirEntry{argv: []string{"weir"}, env: map[string]string{}, more: []string{"T"}, off: true}},
		{`{"args":[1]}`, weirEntry{env: map[string]string{}}},
		{`[]`, weirEntry{env: map[string]string{}}},
	} {
		if diff := cmp.Diff(tt.want, newWeirEntry([]byte(tt.raw)), cmp.AllowUnexported(weirEntry{})); diff != "" {
			t.Errorf("%s: -want +got\n%s", tt.raw, diff)
		}
	}
}

// TestMissingReader: of a script it is known what it needs, and where that is not.
func TestMissingReader(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ text, want string }{
		{"#!/usr/bin/env no-such-reader\n", "no-such-reader"},
		{"#!/usr/bin/env -S no-such-reader --x\n", "no-such-reader"},
		{"#!/usr/bin/env V=1 no-such-reader", "no-such-reader"},
		{"#!/no/such/reader\n", ""}, // it is where it says, or nowhere
		{"#!\n", ""},
		{"\x7fELF", ""},
		{"", ""},
	} {
		script := filepath.Join(dir, "script")
		if err := os.WriteFile(script, []byte(tt.text), 0o700); err != nil {
			t.Fatal(err)
		}
		if got := missingReader(script, dir); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	there := filepath.Join(dir, "a-reader")
	script := filepath.Join(dir, "script")
	for path, text := range map[string]string{there: "", script: "#!/usr/bin/env a-reader\n"} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if got := missingReader(script, dir); got != "" {
		t.Errorf("got %q, and it is there", got)
	}
}

// TestMerged: people are told once what is so of several.
func TestMerged(t *testing.T) {
	one := doctor.Finding{Severity: doctor.Note, Area: doctor.AreaPrograms, Subject: "a", Text: "t", Remedy: "r"}
	two, other, alone := one, one, one
	two.Subject, other.Subject, other.Text, alone.Subject = "b", "c", "u", ""
	got := merged([]doctor.Finding{one, other, two, alone, alone})
	var subjects []string
	for _, f := range got {
		subjects = append(subjects, f.Subject)
	}
	if diff := cmp.Diff([]string{"a, b", "c", "", ""}, subjects); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestRepair: what is mended is what was looked at, and nothing that took its place.
func TestRepair(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := repair(&doctor.Fix{Do: doctor.Close, Path: file, Mode: 0o600}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
	for range 2 { // the second time somebody else has done it
		if err := repair(&doctor.Fix{Do: doctor.Remove, Path: file}); err != nil {
			t.Error(err)
		}
	}
	if err := repair(&doctor.Fix{Do: doctor.Remove, Path: dir}); err == nil {
		t.Error("a folder was removed")
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Symlink(dir, file); err != nil {
		t.Fatal(err)
	}
	for _, deed := range []doctor.Deed{doctor.Close, doctor.Remove} {
		if err := repair(&doctor.Fix{Do: deed, Path: file, Mode: 0o600}); err == nil {
			t.Errorf("%s went through a link", deed)
		}
	}
}

// TestDoctor: the report fits, and the object says the same.
func TestDoctor(t *testing.T) {
	newHome(t)
	path := writeConfig(t, "servers: {desk: {command: WEIR, args: [demo-server]}, gone: {command: no-such-command-anywhere, start: eager}}\n")
	t.Setenv("COLUMNS", "60")
	o := weir(t, "--config", path, "doctor")
	o.wants(t, exitPartly, "desk", "ready", "gone: the server could not be", "→ install no-such-command-anywhere", "1 of 2 servers are well")
	for line := range strings.Lines(o.stdout) {
		if n := columnsOf(strings.TrimSuffix(line, "\n")); n > 60 {
			t.Errorf("a line has %d characters: %s", n, line)
		}
	}
	t.Setenv("COLUMNS", "")
	o = weir(t, "--config", path, "doctor", "--json", "--host", "cursor,zed")
	var all struct {
		Version  string
		Problems int
		Servers  []struct {
			Name, State   string
			Tools, Tokens int
			ListedMS      int64 `json:"listedMs"`
		}
		Findings []doctor.Finding
	}
	if err := json.Unmarshal([]byte(o.stdout), &all); err != nil {
		t.Fatal(err)
	}
	if o.code != exitPartly || all.Version != version || len(all.Servers) != 2 || all.Servers[0].Tools == 0 || all.Servers[0].Tokens == 0 || all.Problems != doctor.Count(all.Findings, doctor.Problem) {
		t.Errorf("got code %d, %+v", o.code, all)
	}
	weir(t, "--config", path+".none", "doctor").wants(t, exitFailed, "problem", "no such file")
	weir(t, "--config", path, "doctor", "--timeout", "0s").wants(t, exitUsage, "--timeout")
}

// TestDoctorIsBounded: a server that never answers keeps nobody longer than it was
// allowed to.
func TestDoctorIsBounded(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no sleep")
	}
	newHome(t)
	path := writeConfig(t, "servers: {desk: {command: WEIR, args: [demo-server]}, deaf: {command: sleep, args: ['600']}}\n")
	began := time.Now()
	weir(t, "--config", path, "doctor", "--timeout", "3s").wants(t, exitPartly, "desk", "7", "deaf: its lists did not come in time", "connect_timeout")
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

// TestDoctorSeesWhatHostsSee: a host with a profile has the tools of that, and no more
// are counted.
func TestDoctorSeesWhatHostsSee(t *testing.T) {
	home := newHome(t)
	path := writeConfig(t, `
servers: {desk: {command: WEIR, args: [demo-server]}, other: {command: WEIR, args: [demo-server], env: {X: "1"}}}
names: {max: 128, separator: "`+strings.Repeat("_", 8)+`"}
profiles: {small: {servers: [other], expose: all}}
`)
	self := filepath.Join(home, "weir")
	if err := os.Symlink(program(t), self); err != nil {
		t.Skip("no links here")
	}
	entry := func(name string, args ...string) {
		t.Helper()
		list, err := json.Marshal(append([]string{"--config", path}, args...))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(home, ".cursor", "mcp.json")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		text := `{"mcpServers":{` + quoted(name) + `:{"command":` + quoted(self) + `,"args":` + string(list) + `}}}`
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("weir", 12) // leaves Cursor room for 12 characters
	entry(long, "serve")
	weir(t, "--config", path, "doctor").wants(t, exitPartly, "desk: ", "too long for Cursor", "other: ")
	entry(long, "serve", "--profile", "small")
	o := weir(t, "--config", path, "doctor")
	o.wants(t, exitPartly, "other: ", "too long for Cursor")
	if strings.Contains(o.stdout, "desk: ") {
		t.Errorf("what the host does not see is counted:\n%s", o.stdout)
	}
	entry("weir", "serve", "--profile", "no-such")
	weir(t, "--config", path, "doctor").wants(t, exitPartly, "cannot be used", "no-such")
}

// illFacts are those of a weir with many troubles. Servers have their own words in it.
func illFacts() doctor.Facts {
	claude := doctor.Host{Host: hosts.ClaudeCode, Entries: []doctor.Entry{{Name: "weir", File: "~/.claude.json"}}}
	codex := doctor.Host{Host: hosts.Codex, Entries: []doctor.Entry{{Name: "weir", File: "~/.codex/config.toml", Command: "~/old/weir", Missing: true}}}
	return doctor.Facts{
		Version: "0.1.0", Asked: true,
		Config: doctor.Config{Path: "~/.config/weir/mcp.yaml", Mode: 0o600, Shown: doctor.ShowAll, Disabled: []string{"old"}},
		Servers: []doctor.Server{
			{Name: "files", State: "ready", Transport: "stdio", Era: "legacy", Protocol: "2025-11-25", Connected: 312 * time.Millisecond, Listed: 1400 * time.Millisecond, Tools: 14, Tokens: 2811},
			{Name: "a-server-with-a-name-of-32-chars", State: "ready", Transport: "websocket", Era: "modern", Protocol: "2026-07-28", Connected: 40 * time.Millisecond, Listed: 41 * time.Millisecond, Tools: 210, Tokens: 61234},
			{Name: "linear", State: "needs_login", Transport: "http", Error: "a login is needed", Cause: doctor.ByLogin},
			{
				Name: "search", State: "backoff", Transport: "stdio", Error: "the server ended before it was ready (exit status 1)", Cause: doctor.ByEnd,
				Said: "Fehler: \x1b[31mSchlüssel fehlt\u202e 鍵がありません", Program: &doctor.Program{Command: "npx", Found: "/home/u/.nvm/versions/node/v22.1.0/bin/npx"},
			},
			{Name: "old", State: "disabled", Transport: "stdio", Disabled: true},
		},
		Tools:     []doctor.Tool{{Server: "files", Name: "t", Exposed: "files__t", Definition: []byte(`{"inputSchema":{"type":"object","oneOf":[]}}`), Tokens: 64045}},
		Hosts:     []doctor.Host{claude, codex},
		Variables: []string{"GITHUB_TOKEN"},
		Logins:    []doctor.Login{{Server: "github", State: doctor.LoginExpired}},
		Files:     doctor.Files{Folders: []doctor.Folder{{Path: "/home/u/.local/state/weir", Holds: "logins, pins and records", Mode: 0o755}}},
		Running:   []doctor.Running{{PID: 4711, Version: "0.0.9", Hosts: []string{"Claude Code 2.1.330"}}},
	}
}

// TestDoctorScreens draws the report in several widths; no line is wider than the
// screen, and nothing of a server moves the cursor.
func TestDoctorScreens(t *testing.T) {
	newHome(t)
	for _, width := range []int{80, 160, 60} {
		name := fmt.Sprintf("doctor%d.txt", width)
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			a := &app{Process: Process{Stdout: &out, Environ: []string{fmt.Sprintf("COLUMNS=%d", width)}}}
			c := &checkup{app: a, facts: illFacts()}
			r := &report{app: a, checkup: c, findings: c.findings()}
			r.print()
			for line := range strings.Lines(out.String()) {
				line = strings.TrimSuffix(line, "\n")
				if n := columnsOf(line); n > width || strings.ContainsAny(line, "\x1b\u202e") {
					t.Errorf("a line has %d characters: %q", n, line)
				}
			}
			golden(t, name, out.String())
		})
	}
}

// TestCauses: what keeps a server from being used is found out by what the error is, not
// by what it says.
func TestCauses(t *testing.T) {
	fault := func(err error) *upstream.Fault { return &upstream.Fault{Server: "a", Text: "x", Err: err} }
	for _, tt := range []struct {
		name   string
		status aggregator.ServerStatus
		want   doctor.Cause
	}{
		{"nothing", aggregator.ServerStatus{}, doctor.ByTime},
		{"login", aggregator.ServerStatus{Status: upstream.Status{State: upstream.NeedsLogin}}, doctor.ByLogin},
		{"program", failedBy("stdio", upstream.ConnectionError{Fault: fault(&process.FindError{Command: "x", Err: exec.ErrNotFound})}), doctor.ByProgram},
		{"end", failedBy("stdio", upstream.ConnectionError{Fault: fault(io.EOF)}), doctor.ByEnd},
		{"lost", failedBy("http", upstream.ConnectionError{Fault: fault(io.EOF)}), ""},
		{"certificate", failedBy("http", upstream.ConnectionError{Fault: fault(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})}), doctor.ByCertificate},
		{"authority", failedBy("http", upstream.ConnectionError{Fault: fault(x509.UnknownAuthorityError{})}), doctor.ByCertificate},
		{"name", failedBy("http", upstream.ConnectionError{Fault: fault(&net.DNSError{Name: "x"})}), doctor.ByName},
		{"refusal", failedBy("http", upstream.ConnectionError{Fault: fault(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED})}), doctor.ByRefusal},
		{"configuration", failedBy("stdio", upstream.ConfigurationError{Fault: fault(nil)}), doctor.ByConfig},
		{"time", failedBy("http", upstream.TimeoutError{Fault: fault(nil)}), doctor.ByTime},
		{"credentials", failedBy("http", upstream.AuthenticationError{Fault: fault(nil)}), doctor.ByCredentials},
		{"rights", failedBy("http", upstream.AuthorizationError{Fault: fault(nil)}), doctor.ByCredentials},
		{"address", failedBy("http", upstream.TransportError{Fault: fault(nil)}), doctor.ByAddress},
		{"protocol", failedBy("stdio", upstream.ProtocolError{Fault: fault(nil)}), doctor.ByProtocol},
		{"no JSON", failedBy("stdio", upstream.SerializationError{Fault: fault(nil)}), doctor.ByProtocol},
		{"rate", failedBy("http", upstream.RateLimitError{Fault: fault(nil)}), ""},
		{"unknown", failedBy("http", io.EOF), ""},
	} {
		if got := causeOf(tt.status); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func failedBy(transport string, err error) aggregator.ServerStatus {
	return aggregator.ServerStatus{Transport: transport, Status: upstream.Status{State: upstream.Backoff, Reason: err}}
}

// TestHeldLocks: a lock that somebody keeps is told from one that was left behind.
func TestHeldLocks(t *testing.T) {
	folder := state.At(t.TempDir())
	for _, name := range []string{"free", "kept"} {
		unlock, err := folder.Lock(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "free" {
			unlock()
			continue
		}
		defer unlock()
	}
	if diff := cmp.Diff([]string{"kept"}, heldLocks(t.Context(), folder, []string{"free", "kept"})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

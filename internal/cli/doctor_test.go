package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/internal/doctor"
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
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 60 {
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

package config

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/keyring"
)

func TestExpand(t *testing.T) {
	t.Setenv("WEIR_TEST_A", "a")
	t.Setenv("WEIR_TEST_EMPTY", "")
	t.Setenv("WEIR_TEST_REF", "${WEIR_TEST_A}")
	e := &expander{vars: map[string]string{"WEIR_TEST_A": "of the file", "WEIR_TEST_B": "b"}}
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"plain $x $", "plain $x $"},
		{"${WEIR_TEST_A}", "a"},
		{"${env:WEIR_TEST_A}", "a"},
		{"<${WEIR_TEST_A}${WEIR_TEST_B}>", "<ab>"},
		{"${WEIR_TEST_EMPTY}", ""},
		{"${WEIR_TEST_EMPTY:-d}", "d"},
		{"${WEIR_TEST_UNSET:-}", ""},
		{"${WEIR_TEST_UNSET:-http://x}", "http://x"},
		{"${env:WEIR_TEST_UNSET:-d}", "d"},
		{"${WEIR_TEST_A:-d}", "a"},
		{"$${WEIR_TEST_A}", "${WEIR_TEST_A}"},
		{"$$${WEIR_TEST_A}", "$${WEIR_TEST_A}"},
		{"$$5", "$$5"},
		{"${WEIR_TEST_REF}", "${WEIR_TEST_A}"},
	} {
		got, deferred, err := e.expand(tt.text)
		if err != nil || deferred || unescape(got) != tt.want {
			t.Errorf("%s: got %q, %t, %v, want %q", tt.text, unescape(got), deferred, err, tt.want)
		}
	}
}

func TestFileReferences(t *testing.T) {
	t.Setenv("WEIR_TEST_TRICK", "${file:token}")
	token := write(t, "token", "s3cret\r\n")
	dir := filepath.Dir(token)
	path := filepath.Join(dir, "mcp.yaml")
	text := `servers:
  a:
    url: https://x/$${b}
    headers: {Authorization: "Bearer ${file:token}", X-Trick: "${WEIR_TEST_TRICK}", X-Gone: "${file:gone}", X-Dir: "${file:.}"}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	s := f.Servers[0]
	if s.Broken != nil || s.Resolve == nil {
		t.Fatalf("got broken %v, want references to resolve", s.Broken)
	}
	for _, tt := range []struct{ text, want string }{
		{s.Headers["Authorization"], "Bearer s3cret"},
		{s.Headers["X-Trick"], "${file:token}"},
		{s.URL, "https://x/${b}"},
		{"no reference", "no reference"},
	} {
		if got, err := s.Resolve(t.Context(), tt.text); err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.text, got, err, tt.want)
		}
	}
	for header, want := range map[string]string{"X-Gone": "gone", "X-Dir": "not a file"} {
		if got, err := s.Resolve(t.Context(), s.Headers[header]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, %v, want an error with %q", header, got, err, want)
		}
	}
	large := filepath.Join(dir, "gone")
	if err := os.WriteFile(large, make([]byte, maxFileRef+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resolve(t.Context(), s.Headers["X-Gone"]); err == nil {
		t.Error("got no error for a file that is too large")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Resolve(ended, "x"); err != nil {
		t.Errorf("got %v for a text without references", err)
	}
}

// ring is a keyring that is asked for nothing but what it has.
type ring map[string]string

func (r ring) Get(ctx context.Context, service, account string) (string, error) {
	if service == "hangs" {
		<-ctx.Done()
		return "", fmt.Errorf("%w: %w", keyring.ErrUnavailable, context.Cause(ctx))
	}
	secret, ok := r[service+" "+account]
	if !ok {
		return "", fmt.Errorf("reading %q: %w", service+"/"+account, keyring.ErrNotFound)
	}
	return secret, nil
}

func (ring) Set(context.Context, string, string, string) error { panic("weir reads only") }
func (ring) Delete(context.Context, string, string) error      { panic("weir reads only") }

func TestKeyringReferences(t *testing.T) {
	t.Setenv("WEIR_TEST_TRICK", "${keyring:weir/acme}")
	path := write(t, "mcp.yaml", `servers:
  a:
    url: https://x/
    headers: {X-Key: "<${keyring:weir/acme}>", X-Deep: "${keyring:weir/acme/prod}", X-Trick: "${WEIR_TEST_TRICK}", X-Gone: "${keyring:weir/gone}", X-Hangs: "${keyring:hangs/x}"}
`)
	f, err := Load(Options{Path: path, Keyring: ring{"weir acme": "s3cret${file:x}", "weir acme/prod": "deep"}})
	if err != nil {
		t.Fatal(err)
	}
	s := f.Servers[0]
	if s.Broken != nil || s.Resolve == nil {
		t.Fatalf("got broken %v, want references to resolve", s.Broken)
	}
	if id := string(s.Identity); strings.Contains(id, "s3cret") || !strings.Contains(id, "${keyring:weir/acme}") {
		t.Errorf("got identity %s, want the reference in it", id)
	}
	for header, want := range map[string]string{"X-Key": "<s3cret${file:x}>", "X-Deep": "deep", "X-Trick": "${keyring:weir/acme}"} {
		if got, err := s.Resolve(t.Context(), s.Headers[header]); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", header, got, err, want)
		}
	}
	if _, err := s.Resolve(t.Context(), s.Headers["X-Gone"]); !errors.Is(err, keyring.ErrNotFound) || !strings.Contains(err.Error(), "weir/gone") {
		t.Errorf("got %v, want %v with its name", err, keyring.ErrNotFound)
	}
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		_, err := s.Resolve(t.Context(), s.Headers["X-Hangs"])
		if took := time.Since(begun); !errors.Is(err, keyring.ErrUnavailable) || took != 10*time.Second {
			t.Errorf("got %v after %v, want %v after 10 s", err, took, keyring.ErrUnavailable)
		}
	})
}

func TestResolveEndsWithItsContext(t *testing.T) {
	ended, cancel := context.WithCancelCause(t.Context())
	why := errors.New("host is gone")
	cancel(why)
	if _, err := await(ended, "x", make(chan contents)); !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
}

func TestEnvFile(t *testing.T) {
	env := write(t, "env", "WEIR_TEST_A=of the file\nWEIR_TEST_B=b\n=x\n")
	path := filepath.Join(filepath.Dir(env), "mcp.yaml")
	if err := os.WriteFile(path, []byte("env_file: env\nservers: {a: {command: x, args: [\"${WEIR_TEST_A}${WEIR_TEST_B}\"]}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WEIR_TEST_A", "of the environment, ")
	f, err := Load(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Servers[0].Args[0], "of the environment, b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := "env:3: passing over a line that is not KEY=value"; len(f.Warnings) != 1 || bare(path, f.Warnings[0]) != want {
		t.Errorf("got warnings %q, want %q", f.Warnings, want)
	}
}

func TestEnvFileThatIsNotThere(t *testing.T) {
	f := load(t, "mcp.yaml", "env_file: nowhere\nservers: {a: {command: x, args: [\"${WEIR_TEST_UNSET}\"]}, b: {command: x}}\n")
	if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "mcp.yaml:1: env_file: ") {
		t.Errorf("got warnings %q, want one about env_file", f.Warnings)
	}
	if f.Servers[0].Broken == nil || f.Servers[1].Broken != nil {
		t.Errorf("got %v and %v, want the first broken only", f.Servers[0].Broken, f.Servers[1].Broken)
	}
}

// An env_file that is too large concerns those servers only that need it.
func TestEnvFileTooLarge(t *testing.T) {
	env := write(t, "env", "WEIR_TEST_A=a\n"+strings.Repeat("#", maxEnvFile))
	path := filepath.Join(filepath.Dir(env), "mcp.yaml")
	if err := os.WriteFile(path, []byte("env_file: env\nservers: {a: {command: x, args: [\"${WEIR_TEST_A}\"]}, b: {command: x}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Warnings) != 1 || !strings.Contains(f.Warnings[0], "larger than 1048576 bytes") {
		t.Errorf("got warnings %q, want one about its size", f.Warnings)
	}
	if f.Servers[0].Broken == nil || f.Servers[1].Broken != nil {
		t.Errorf("got %v and %v, want the first broken only", f.Servers[0].Broken, f.Servers[1].Broken)
	}
}

func TestAliasesInYAML(t *testing.T) {
	f := load(t, "mcp.yaml", "servers:\n  a: {command: x, env: &e {A: b}}\n  b: {command: y, env: *e}\n")
	if got := f.Servers[1].Env["A"]; got != "b" {
		t.Errorf("got %q, want b", got)
	}
}

func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("servers:\n  a0: {command: x, args: &a [" + strings.Repeat("x", 100_000) + "]}\n")
	for i := range 200 {
		b.WriteString("  b" + strings.Repeat("b", i%20) + string(rune('a'+i/20)) + ": {command: x, args: *a}\n")
	}
	_, err := Load(Options{Path: write(t, "mcp.yaml", b.String())})
	if err == nil || strings.Count(err.Error(), "\n") != 0 || !strings.Contains(err.Error(), "aliases make the file too large") {
		t.Errorf("got error %v, want that aliases make the file too large", err)
	}
}

func TestFileTooLarge(t *testing.T) {
	_, err := Load(Options{Path: write(t, "mcp.yaml", strings.Repeat("#", maxFileSize+1))})
	if err == nil || !strings.Contains(err.Error(), "larger than 4194304 bytes") {
		t.Errorf("got error %v, want that it is too large", err)
	}
}

// FuzzExpand holds that what has no reference stays, and that escaping is
// undone by whichever step comes last.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"${A}", "$${A}", "${A:-b}", "${file:x}", "$$${", "${", "}", "${env:A}${B", "a$b", "${keyring:a/b}"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		e := &expander{vars: map[string]string{"WEIR_FUZZ": value}}
		_, _, _ = e.expand(text)
		got, deferred, err := e.expand("<${WEIR_FUZZ}>")
		if err != nil || deferred || unescape(got) != "<"+value+">" {
			t.Fatalf("got %q, %v, want %q", unescape(got), err, value)
		}
		resolved, err := e.resolve(t.Context(), got)
		if err != nil || resolved != "<"+value+">" {
			t.Fatalf("got %q, %v after resolve, want %q", resolved, err, value)
		}
		if !strings.Contains(text, "${") {
			if got, _, err := e.expand(text); err != nil || got != text {
				t.Fatalf("got %q, %v for %q", got, err, text)
			}
		}
	})
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/weir-mcp/weir/internal/config"
)

// npmFolder is where the programs of npm are that the tests use.
const npmFolder = "../../e2e/npm"

// needNpm skips a test where a package is not installed, or Node is not.
func needNpm(t *testing.T, name string) (folder string) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip(err)
	}
	folder, err := filepath.Abs(filepath.Join(npmFolder, "node_modules", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("%s is missing; to get it: npm ci --prefix e2e/npm", folder)
	}
	return folder
}

// mcpb runs the packer of the format's authors.
func mcpb(t *testing.T, args ...string) string {
	t.Helper()
	program := filepath.Join(needNpm(t, "@anthropic-ai/mcpb"), "dist", "cli", "cli.js")
	out, err := exec.Command("node", append([]string{program}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("mcpb %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

// resolve asks the library of the format's authors how a host of a system starts the
// bundle.
const resolve = `
import { readFileSync } from "node:fs";
import { getMcpConfigForManifest } from "@anthropic-ai/mcpb";
const [folder, platform, userConfig] = process.argv.slice(1);
Object.defineProperty(process, "platform", { value: platform });
const { command, args, env } = await getMcpConfigForManifest({
	manifest: JSON.parse(readFileSync(folder + "/manifest.json", "utf8")), extensionPath: folder, systemDirs: {},
	userConfig: JSON.parse(userConfig), pathSeparator: "/",
});
console.log(JSON.stringify({ command, args, env }));
`

func launchedBy(t *testing.T, folder, system, userConfig string) (l launch) {
	t.Helper()
	needNpm(t, "@anthropic-ai/mcpb")
	cmd := exec.Command("node", "--input-type=module", "-e", resolve, "--", folder, system, userConfig)
	cmd.Dir = npmFolder
	out, err := output(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// unpackedBundle makes the bundle, of fakes, and unpacks it as hosts do.
func unpackedBundle(t *testing.T) (folder string) {
	t.Helper()
	needNpm(t, "@anthropic-ai/mcpb")
	r := fakeRelease(t)
	entries, err := bundle(r)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := zipped(entries, testTime)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), bundleName(testVersion))
	write(t, file, string(packed))
	if err := r.checkBundle(file); err != nil {
		t.Error(err)
	}
	folder = filepath.Join(t.TempDir(), "Claude Extensions", "weir") // with a space, as there is one
	mcpb(t, "unpack", file, folder)
	return folder
}

// workingBundle is an unpacked one, in which weir is the program for this machine.
// The test's binary is that; it is put there past the archive, as it is large.
func workingBundle(t *testing.T) (folder string) {
	t.Helper()
	if here.os != "linux" {
		t.Skip("a bundle of fakes works on Linux only: a universal program wants both of macOS")
	}
	folder = unpackedBundle(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(folder, filepath.FromSlash(linuxProgram(here.arch)))
	if err := os.Remove(place); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, place); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestBundle holds the bundle against the format: its packer finds nothing wrong, and
// the host of each system finds its program.
func TestBundle(t *testing.T) {
	folder := unpackedBundle(t)
	if out := mcpb(t, "validate", filepath.Join(folder, "manifest.json")); !strings.Contains(out, "Manifest schema validation passes") || strings.Contains(out, "ERROR") {
		t.Errorf("mcpb validate: %s", out)
	}
	want := map[string]string{
		"manifest.json": "-rw-r--r--", "icon.png": "-rw-r--r--", "LICENSE": "-rw-r--r--", "THIRD_PARTY_LICENSES": "-rw-r--r--",
		"server/weir": "-rwxr-xr-x", "server/weir-darwin": "-rwxr-xr-x", "server/weir-linux-amd64": "-rwxr-xr-x",
		"server/weir-linux-arm64": "-rwxr-xr-x", "server/weir.exe": "-rwxr-xr-x",
	}
	if diff := cmp.Diff(want, modesOf(t, folder)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for system, program := range map[string]string{"darwin": "weir-darwin", "linux": "weir", "win32": "weir.exe"} {
		got := launchedBy(t, folder, system, `{"config": "/a/b c/mcp.yaml", "profile": "work", "key": "secret"}`)
		want := launch{
			Command: folder + "/server/" + program,
			Args:    []string{"serve", "--config=/a/b c/mcp.yaml", "--profile=work"},
			Env:     map[string]string{"WEIR_KEY": "secret"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", system, diff)
		}
	}
	blank := launchedBy(t, folder, "linux", `{}`)
	if diff := cmp.Diff([]string{"serve", "--config=", "--profile="}, blank.Args); diff != "" || blank.Env["WEIR_KEY"] != "" {
		t.Errorf("nothing filled in: %v, -want +got:\n%s", blank.Env, diff)
	}
}

// TestBeginning: the configuration that the bundle shows can be used.
func TestBeginning(t *testing.T) {
	_, rest, _ := strings.Cut(beginning, "```yaml\n")
	example, _, _ := strings.Cut(rest, "```")
	file := filepath.Join(t.TempDir(), "mcp.yaml")
	write(t, file, example)
	got, err := config.Load(config.Options{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Servers) != 1 || got.Servers[0].Name != "files" {
		t.Errorf("got %+v", got.Servers)
	}
}

func modesOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	modes := map[string]string{}
	for name := range filesOf(t, folder) {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		modes[name] = info.Mode().Perm().String()
	}
	return modes
}

// TestOverrides: one that has no program in the bundle is not promised.
func TestOverrides(t *testing.T) {
	r := fakeRelease(t)
	r.binaries = slices.DeleteFunc(r.binaries, func(b *product) bool { return b.os == "windows" || b.platform == (platform{"darwin", "amd64"}) })
	entries, err := bundle(r)
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	for _, e := range entries {
		if e.name == manifestName {
			if err := json.Unmarshal(e.data, &m); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := slices.Sorted(maps.Keys(m.Server.Config.Overrides)); !slices.Equal(got, []string{"linux"}) || !slices.Equal(m.Compatibility.Platforms, got) {
		t.Errorf("got overrides for %q, and the platforms %q", got, m.Compatibility.Platforms)
	}
	r.binaries = nil
	if _, err := bundle(r); err == nil {
		t.Errorf("there is a bundle of nothing")
	}
}

// TestOneClick is all that somebody does who installs the bundle: a host starts it
// with nothing filled in, and is told how to begin; when mcp.yaml is written there are
// tools, which can be called.
func TestOneClick(t *testing.T) {
	folder := workingBundle(t)
	home := t.TempDir()
	changed := make(chan struct{}, 1)
	session := connect(t, home, launchedBy(t, folder, "linux", `{}`), changed)

	if got := session.InitializeResult().Instructions; !strings.Contains(got, "No servers are configured") || !strings.Contains(got, "~/.config/weir/mcp.yaml") {
		t.Errorf("the host is told %q", got)
	}
	if got := toolsOf(t, session); !slices.Equal(got, []string{"weir__servers"}) {
		t.Errorf("got tools %q", got)
	}
	if got := call(t, session, "weir__servers", map[string]any{}); !strings.Contains(got, "npx") || strings.Contains(got, home) {
		t.Errorf("got %q", got)
	}

	write(t, filepath.Join(home, ".config", "weir", "mcp.yaml"), mcpYAML(folder))
	want := []string{"desk__add", "desk__echo"}
	for limit := time.After(time.Minute); ; {
		got := toolsOf(t, session)
		if slices.Contains(got, want[0]) && slices.Contains(got, want[1]) {
			break
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("the tools are %q after a minute", got)
		}
	}
	if got := call(t, session, "desk__echo", map[string]any{"text": "by one click"}); got != "by one click" {
		t.Errorf("got %q", got)
	}
}

// TestFilledIn starts the bundle with a file elsewhere and a key.
func TestFilledIn(t *testing.T) {
	folder := workingBundle(t)
	elsewhere := filepath.Join(t.TempDir(), "my servers.yaml")
	write(t, elsewhere, mcpYAML(folder)+"policies: {all: {default: execute}}\nkeys: [{name: desk, sha256: "+sumOf("a key that nobody guesses")+", policy: all}]\n")
	for _, tt := range []struct{ key, want string }{{"a key that nobody guesses", "desk__echo"}, {"", ""}} {
		config, err := json.Marshal(map[string]string{"config": elsewhere, "key": tt.key})
		if err != nil {
			t.Fatal(err)
		}
		session := connect(t, t.TempDir(), launchedBy(t, folder, "linux", string(config)), nil)
		if got := toolsOf(t, session); slices.Contains(got, "desk__echo") != (tt.want != "") {
			t.Errorf("with the key %q: got tools %q", tt.key, got)
		}
	}
}

func mcpYAML(folder string) string {
	return fmt.Sprintf("servers:\n  desk: {command: %q, args: [demo-server]}\n", folder+"/"+launcherName)
}

// connect starts a server as a host does.
func connect(t *testing.T, home string, l launch, changed chan struct{}) *mcp.ClientSession {
	t.Helper()
	cmd := exec.Command(l.Command, l.Args...)
	cmd.Dir, cmd.Env, cmd.Stderr = home, append(homeEnvironment(home), "GORACE=atexit_sleep_ms=0"), os.Stderr
	for name, value := range l.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "host", Version: "1"}, &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) {
			select {
			case changed <- struct{}{}:
			default:
			}
		},
	})
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func toolsOf(t *testing.T, session *mcp.ClientSession) (names []string) {
	t.Helper()
	for tool, err := range session.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, tool.Name)
	}
	return names
}

func call(t *testing.T, session *mcp.ClientSession, name string, arguments map[string]any) string {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: arguments})
	if err != nil {
		t.Fatal(err)
	}
	text, ok := result.Content[0].(*mcp.TextContent)
	if !ok || result.IsError {
		t.Fatalf("got %+v", result)
	}
	return text.Text
}

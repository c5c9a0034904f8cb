package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestFilesystemRoots: what server-filesystem lets a host touch are the roots of
// the host, and after these have changed the new ones, through weir as without.
func TestFilesystemRoots(t *testing.T) {
	needNode(t)
	for _, through := range []bool{false, true} {
		t.Run(map[bool]string{false: "direct", true: "through weir"}[through], func(t *testing.T) {
			t.Parallel()
			p := testPlaces(t)
			first, second := p.folder(t, "first"), p.folder(t, "second")
			client, c := p.rootsHost(t, through, upstreamtest.Legacy)
			client.AddRoots(&gosdk.Root{URI: "file://" + first})
			c.untilAllowed(t, first)
			c.wantRead(t, filepath.Join(first, "a.txt"), true)
			c.wantRead(t, filepath.Join(second, "a.txt"), false)
			// One change at a time: of two together the server may take the first
			// one for the last.
			client.AddRoots(&gosdk.Root{URI: "file://" + second})
			c.untilAllowed(t, first, second)
			client.RemoveRoots("file://" + first)
			c.untilAllowed(t, second)
			c.wantRead(t, filepath.Join(first, "a.txt"), false)
			c.wantRead(t, filepath.Join(second, "a.txt"), true)
		})
	}
}

// TestFilesystemModern: a host without a handshake has no roots to tell when the
// server asks. It may touch what the server was started for.
func TestFilesystemModern(t *testing.T) {
	needNode(t)
	p := testPlaces(t)
	started, root := p.folder(t, "started"), p.folder(t, "root")
	client, c := p.rootsHost(t, true, upstreamtest.Modern, started)
	client.AddRoots(&gosdk.Root{URI: "file://" + root})
	c.untilAllowed(t, started)
	c.wantRead(t, filepath.Join(started, "a.txt"), true)
	c.wantRead(t, filepath.Join(root, "a.txt"), false)
}

// folder makes a folder with a file in it.
func (p places) folder(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(p.home, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("in "+name), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// rootsHost is a host with roots on server-filesystem.
func (p places) rootsHost(t *testing.T, through bool, version string, dirs ...string) (*gosdk.Client, filesystem) {
	t.Helper()
	server := target{isOne: true, command: func() *exec.Cmd {
		return p.command(context.Background(), "node", append([]string{npmServer("server-filesystem/dist/index.js")}, dirs...)...)
	}}
	prefix := ""
	if through {
		server, prefix = p.behindWeir(t, server), exposedPrefix
	}
	client := gosdk.NewClient(&gosdk.Implementation{Name: "host", Version: "1"}, nil)
	c, err := client.Connect(t.Context(), goSDKTransport(server), &gosdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil && through {
			t.Error(err)
		}
	})
	return client, filesystem{c, prefix}
}

// filesystem is server-filesystem, as a host has it.
type filesystem struct {
	*gosdk.ClientSession
	prefix string
}

// untilAllowed asks for the folders that may be touched until those are these: the
// server learns of the host's roots in its own time.
func (f filesystem) untilAllowed(t *testing.T, dirs ...string) {
	t.Helper()
	want := "Allowed directories:\n" + strings.Join(dirs, "\n")
	end := time.Now().Add(patience)
	for {
		text, _ := f.call(t, "list_allowed_directories", nil)
		if text == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("got %q, want %q", text, want)
		}
	}
}

func (f filesystem) wantRead(t *testing.T, file string, want bool) {
	t.Helper()
	text, ok := f.call(t, "read_text_file", map[string]any{"path": file})
	if ok != want || ok && !strings.HasPrefix(text, "in ") {
		t.Errorf("reading %s: got %v, %q, want %v", file, ok, text, want)
	}
}

func (f filesystem) call(t *testing.T, name string, arguments any) (text string, ok bool) {
	t.Helper()
	result, err := f.CallTool(t.Context(), &gosdk.CallToolParams{Name: f.prefix + name, Arguments: arguments})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Content) != 1 {
		t.Fatalf("%s: got %d blocks, want 1", name, len(result.Content))
	}
	block, isText := result.Content[0].(*gosdk.TextContent)
	if !isText {
		t.Fatalf("%s: got a %T, want a text", name, result.Content[0])
	}
	return block.Text, !result.IsError
}

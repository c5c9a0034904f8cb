package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	mcpgo "github.com/mark3labs/mcp-go/client"
	mcpgotransport "github.com/mark3labs/mcp-go/client/transport"
	mcpgotypes "github.com/mark3labs/mcp-go/mcp"
	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A target is a server to drive: a command, or a URL.
type target struct {
	command  func() *exec.Cmd
	url      string
	protocol string // the revision that weir is told to speak with it; "" = it finds out
	isOne    bool   // it is one server, not many behind weir
}

type toolCall struct {
	name      string
	arguments string // raw JSON object
}

// An observation is all that a driver has seen of a server, in its order, as JSON text: of
// the raw one the bytes that came, of the others what their client made of
// them.
type observation struct {
	tools   []string
	results []string // of the calls
}

// A driver drives a server by one client. The direct one is in the legacy era,
// which is all that the real servers speak.
type driver struct {
	name    string
	direct  func(*testing.T, target, []toolCall) observation
	through func(*testing.T, target, []toolCall) observation

	// drops are members of a tool that the client itself takes out in one of the
	// two eras. Where it has some, the order of members is its own as well.
	drops []string
}

// seen is the definition of a tool as the client gets it through weir. One of the
// modern era has declared no tasks: weir waits for the end of a task that the
// tool needs, so that the client need not know of any.
func (d driver) seen(definition string) string {
	if !strings.HasSuffix(d.name, ", modern") {
		return definition
	}
	return strings.Replace(definition, `"taskSupport":"required"`, `"taskSupport":"optional"`, 1)
}

var drivers = []driver{
	{"raw", driveRaw(upstreamtest.Legacy), driveRaw(upstreamtest.Legacy), nil},
	{"raw, modern", driveRaw(upstreamtest.Legacy), driveRaw(upstreamtest.Modern), nil},
	{"TypeScript SDK 1", driveNode("1.x", "legacy"), driveNode("1.x", "legacy"), nil},
	{"TypeScript SDK 2", driveNode("2.x", "legacy"), driveNode("2.x", "legacy"), nil},
	{"TypeScript SDK 2, modern", driveNode("2.x", "legacy"), driveNode("2.x", upstreamtest.Modern), []string{"execution"}},
	{"Inspector", driveInspector, driveInspector, nil},
	{"mcp-go", driveMCPGo(upstreamtest.Legacy), driveMCPGo(upstreamtest.Legacy), nil},
	{"mcp-go, modern", driveMCPGo(upstreamtest.Legacy), driveMCPGo(upstreamtest.Modern), nil},
	{"Go SDK", driveGoSDK(upstreamtest.Legacy), driveGoSDK(upstreamtest.Legacy), nil},
	{"Go SDK, modern", driveGoSDK(upstreamtest.Legacy), driveGoSDK(upstreamtest.Modern), nil},
}

func driveRaw(version string) func(*testing.T, target, []toolCall) observation {
	return func(t *testing.T, to target, calls []toolCall) observation {
		t.Helper()
		var request requester
		if to.url != "" {
			request = openWebSession(t, to.url, version).request
		} else {
			request = openSession(t, version, to.command()).request
		}
		o := observation{tools: toolsOf(t, request)}
		for _, call := range calls {
			m := request(t, "tools/call", `"name":`+string(jsonrpc.AppendString(nil, call.name))+`,"arguments":`+call.arguments)
			o.results = append(o.results, outcome(t, m))
		}
		return o
	}
}

func driveNode(client, mode string) func(*testing.T, target, []toolCall) observation {
	return func(t *testing.T, to target, calls []toolCall) observation {
		t.Helper()
		type call struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		}
		job := nodeJob(to, client, mode)
		list := []call{}
		for _, c := range calls {
			list = append(list, call{c.name, json.RawMessage(c.arguments)})
		}
		job["calls"] = list
		input, err := json.Marshal(job)
		if err != nil {
			t.Fatal(err)
		}
		out, err := runNode(t, input, nil, "driver.mjs")
		if err != nil {
			t.Fatal(err)
		}
		var seen struct {
			Tools   []json.RawMessage
			Results []struct {
				Result json.RawMessage
				Error  json.RawMessage
			}
		}
		if err := json.Unmarshal(out, &seen); err != nil {
			t.Fatalf("driver.mjs: %v: %s", err, shorten(out))
		}
		o := observation{tools: texts(seen.Tools)}
		for _, r := range seen.Results {
			o.results = append(o.results, textOf(t, r.Result, r.Error))
		}
		return o
	}
}

// nodeJob is the part of a job that npm/connect.mjs is told.
func nodeJob(to target, client, mode string) map[string]any {
	job := map[string]any{"client": client, "mode": mode}
	if to.url != "" {
		job["url"] = to.url
		return job
	}
	cmd := to.command()
	job["command"], job["args"], job["env"] = cmd.Path, cmd.Args[1:], environment(cmd)
	return job
}

// driveInspector starts the Inspector's command-line mode for each request, as
// it is meant to be used; as it takes seconds for each, only for the first few
// tools of a server.
func driveInspector(t *testing.T, to target, calls []toolCall) observation {
	t.Helper()
	run := func(args ...string) ([]byte, error) {
		line := []string{"node_modules/@modelcontextprotocol/inspector/cli/build/cli.js", "--cli"}
		var env []string
		if to.url != "" {
			line = append(line, to.url, "--transport", "http")
		} else {
			cmd := to.command()
			env = cmd.Env
			line = append(append(line, cmd.Path), cmd.Args[1:]...)
		}
		return runNode(t, nil, env, append(line, args...)...)
	}
	var list struct{ Tools []json.RawMessage }
	out, err := run("--method", "tools/list")
	if err == nil {
		err = json.Unmarshal(out, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	const few = 3
	called := map[string]int{}
	o := observation{tools: texts(list.Tools)}
	for _, call := range calls {
		server, _, _ := strings.Cut(call.name, "__")
		if to.isOne {
			server = ""
		}
		if called[server]++; called[server] > few {
			o.results = append(o.results, "")
			continue
		}
		args := []string{"--method", "tools/call", "--tool-name", call.name}
		members, err := jsonrpc.ParseObject(nil, []byte(call.arguments))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range members {
			args = append(args, "--tool-arg", string(m.Key)+"="+unquoted(m.Value))
		}
		out, err := run(args...)
		if err != nil {
			o.results = append(o.results, "error "+lineWith(err.Error(), "Failed to call"))
			continue
		}
		o.results = append(o.results, textOf(t, out, nil))
	}
	return o
}

// lineWith returns the first line that has word in it, else the whole text.
func lineWith(text, word string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			return strings.TrimSpace(line)
		}
	}
	return text
}

func unquoted(value []byte) string {
	if text, err := jsonrpc.String(value); err == nil {
		return text
	}
	return string(value)
}

func driveMCPGo(version string) func(*testing.T, target, []toolCall) observation {
	return func(t *testing.T, to target, calls []toolCall) observation {
		t.Helper()
		c := openMCPGo(t, to, version)
		defer func() {
			// Some of the real servers do not end by themselves, and are killed.
			if err := c.Close(); err != nil && !to.isOne {
				t.Error(err)
			}
		}()
		start := mcpgotypes.InitializeRequest{}
		start.Params.ProtocolVersion = version
		start.Params.ClientInfo = mcpgotypes.Implementation{Name: "driver", Version: "1"}
		if _, err := c.Initialize(t.Context(), start); err != nil {
			t.Fatal(err)
		}
		list, err := c.ListTools(t.Context(), mcpgotypes.ListToolsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		o := observation{tools: marshalAll(t, list.Tools)}
		for _, call := range calls {
			request := mcpgotypes.CallToolRequest{}
			request.Params.Name, request.Params.Arguments = call.name, json.RawMessage(call.arguments)
			result, err := c.CallTool(t.Context(), request)
			o.results = append(o.results, resultText(t, result, err))
		}
		return o
	}
}

func openMCPGo(t *testing.T, to target, version string, options ...mcpgo.ClientOption) *mcpgo.Client {
	t.Helper()
	var transport mcpgotransport.Interface
	if to.url != "" {
		web, err := mcpgotransport.NewStreamableHTTP(to.url)
		if err != nil {
			t.Fatal(err)
		}
		transport = web
	} else {
		made := func(context.Context, string, []string, []string) (*exec.Cmd, error) { return to.command(), nil }
		transport = mcpgotransport.NewStdioWithOptions("made by", nil, nil, mcpgotransport.WithCommandFunc(made))
	}
	if err := transport.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return mcpgo.NewClient(transport, append(options, mcpgo.WithProtocolVersion(version))...)
}

func driveGoSDK(version string) func(*testing.T, target, []toolCall) observation {
	return func(t *testing.T, to target, calls []toolCall) observation {
		t.Helper()
		client := gosdk.NewClient(&gosdk.Implementation{Name: "driver", Version: "1"}, &gosdk.ClientOptions{Capabilities: &gosdk.ClientCapabilities{}})
		c, err := client.Connect(t.Context(), goSDKTransport(to), &gosdk.ClientSessionOptions{ProtocolVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			// Some of the real servers do not end by themselves, and are killed.
			if err := c.Close(); err != nil && !to.isOne {
				t.Error(err)
			}
		}()
		if got := c.InitializeResult().ProtocolVersion; got != version {
			t.Errorf("protocol version: got %s, want %s", got, version)
		}
		list, err := c.ListTools(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		o := observation{tools: marshalAll(t, list.Tools)}
		for _, call := range calls {
			result, err := c.CallTool(t.Context(), &gosdk.CallToolParams{Name: call.name, Arguments: json.RawMessage(call.arguments)})
			o.results = append(o.results, resultText(t, result, err))
		}
		return o
	}
}

// known is a definition without what the driver's client drops.
func (d driver) known(t *testing.T, definition string) string {
	t.Helper()
	if d.drops == nil {
		return definition
	}
	var members map[string]any
	decoder := json.NewDecoder(strings.NewReader(definition))
	decoder.UseNumber()
	if err := decoder.Decode(&members); err != nil {
		t.Fatal(err)
	}
	for _, name := range d.drops {
		delete(members, name)
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// needNode skips a test that cannot run without the parts of npm/. CI installs
// them.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("npm/node_modules"); errors.Is(err, os.ErrNotExist) {
		t.Skip("e2e/npm/node_modules is missing; to get it: npm ci --prefix e2e/npm")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
}

// runNode runs a script of npm/ and returns its stdout. env adds to what the
// script has.
func runNode(t *testing.T, input []byte, env []string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Dir = "npm"
	cmd.Stdin = bytes.NewReader(input)
	cmd.Env = append(slices.Clip(cmd.Environ()), env...)
	if env != nil {
		cmd.Env = env
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("node %q: %w\n%s%s", args, err, out, &stderr)
	}
	return out, nil
}

func environment(cmd *exec.Cmd) map[string]string {
	env := map[string]string{}
	for _, entry := range cmd.Env {
		key, value, _ := strings.Cut(entry, "=")
		env[key] = value
	}
	return env
}

func marshalAll[T any](t *testing.T, values []T) []string {
	t.Helper()
	all := make([]string, len(values))
	for i, value := range values {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = string(text)
	}
	return all
}

func texts(raw []json.RawMessage) []string {
	all := make([]string, len(raw))
	for i, text := range raw {
		all[i] = string(text)
	}
	return all
}

func resultText(t *testing.T, result any, err error) string {
	t.Helper()
	if err != nil {
		return "error " + err.Error()
	}
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return textOf(t, text, nil)
}

// textOf is the outcome of a call as a client tells it, on one line.
func textOf(t *testing.T, result, failure []byte) string {
	t.Helper()
	if result == nil {
		return "error " + string(failure)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, result); err != nil {
		t.Fatalf("%v: %s", err, shorten(result))
	}
	fields, err := jsonrpc.ParseObject(nil, line.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return outcome(t, &jsonrpc.Message{Kind: jsonrpc.Response, Fields: fields})
}

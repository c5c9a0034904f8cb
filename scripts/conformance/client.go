package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// hostCommand is the argument by which this program is the client that the suite
// starts, with the server's URL after it.
const hostCommand = "host"

// The environment of that client: ours, and the suite's.
const (
	envWeir     = "CONFORMANCE_WEIR" // weir's program
	envDir      = "CONFORMANCE_DIR"  // the folder for what it leaves
	envScenario = "MCP_CONFORMANCE_SCENARIO"
	envVersion  = "MCP_CONFORMANCE_PROTOCOL_VERSION" // since 0.2
	envContext  = "MCP_CONFORMANCE_CONTEXT"
)

// patience is how long the client takes at most: less than the suite waits, which
// would not end weir.
const patience = 25 * time.Second

func hostMain(url string) {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	err := runScenario(ctx, url)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		os.Exit(1)
	}
}

// runScenario does what a user of weir would do in the suite's scenario.
func runScenario(ctx context.Context, url string) (err error) {
	act, err := scenario(os.Getenv(envScenario))
	if err != nil {
		return err
	}
	upstream, err := upstreamAt(url)
	if err != nil {
		return err
	}
	dir := os.Getenv(envDir)
	trace, err := openTrace(dir)
	if err != nil {
		return err
	}
	defer trace.Close()
	p, err := newPlace(os.Getenv(envWeir), dir, upstream)
	if err != nil {
		return err
	}
	defer p.log.Close()
	// A host of today, whatever the server's revision is.
	h, err := startHost(ctx, p, max(os.Getenv(envVersion), "2025-11-25"), trace)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	return act(h)
}

// scenario returns what to do in a scenario of the suite's.
func scenario(name string) (func(*host) error, error) {
	if strings.HasPrefix(name, authScenario) {
		return useProtected, nil
	}
	act, ok := scenarios[name]
	if !ok {
		return nil, fmt.Errorf("unknown scenario %q", name)
	}
	return act, nil
}

// scenarios are the suite's, but those about authorization, and what to do in
// each.
var scenarios = map[string]func(*host) error{
	"initialize":               list,
	"request-metadata":         list,
	"json-schema-ref-no-deref": list,
	"tools_call":               func(h *host) error { return h.call("add_numbers", `{"a":5,"b":3}`) },
	"sse-retry":                func(h *host) error { return h.call("test_reconnection", `{}`) },
	"elicitation-sep1034-client-defaults": func(h *host) error {
		return h.call("test_client_elicitation_defaults", `{}`)
	},
	"sep-2322-client-request-state": func(h *host) error {
		return errors.Join(
			h.call("test_mrtr_echo_state", `{}`),
			h.call("test_mrtr_unrelated", `{}`),
			h.call("test_mrtr_no_state", `{}`),
			h.call("test_mrtr_no_result_type", `{}`),
		)
	},
	"http-standard-headers":            useAll,
	"http-custom-headers":              callAsTold,
	"http-invalid-tool-headers":        callEach,
	"json-schema-2020-12-preservation": echoSchema,
}

func list(h *host) error {
	_, err := h.request("tools/list", "")
	return err
}

// call calls a tool that must be listed, as an assistant would.
func (h *host) call(name, arguments string) error {
	if _, err := h.tool(name); err != nil {
		return err
	}
	_, err := h.request("tools/call", `"name":`+string(jsonrpc.AppendString(nil, name))+`,"arguments":`+arguments)
	return err
}

// tool returns the definition of a tool. Where it is not in the list, as that of a
// slow server is not in the first, a legacy host lists again when it is told to.
func (h *host) tool(name string) ([]jsonrpc.Member, error) {
	for {
		h.changed = false
		tools, err := h.list("tools/list", "tools")
		if err != nil {
			return nil, err
		}
		for _, tool := range tools {
			if string(jsonrpc.Find(tool, "name")) == string(jsonrpc.AppendString(nil, name)) {
				return tool, nil
			}
		}
		if h.isModern() {
			return nil, fmt.Errorf("tool %q is not listed", name)
		}
		if err := h.awaitChange(); err != nil {
			return nil, fmt.Errorf("tool %q is not listed, and no change: %w", name, err)
		}
	}
}

// list returns the objects of a list of the server's.
func (h *host) list(method, key string) ([][]jsonrpc.Member, error) {
	fields, err := h.request(method, "")
	if err != nil {
		return nil, err
	}
	raw, err := jsonrpc.ParseArray(nil, jsonrpc.Find(fields, key))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	items := make([][]jsonrpc.Member, len(raw))
	for i := range raw {
		if items[i], err = jsonrpc.ParseObject(nil, raw[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", method, err)
		}
	}
	return items, nil
}

// useAll uses each tool, resource and prompt of the server's.
func useAll(h *host) error {
	var errs []error
	for _, feature := range []struct{ list, key, use, by string }{
		{"tools/list", "tools", "tools/call", "name"},
		{"resources/list", "resources", "resources/read", "uri"},
		{"prompts/list", "prompts", "prompts/get", "name"},
	} {
		items, err := h.list(feature.list, feature.key)
		if err == nil && len(items) == 0 {
			err = fmt.Errorf("%s: nothing is listed", feature.list)
		}
		errs = append(errs, err)
		for _, item := range items {
			_, err := h.request(feature.use, `"`+feature.by+`":`+string(jsonrpc.Find(item, feature.by))+`,"arguments":{}`)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// callAsTold makes the calls that the suite gives.
func callAsTold(h *host) error {
	var told struct {
		ToolCalls []struct {
			Name      string
			Arguments json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(os.Getenv(envContext)), &told); err != nil {
		return err
	}
	var errs []error
	for _, call := range told.ToolCalls {
		errs = append(errs, h.call(call.Name, string(call.Arguments)))
	}
	return errors.Join(errs...)
}

// callEach calls all the tools that are listed.
func callEach(h *host) error {
	tools, err := h.list("tools/list", "tools")
	if err != nil {
		return err
	}
	var errs []error
	for _, tool := range tools {
		_, err := h.request("tools/call", `"name":`+string(jsonrpc.Find(tool, "name"))+`,"arguments":{"region":"us-west1"}`)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// echoSchema gives a tool's schema back to the server.
func echoSchema(h *host) error {
	tool, err := h.tool("json_schema_2020_12_tool")
	if err != nil {
		return err
	}
	return h.call("json_schema_echo", `{"schema":`+string(jsonrpc.Find(tool, "inputSchema"))+`}`)
}

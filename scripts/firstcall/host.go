package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A host starts an MCP server and speaks to it, one request at a time.
type host struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
	last  int // id of a request
}

// maxLine is more than a list of tools has.
const maxLine = 16 << 20

// start starts what the assistant's settings say, and shakes hands.
func (b *beginner) start(ctx context.Context) error {
	data, err := os.ReadFile(filepath.Join(b.dir, "home", ".cursor", "mcp.json"))
	if err != nil {
		return err
	}
	var settings struct {
		MCPServers map[string]struct {
			Command string
			Args    []string
		}
	}
	if err := json.Unmarshal(data, &settings); err != nil {
		return err
	}
	entry, ok := settings.MCPServers["weir"]
	if !ok {
		return fmt.Errorf("the settings have no weir: %s", data)
	}
	cmd := exec.CommandContext(ctx, entry.Command, entry.Args...)
	cmd.Env = b.environment()
	h := &host{cmd: cmd}
	if h.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	h.lines = bufio.NewScanner(stdout)
	h.lines.Buffer(nil, maxLine)
	if err := cmd.Start(); err != nil {
		return err
	}
	b.host = h
	var greeted json.RawMessage
	if err := h.request("initialize", `{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"firstcall","version":"1"}}`, &greeted); err != nil {
		return err
	}
	return h.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// firstTool is called with the file that is there.
const firstTool = "files__read_text_file"

func (b *beginner) list(context.Context) error {
	var listed struct{ Tools []struct{ Name string } }
	if err := b.host.request("tools/list", "{}", &listed); err != nil {
		return err
	}
	for _, tool := range listed.Tools {
		if tool.Name == firstTool {
			return nil
		}
	}
	return fmt.Errorf("there is no %s among %d tools", firstTool, len(listed.Tools))
}

func (b *beginner) call(context.Context) error {
	params, err := json.Marshal(map[string]any{
		"name": firstTool, "arguments": map[string]string{"path": filepath.Join(b.dir, "notes", "hello.txt")},
	})
	if err != nil {
		return err
	}
	var result struct {
		Content []struct{ Text string }
		IsError bool
	}
	if err := b.host.request("tools/call", string(params), &result); err != nil {
		return err
	}
	if result.IsError || len(result.Content) != 1 || strings.TrimSpace(result.Content[0].Text) != strings.TrimSpace(greeting) {
		return fmt.Errorf("got %+v, want what is in the file", result)
	}
	return nil
}

// request sends a request and waits for its result; what comes before is passed over.
func (h *host) request(method, params string, result any) error {
	h.last++
	if err := h.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, h.last, method, params)); err != nil {
		return err
	}
	for h.lines.Scan() {
		var message struct {
			ID     int
			Method string
			Result json.RawMessage
			Error  json.RawMessage
		}
		if err := json.Unmarshal(h.lines.Bytes(), &message); err != nil {
			return fmt.Errorf("%s: %w", h.lines.Bytes(), err)
		}
		switch {
		case message.Method != "" || message.ID != h.last:
		case message.Error != nil:
			return fmt.Errorf("%s: %s", method, message.Error)
		default:
			return json.Unmarshal(message.Result, result)
		}
	}
	return errors.Join(fmt.Errorf("%s: the server ended", method), h.lines.Err())
}

func (h *host) send(line string) error {
	_, err := io.WriteString(h.stdin, line+"\n")
	return err
}

// close ends the server as a host does: at the end of its input it ends.
func (h *host) close() {
	_ = h.stdin.Close()
	_ = h.cmd.Wait() // how it ended is not measured
}

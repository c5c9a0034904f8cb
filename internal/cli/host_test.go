package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/internal/demo"
)

// newDemoHost returns a host whose other end is a demo server.
func newDemoHost(t *testing.T) *host {
	serverIn, hostOut := io.Pipe()
	hostIn, serverOut := io.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- demo.New("test", "1").Serve(context.Background(), serverIn, serverOut)
	}()
	h := newHost(hostIn, hostOut)
	t.Cleanup(func() {
		h.close()
		if err := <-served; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	return h
}

func TestHostTalksToAServer(t *testing.T) {
	h := newDemoHost(t)
	greeting, err := h.initialize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if greeting.Name != "test" || greeting.Revision != hostRevision || greeting.Instructions == "" {
		t.Errorf("got %+v, want the greeting of the demo server", greeting)
	}
	tools, err := h.listTools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range tools {
		names = append(names, tool.Name)
	}
	want := []string{"echo", "add", "now", "slow", "fail", "big", "delete_everything"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	reports := 0
	result, err := h.callTool(t.Context(), "slow", []byte(`{"seconds":0,"steps":3}`), func([]byte) { reports++ })
	if err != nil {
		t.Fatal(err)
	}
	if got, want := result.text(), "done after 0 seconds"; got != want || reports != 3 {
		t.Errorf("got %q after %d reports, want %q after 3", got, reports, want)
	}
	if result, err = h.callTool(t.Context(), "fail", []byte(`{}`), nil); err != nil || !result.IsError {
		t.Errorf("got %+v, %v, want an isError result", result, err)
	}
	_, err = h.callTool(t.Context(), "nope", []byte(`{}`), nil)
	if reply, ok := errors.AsType[*replyError](err); !ok || reply.Code != -32602 || reply.Message != "Unknown tool: nope" {
		t.Errorf("got %v, want the error that the server answered", err)
	}
}

// scriptedHost returns a host and its other end: the lines that it sends, and
// where to write what it receives.
func scriptedHost(t *testing.T) (h *host, sent *bufio.Scanner, answers *io.PipeWriter) {
	scriptIn, hostOut := io.Pipe()
	hostIn, scriptOut := io.Pipe()
	h = newHost(hostIn, hostOut)
	t.Cleanup(h.close)
	return h, bufio.NewScanner(scriptIn), scriptOut
}

func TestHostFollowsPages(t *testing.T) {
	h, sent, answers := scriptedHost(t)
	go func() {
		pages := []string{
			`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","title":"The A"}],"nextCursor":""}}`,
			`{"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"b"}]}}`,
		}
		for _, page := range pages {
			sent.Scan()
			_, _ = io.WriteString(answers, page+"\n")
		}
	}()
	tools, err := h.listTools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(tools) != 2 || tools[0].Description != "The A" || tools[1].Name != "b" {
		t.Errorf("got %+v, want a and b", tools)
	}
}

func TestHostCancels(t *testing.T) {
	h, sent, _ := scriptedHost(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	lines := make(chan string, 2)
	go func() {
		for sent.Scan() {
			lines <- sent.Text()
			cancel(errors.New("enough"))
		}
	}()
	if _, err := h.call(ctx, "tools/list", nil); err == nil || err.Error() != "enough" {
		t.Errorf("got %v, want the cause of the end", err)
	}
	<-lines
	want := `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`
	if got := <-lines; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHostRefusesRequests(t *testing.T) {
	h, sent, answers := scriptedHost(t)
	_ = h
	tests := []struct{ send, want string }{
		{`{"jsonrpc":"2.0","id":"s1","method":"ping"}`, `{"jsonrpc":"2.0","id":"s1","result":{}}`},
		{`{"jsonrpc":"2.0","id":2,"method":"roots/list"}`, `{"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"Method not found"}}`},
	}
	for _, tt := range tests {
		if _, err := io.WriteString(answers, tt.send+"\n"); err != nil {
			t.Fatal(err)
		}
		sent.Scan()
		if got := sent.Text(); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestHostFailsWithItsStream(t *testing.T) {
	tests := []struct{ name, send, want string }{
		{"ends", "", "unexpected EOF"},
		{"is no JSON", "stray print\n", "invalid JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, sent, answers := scriptedHost(t)
			go func() {
				sent.Scan()
				_, _ = io.WriteString(answers, tt.send)
				_ = answers.Close()
			}()
			_, err := h.call(t.Context(), "ping", nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			if _, err := h.call(t.Context(), "ping", nil); err == nil {
				t.Error("a call after the end of the stream succeeded")
			}
		})
	}
}

package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

const echoCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"n":1}}}`

func parsed(t *testing.T, line string) *jsonrpc.Message {
	t.Helper()
	var m jsonrpc.Message
	if err := m.Parse([]byte(line)); err != nil {
		t.Fatal(err)
	}
	return &m
}

func TestAnswers(t *testing.T) {
	long := strings.Repeat(" ", jsonrpc.Large)
	tests := []struct{ name, line, want string }{
		{"echo", echoCall, `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"ok"}],"structuredContent":{"n":1}}}`},
		{
			"large echo", strings.Replace(echoCall, `{"n":1}`, `{`+long+`}`, 1),
			`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"ok"}],"structuredContent":{` + long + `}}}`,
		},
		{"list", `{"jsonrpc":"2.0","id":"a","method":"tools/list"}`, `{"jsonrpc":"2.0","id":"a","result":{"tools":[]}}`},
		{"ping", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, `{"jsonrpc":"2.0","id":1,"result":{}}`},
		{"unknown", `{"jsonrpc":"2.0","id":1,"method":"x"}`, `{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}`},
		{
			"initialize", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}`,
			`{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"peer","version":"1"}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			s := &server{out: &out, list: makeList(0)}
			if err := s.answer(parsed(t, tt.line)); err != nil {
				t.Fatal(err)
			}
			if got := out.String(); got != tt.want+"\n" {
				t.Errorf("got %.300s, want %.300s", got, tt.want)
			}
		})
	}
}

func TestHeldCallsAreReleased(t *testing.T) {
	var out bytes.Buffer
	s := &server{out: &out}
	for _, call := range []string{
		strings.Replace(echoCall, "echo", "hold", 1),
		strings.Replace(strings.Replace(echoCall, "echo", "hold", 1), "7", "8", 1),
		echoCall,
		strings.Replace(strings.Replace(echoCall, "echo", "release", 1), "7", "9", 1),
	} {
		if err := s.answer(parsed(t, call)); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for line := range strings.Lines(out.String()) {
		ids = append(ids, string(parsed(t, line).ID))
	}
	if got := strings.Join(ids, " "); got != "7 7 8 9" {
		t.Errorf("answered: got %s, want the echo, both held, the release: 7 7 8 9", got)
	}
}

// TestAnswersTakeNoMemory: what the server spends is in every figure.
func TestAnswersTakeNoMemory(t *testing.T) {
	s := &server{out: io.Discard}
	m := parsed(t, echoCall)
	if got := testing.AllocsPerRun(100, func() { _ = s.answer(m) }); got != 0 {
		t.Errorf("allocations of an echo: got %v, want none", got)
	}
}

package main

import (
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// TestComplaints: what would be wrong is seen.
func TestComplaints(t *testing.T) {
	arguments := []byte(`{"token":"a-1","do":"plain"}`)
	right := `{"structuredContent":` + result(task{token: "a-1", do: plain, arguments: arguments}) + `}`
	const failed = `{"isError":true,"_meta":{"weir/error":{"kind":"connection","server":"s"}}}`
	maybe := strings.Replace(failed, `"kind"`, `"maybeExecuted":true,"kind"`, 1)
	tests := []struct {
		name       string
		do         deed
		executions int
		answer     string // a result; "" for none
		healthy    bool
		cancelled  bool
		void       bool
		want       string // part of the complaint; "" for none
	}{
		{name: "answered", do: plain, executions: 1, answer: right, healthy: true},
		{name: "twice", do: plain, executions: 2, answer: right, want: "more than once"},
		{name: "twice, and cancelled", do: plain, executions: 2, cancelled: true, want: "more than once"},
		{name: "never answered", do: plain, executions: 1, want: "never answered"},
		{name: "cancelled", do: plain, executions: 1, cancelled: true},
		{name: "killed", do: plain, void: true},
		{name: "out of thin air", do: plain, answer: right, want: "not executed"},
		{name: "another's", do: plain, executions: 1, answer: strings.Replace(right, "a-1", "a-2", 1), want: "not the answer"},
		{name: "arguments changed", do: plain, executions: 1, answer: strings.Replace(right, `"do":"plain"`, `"do": "plain"`, 1), want: "not the answer"},
		{name: "no error of the server's", do: refuses, executions: 1, answer: right, want: "not the answer"},
		{name: "failed", do: plain, answer: failed},
		{name: "failed, perhaps executed", do: plain, executions: 1, answer: maybe},
		{name: "failed after all", do: plain, executions: 1, answer: failed, want: "weir says that it was not"},
		{name: "well and failed", do: plain, answer: failed, healthy: true, want: "has failed"},
		{name: "unknown kind", do: plain, answer: strings.Replace(failed, "connection", "gremlins", 1), want: "unknown kind"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := &host{w: &world{ledger: newLedger()}}
			r := &request{task: task{token: "a-1", do: test.do, arguments: arguments}, healthy: test.healthy, cancelled: test.cancelled, void: test.void}
			for range test.executions {
				h.w.ledger.executed("a-1")
			}
			if test.answer != "" {
				r.answer = &jsonrpc.Message{}
				if err := r.answer.Parse([]byte(`{"jsonrpc":"2.0","id":1,"result":` + test.answer + `}`)); err != nil {
					t.Fatal(err)
				}
			}
			got := h.complaint(r)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestTornLists: a list that is of no one time is seen.
func TestTornLists(t *testing.T) {
	for _, version := range []int{0, 1, 6} {
		names := toolsOf(version)
		if got, whole := versionOf(names); got != version || !whole {
			t.Errorf("%q: got version %d, whole %v", names, got, whole)
		}
		for _, torn := range [][]string{names[1:], names[:len(names)-1], append(toolsOf(version), "v9_0_of_2")} {
			if _, whole := versionOf(torn); whole {
				t.Errorf("%q is whole", torn)
			}
		}
	}
}

// TestTake: what a host takes from weir and must not get is seen.
func TestTake(t *testing.T) {
	tests := []struct{ name, lines, want string }{
		{"no message", `hello`, "stdout carries"},
		{"an answer to nothing", `{"jsonrpc":"2.0","id":9,"result":{}}`, "an answer to nothing"},
		{"two answers", `{"jsonrpc":"2.0","id":1,"result":{}}` + "\n" + `{"jsonrpc":"2.0","id":1,"result":{}}`, "answered twice"},
		{"progress of nothing", `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"q","progress":1}}`, "progress of nothing"},
		{
			"progress behind the answer",
			`{"jsonrpc":"2.0","id":1,"result":{}}` + "\n" + `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}`,
			"behind the answer",
		},
		{
			"progress that goes back",
			strings.Repeat(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}`+"\n", 2), "is followed by",
		},
		{"one answer", `{"jsonrpc":"2.0","id":1,"result":{}}`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := &request{id: "1", method: "tools/call", progress: -1}
			h := &host{
				w: &world{journal: &journal{}, ledger: newLedger()}, changed: make(chan struct{}),
				requests: map[string]*request{"1": r}, tokens: map[string]*request{`"p"`: r},
			}
			for line := range strings.Lines(test.lines) {
				h.take([]byte(strings.TrimSpace(line)))
			}
			got := strings.Join(h.w.journal.violations(), "; ")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

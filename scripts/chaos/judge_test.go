package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// TestNews: news that a host must not get, or not so, are seen.
func TestNews(t *testing.T) {
	const (
		ack    = `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7},"notifications":{"resourceSubscriptions":["news://s/a"]}}}`
		first  = `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"news://s/a","_meta":{"chaos/version":1,"io.modelcontextprotocol/subscriptionId":7}}}`
		second = `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"news://s/a","_meta":{"chaos/version":2,"io.modelcontextprotocol/subscriptionId":7}}}`
		end    = `{"jsonrpc":"2.0","id":7,"result":{}}`
	)
	own := strings.Replace(first, `"chaos/version":1,`, "", 1)
	ofLegacy := strings.Replace(first, `,"_meta":{"chaos/version":1,"io.modelcontextprotocol/subscriptionId":7}`, "", 1)
	tests := []struct {
		name, want string
		lines      []string
		legacy     bool
	}{
		{name: "in order", lines: []string{ack, first, second}},
		{name: "weir's own word", lines: []string{ack, first, own, second}},
		{name: "weir's own word to a legacy host", lines: []string{ofLegacy}, legacy: true, want: "nothing was missed"},
		{name: "one lost", lines: []string{ack, second}, want: "version 2 of news://s/a is heard after 0"},
		{name: "one twice", lines: []string{ack, first, first}, want: "version 1 of news://s/a is heard after 1"},
		{name: "too early", lines: []string{first}, want: "before its acknowledgement"},
		{name: "acknowledged twice", lines: []string{ack, ack}, want: "nobody waits for"},
		{name: "of another stream", lines: []string{ack, strings.ReplaceAll(first, "Id\":7", "Id\":8")}, want: "nobody has subscribed to"},
		{name: "of a stream of the other era", lines: []string{ack, strings.ReplaceAll(first, `,"io.modelcontextprotocol/subscriptionId":7`, "")}, want: "nobody has subscribed to"},
		{name: "of another resource", lines: []string{ack, strings.ReplaceAll(first, "s/a", "s/b")}, want: "what nobody follows"},
		{name: "of a list that was not asked for", lines: []string{ack, strings.ReplaceAll(first, "resources/updated", "tools/list_changed")}, want: "nobody has asked for"},
		{name: "changed on the way", lines: []string{ack, strings.ReplaceAll(first, "chaos/version", "version")}, want: "not as they were told"},
		{name: "ended by weir", lines: []string{ack, end}, want: "that the host has not ended"},
		{name: "behind the end", lines: []string{ack, end, first}, want: "on a stream that is closed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sub := &subscription{id: "7", topics: map[string]*topic{"news://s/a": {server: &server{name: "s", news: newNews()}, uri: "news://s/a", exact: true}}}
			r := &request{id: "7", method: "subscriptions/listen", opens: sub}
			h := &host{
				w: &world{journal: &journal{}, ledger: newLedger()}, changed: make(chan struct{}), version: "2026-07-28",
				requests: map[string]*request{"7": r}, subscriptions: map[string]*subscription{"7": sub},
			}
			if test.legacy {
				sub.id, sub.acked, h.version = "", true, "2025-11-25"
				h.subscriptions = map[string]*subscription{"": sub}
			}
			for _, line := range test.lines {
				h.take([]byte(line))
			}
			got := strings.Join(h.w.journal.violations(), "; ")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestSecretsAreSeen: what a host takes with a secret in it is seen.
func TestSecretsAreSeen(t *testing.T) {
	h := &host{w: &world{journal: &journal{}}}
	h.take([]byte(`{"jsonrpc":"2.0","method":"notifications/unheard","params":{"of":"` + secretMark + `-1"}}`))
	if got := h.w.journal.violations(); len(got) != 1 || !strings.Contains(got[0], "a secret is told") {
		t.Errorf("got %q", got)
	}
}

// TestTokens: a server that wants tokens admits those that it has given, until they
// expire, or are revoked after their first use.
func TestTokens(t *testing.T) {
	tokens := &tokens{good: map[string]*tokenLife{}}
	short, life := tokens.next()
	long, longer := tokens.next()
	if life != shortLife || longer <= life {
		t.Errorf("they live for %v and %v", life, longer)
	}
	tokens.revoke() // before their first use
	if !tokens.admit(short) || !tokens.admit(long) || tokens.admit("") || tokens.admit("another") {
		t.Error("not those that were given are admitted")
	}
	tokens.good[short].until = time.Now().Add(-time.Second)
	if tokens.admit(short) {
		t.Error("one that has expired is admitted")
	}
	if tokens.revoke(); tokens.admit(long) {
		t.Error("one that was revoked is admitted")
	}
	tokens.withhold(true)
	if token, _ := tokens.next(); token != "" {
		t.Errorf("%q is given", token)
	}
}

// TestRacesAreSeen: what the race detector has written is seen.
func TestRacesAreSeen(t *testing.T) {
	for name, want := range map[string]int{"other.7": 0, raceFiles + ".7": 1} {
		w := &world{journal: &journal{}, dir: t.TempDir()}
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte("WARNING: DATA RACE"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.seeRaces(); err != nil {
			t.Fatal(err)
		}
		if got := w.journal.violations(); len(got) != want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// TestFigures: a weir that takes more than at its start is seen.
func TestFigures(t *testing.T) {
	start := figures{files: 20, threads: 10, offspring: 3, goroutines: 50, memory: 20 << 20}
	for name, change := range map[string]func(*figures){
		"files":      func(f *figures) { f.files += moreFiles + 1 },
		"threads":    func(f *figures) { f.threads += moreThreads + 1 },
		"offspring":  func(f *figures) { f.offspring++ },
		"goroutines": func(f *figures) { f.goroutines += 3*moreGoroutines + 1 },
		"memory":     func(f *figures) { f.memory += moreMemory + 1 },
	} {
		now := start
		if !now.within(&start, 3) {
			t.Errorf("%+v is more than itself", now)
		}
		if change(&now); now.within(&start, 3) {
			t.Errorf("more %s are not seen", name)
		}
	}
}

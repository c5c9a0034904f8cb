package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestManyWeirsBegin: twenty processes start at once where nothing is stored yet.
// Each has whole lists, nothing is left half written, and the next one needs
// nobody to have them too.
func TestManyWeirsBegin(t *testing.T) {
	t.Parallel()
	const weirs = 20
	var f fleet
	for i := range 3 {
		var script upstreamtest.Script
		for n := range 40 {
			script.Tools = append(script.Tools, upstreamtest.Tool(fmt.Sprintf("tool%d", n)))
		}
		f.add(t, fmt.Sprintf("s%d", i), "", script)
	}
	u := newUser(t, f.config())
	all := make([]*session, weirs)
	for i := range all {
		h, err := startHost(u.command("serve"))
		if err != nil {
			t.Fatal(err)
		}
		all[i] = &session{host: h, version: upstreamtest.Legacy}
	}
	lists := make([]string, weirs)
	var hosts sync.WaitGroup
	for i, s := range all {
		hosts.Go(func() {
			lists[i] = s.wholeList(120)
			if err := s.close(); err != nil {
				t.Error(err)
			}
			if log := s.said(); strings.Contains(log, `"level":"warn"`) || strings.Contains(log, `"level":"error"`) {
				t.Errorf("weir %d: %s", i, log)
			}
		})
	}
	hosts.Wait()
	for i, got := range lists {
		if n := strings.Count(got, `{"name":"s`); n != 120 || got != lists[0] {
			t.Errorf("weir %d got %d tools, want 120, the same as all: %.300s", i, n, got)
		}
	}
	var names []string
	err := filepath.WalkDir(filepath.Join(u.cache, "weir"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, filepath.Base(path))
		}
		return err
	})
	if err != nil || len(names) != 5 || strings.HasPrefix(names[0], ".") {
		t.Errorf("got files %q, %v, want three lists, a key and a lock", names, err)
	}
	asked := len(f.servers[0].Received("tools/list"))
	s := u.serve(t, upstreamtest.Legacy)
	if got := len(s.tools(t)); got != 120 || len(f.servers[0].Received("tools/list")) != asked {
		t.Errorf("got %d tools after %d questions more, want 120 and none", got, len(f.servers[0].Received("tools/list"))-asked)
	}
}

// wholeList is a host that asks for the list of tools until so many are in it. It
// is for goroutines: what goes wrong is in the text.
func (s *session) wholeList(tools int) string {
	for _, line := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"host","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
	} {
		if err := s.send(line); err != nil {
			return err.Error()
		}
	}
	for {
		if err := s.send(`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`); err != nil {
			return err.Error()
		}
		answer, err := s.answer("2")
		if err == nil && strings.Count(string(answer), `{"name":"s`) < tools {
			_, err = s.notification("notifications/tools/list_changed")
		} else if err == nil {
			return string(answer)
		}
		if err != nil {
			return err.Error()
		}
	}
}

// said is what the server has written to stderr.
func (w *wire) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stderr.String()
}

// TestServerIsGone: what was listed before stays listed, a call says what is wrong
// and what to do, others go on, and all ways to look at servers agree. When it is
// back it is noticed without a new start of weir.
func TestServerIsGone(t *testing.T) {
	t.Parallel()
	var f fleet
	f.add(t, "good", "", upstreamtest.Script{Tools: []json.RawMessage{upstreamtest.Tool("ok")}})
	u := newUser(t, "")
	script := upstreamtest.Script{Tools: []json.RawMessage{upstreamtest.Tool("one"), upstreamtest.Tool("two")}}
	file := filepath.Join(u.home, "gone.json")
	if err := script.Save(file); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(u.home, "program")
	install := func() {
		text := fmt.Sprintf("#!/bin/sh\nexec fake %q\n", file)
		if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	install()
	f.lines = append(f.lines, fmt.Sprintf("  gone: {command: %q}", program))
	u.configure(t, strings.Replace(f.config(), "execute}", "execute, rules: [{server: weir, tool: servers, level: execute}]}", 1))
	const listed = "good__ok gone__one gone__two"
	u.wants(t, []string{"gone__one", "gone__two"}, "tools")
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}

	s := u.serve(t, upstreamtest.Legacy)
	if got := namesIn(t, s); !strings.HasPrefix(got, listed) {
		t.Errorf("got %s, want %s", got, listed)
	}
	answer := string(s.call(t, "gone__one", "{}").Raw)
	for _, want := range []string{`"isError":true`, `"kind":"connection"`, `"server":"gone"`, `Server \"gone\"`} {
		if !strings.Contains(answer, want) {
			t.Errorf("got %s, want %s", answer, want)
		}
	}
	if strings.Contains(answer, u.home) || strings.Contains(answer, "maybeExecuted") {
		t.Errorf("got %s, want no path, and no doubt that nothing was executed", answer)
	}
	if got := string(s.call(t, "good__ok", "{}").Raw); !strings.Contains(got, `"text":"ok"`) {
		t.Errorf("calling the other one: got %s", got)
	}
	told := string(s.call(t, "weir__servers", "{}").Raw)
	if !strings.Contains(told, "gone: ") || !strings.Contains(told, "2 tools") || !strings.Contains(told, "ago") {
		t.Errorf("got %s, want it to say what has become of it, and how old its list is", told)
	}
	said, code := u.run(t, "servers")
	if code != 3 || !strings.Contains(said, "gone:") {
		t.Errorf("weir servers: got code %d, %s", code, said)
	}

	install()
	until(t, "it is back", func() bool {
		return strings.Contains(string(s.call(t, "gone__one", "{}").Raw), `"text":"one"`)
	})
}

// TestEmptyListIsTrue: a server that lists nothing after it has listed something is
// believed; one that fails to list is not.
func TestEmptyListIsTrue(t *testing.T) {
	t.Parallel()
	var f fleet
	tools := []json.RawMessage{upstreamtest.Tool("ok")}
	emptied := f.add(t, "emptied", "", upstreamtest.Script{Tools: tools})
	f.add(t, "failing", "", upstreamtest.Script{Tools: tools, Rules: []upstreamtest.Rule{
		{On: "tools/list", Nth: 1, Do: []upstreamtest.Step{{Default: true}}},
		{On: "tools/list", Do: []upstreamtest.Step{{Error: json.RawMessage(`{"code":-32000,"message":"no"}`)}}},
	}})
	u := newUser(t, f.config())
	s := u.serve(t, upstreamtest.Legacy)
	if got := namesIn(t, s); got != "emptied__ok failing__ok" {
		t.Errorf("got %s", got)
	}
	emptied.SetTools()
	f.servers[1].SetTools(upstreamtest.Tool("other"))
	if err := f.servers[1].Await(t.Context(), "tools/list", 2); err != nil {
		t.Fatal(err)
	}
	until(t, "the empty list has come", func() bool { return namesIn(t, s) == "failing__ok" })
	until(t, "it is so at the next start too", func() bool {
		return namesIn(t, u.serve(t, upstreamtest.Legacy)) == "failing__ok"
	})
}

//go:build unix

package prelude

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The lines of a host, and what it is told.
const (
	hello   = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}`
	ready   = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	askList = `{"method":"tools/list","jsonrpc":"2.0","id":2}`
	changed = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}` + "\n"
)

var (
	welcome = `{"jsonrpc":"2.0","id":1,"result":{"serverInfo":{}}}` + "\n"
	list    = `{"jsonrpc":"2.0","id":2,"result":{"tools":["` + strings.Repeat("x", 300<<10) + `"]}}` + "\n"
)

// A home is where a weir is started.
type home struct {
	Process

	variables map[string]string
	config    string // a file that was read
	lists     string // a file that is replaced
}

func newHome(t *testing.T) *home {
	t.Helper()
	dir := t.TempDir()
	h := &home{config: filepath.Join(dir, "mcp.yaml"), variables: map[string]string{"HOME": dir, "TOKEN": "secret"}}
	h.Process = Process{
		Folder: filepath.Join(dir, "weir"), Program: filepath.Join(dir, "program"), Args: []string{"serve", "--x"},
		Lookup: func(name string) (string, bool) { value, ok := h.variables[name]; return value, ok },
	}
	h.lists = filepath.Join(h.Folder, "a.lists4")
	if err := os.Mkdir(h.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(h.Folder, keyName), strings.Repeat("k", keySize))
	put(t, h.Program, "#!")
	put(t, h.config, "servers: {}")
	put(t, h.lists, "lists")
	return h
}

// put replaces a file.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func (h *home) start(t *testing.T) *Start {
	t.Helper()
	s, err := NewStart(h.Process)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// record makes the record of a host that asks for its list.
func (h *home) record(t *testing.T, s *Start) *Record {
	t.Helper()
	r := &Record{Made: time.Now(), Answers: []Answer{
		{Line: []byte(hello), ID: spanIn(hello, "1"), Reply: []byte(welcome), ReplyID: spanIn(welcome, "1")},
		{Line: []byte(ready)},
		{Line: []byte(askList), ID: spanIn(askList, "2"), Reply: []byte(list), ReplyID: spanIn(list, "2"), Notice: []byte(changed)},
	}}
	data, err := os.ReadFile(h.config)
	if err := s.Read(&r.Inputs, h.config, 1<<20, data, err); err != nil {
		t.Fatal(err)
	}
	missing := h.config + ".not"
	_, err = os.ReadFile(missing)
	if err := s.Read(&r.Inputs, missing, 1<<20, nil, err); err != nil {
		t.Fatal(err)
	}
	s.LookedUp(&r.Inputs, "TOKEN")
	s.LookedUp(&r.Inputs, "UNSET")
	for _, path := range []string{h.lists, h.lists + ".not", filepath.Join(filepath.Dir(h.Folder), "program")} {
		if err := r.Inputs.Replaced(path); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// spanIn is where the id n stands in a line.
func spanIn(line, n string) Span {
	return Span{At: strings.Index(line, `"id":`+n) + len(`"id":`), Len: len(n)}
}

// keep puts a record on the disk and returns where it lies.
func (h *home) keep(t *testing.T) (path string) {
	t.Helper()
	s := h.start(t)
	data, err := h.record(t, s).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.records(), 0o700); err != nil {
		t.Fatal(err)
	}
	path = s.Path([]byte(hello))
	put(t, path, string(data))
	return path
}

// A stage is the streams between a host and a process.
type stage struct {
	Streams

	host *os.File // what the process writes
	told chan string
}

// newStage returns streams on which the host has written lines already.
func newStage(t *testing.T, lines ...string) *stage {
	t.Helper()
	s := &stage{told: make(chan string, 1)}
	in, toIn, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromOut, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := toIn.WriteString(strings.Join(lines, "")); err != nil {
		t.Fatal(err)
	}
	s.Streams = Streams{In: int(in.Fd()), Out: int(out.Fd()), Err: -1}
	s.host = fromOut
	t.Cleanup(func() {
		for _, f := range []*os.File{in, toIn, fromOut, out} {
			_ = f.Close()
		}
	})
	return s
}

// listen reads n bytes of what the process writes.
func (s *stage) listen(n int) {
	go func() {
		b := make([]byte, n)
		m := 0
		for m < n {
			k, err := s.host.Read(b[m:])
			if m += k; err != nil {
				break
			}
		}
		s.told <- string(b[:m])
	}()
}

func TestPlay(t *testing.T) {
	h := newHome(t)
	h.keep(t)
	stage := newStage(t, hello+"\n", ready+"\n", askList+"\n")
	stage.listen(len(welcome + list))
	p := Play(h.Process, stage.Streams)
	if p == nil {
		t.Fatal("nothing was played")
	}
	var after bytes.Buffer
	out := p.Output(&after)
	if len(p.rest) > 0 { // the reader may be slow
		fmt.Fprint(out, "")
	}
	if got := <-stage.told; got != welcome+list {
		t.Errorf("told %d bytes, want %d: %.100s", len(got), len(welcome+list), got)
	}
	if p.Answered() != 2 {
		t.Errorf("answered %d requests, want 2", p.Answered())
	}
	for _, fd := range []int{stage.In, stage.Out} {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("a descriptor was left in another mode: %x, %v", flags, err)
		}
	}
	fmt.Fprint(out, welcome+list+"more\n")
	if got := after.String(); got != "more\n" {
		t.Errorf("the session's answers: got %.100q, want only what is new", got)
	}
	in := p.Input(strings.NewReader("behind\n"))
	all := make([]byte, 1<<10)
	n := 0
	for {
		m, err := in.Read(all[n:])
		if n += m; err != nil {
			break
		}
	}
	if got, want := string(all[:n]), hello+"\n"+ready+"\n"+askList+"\nbehind\n"; got != want {
		t.Errorf("the session reads %q, want %q", got, want)
	}
	if heard := in.Heard(); len(heard) != 4 || string(heard[2]) != askList {
		t.Errorf("heard %q", heard)
	}
}

func TestPlayTakesIDsAsTheyCome(t *testing.T) {
	h := newHome(t)
	h.keep(t)
	for id, want := range map[string]bool{
		`7`: true, `"a-7"`: true, `0`: true, `123456789012345`: true,
		`1`: false, `-1`: false, `1.5`: false, `07`: false, `null`: false, `1234567890123456`: false, `"a\u0041"`: false, `"é"`: false,
		`7,"id":8`: false, `"a","id":"b"`: false, ` 7`: false, ``: false, `"` + strings.Repeat("x", maxID) + `"`: false,
	} {
		line := strings.Replace(askList, `"id":2`, `"id":`+id, 1)
		stage := newStage(t, hello+"\n", line+"\n")
		answer := strings.Replace(list, `"id":2`, `"id":`+id, 1)
		if want {
			stage.listen(len(welcome + answer))
		}
		p := Play(h.Process, stage.Streams)
		if got := p.Answered() == 2; got != want {
			t.Errorf("id %s: answered %t, want %t", id, got, want)
			continue
		}
		if !want {
			continue
		}
		if len(p.rest) > 0 {
			continue // told in part; TestPlayLeavesTheRest sees to that
		}
		if got := <-stage.told; got != welcome+answer {
			t.Errorf("id %s: told %.100q", id, got)
		}
	}
}

// What the host does not take at once the session brings out first. Many hosts use
// sockets for pipes.
func TestPlayLeavesTheRest(t *testing.T) {
	h := newHome(t)
	h.keep(t)
	stage := newStage(t, hello+"\n", askList+"\n")
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	far := os.NewFile(uintptr(ends[1]), "host")
	defer far.Close()
	stage.Out = ends[0]
	if err := unix.SetsockoptInt(stage.Out, unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10); err != nil {
		t.Fatal(err)
	}
	p := Play(h.Process, stage.Streams)
	if p.Answered() != 2 || len(p.rest) == 0 {
		t.Fatalf("answered %d, left %d bytes, want a rest of both", p.Answered(), len(p.rest))
	}
	near := os.NewFile(uintptr(ends[0]), "session")
	go func() {
		fmt.Fprint(p.Output(near), welcome+list)
		_ = near.Close()
	}()
	got, err := io.ReadAll(far)
	if err != nil || string(got) != welcome+list {
		t.Errorf("the host got %d bytes, %v, want %d", len(got), err, len(welcome+list))
	}
}

func TestNothingIsPlayedForOthers(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, h *home, s *stage, record string){
		"more arguments":             func(_ *testing.T, h *home, _ *stage, _ string) { h.Args = []string{"serve", "--x", "y"} },
		"another argument":           func(_ *testing.T, h *home, _ *stage, _ string) { h.Args = []string{"serve", "--y"} },
		"arguments elsewhere parted": func(_ *testing.T, h *home, _ *stage, _ string) { h.Args = []string{"serv", "e--x"} },
		"another program": func(t *testing.T, h *home, _ *stage, _ string) {
			put(t, h.Program, "#?")
		},
		"program at another path": func(t *testing.T, h *home, _ *stage, _ string) {
			if err := os.Rename(h.Program, h.Program+"2"); err != nil {
				t.Fatal(err)
			}
			h.Program += "2"
		},
		"another key of the user": func(t *testing.T, h *home, _ *stage, _ string) {
			put(t, filepath.Join(h.Folder, keyName), strings.Repeat("j", keySize))
		},
		"a key of another size": func(t *testing.T, h *home, _ *stage, _ string) { put(t, filepath.Join(h.Folder, keyName), "k") },
		"a weir above":          func(_ *testing.T, h *home, _ *stage, _ string) { h.variables[chain] = "abc" },
		"a profile":             func(_ *testing.T, h *home, _ *stage, _ string) { h.variables["WEIR_PROFILE"] = "x" },
		"an empty profile":      func(_ *testing.T, h *home, _ *stage, _ string) { h.variables["WEIR_PROFILE"] = "" },
		"a key":                 func(_ *testing.T, h *home, _ *stage, _ string) { h.variables["WEIR_KEY"] = "x" },
		"another configuration": func(_ *testing.T, h *home, _ *stage, _ string) { h.variables["WEIR_CONFIG"] = "/x" },
		"another home":          func(_ *testing.T, h *home, _ *stage, _ string) { h.variables["HOME"] = "/x" },
		"another place for state": func(_ *testing.T, h *home, _ *stage, _ string) {
			h.variables["XDG_STATE_HOME"] = "/x"
		},
		"input that is a file": func(t *testing.T, h *home, s *stage, _ string) {
			f, err := os.Open(h.config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			s.In = int(f.Fd())
		},
		"stderr that is stdout": func(_ *testing.T, _ *home, s *stage, _ string) { s.Err = s.Out },
		"no records":            func(t *testing.T, _ *home, _ *stage, record string) { remove(t, filepath.Dir(record)) },
		"records that others may look into": func(t *testing.T, _ *home, _ *stage, record string) {
			chmod(t, filepath.Dir(record), 0o755)
		},
		"a folder that others may write into": func(t *testing.T, h *home, _ *stage, _ string) { chmod(t, h.Folder, 0o777) },
		"a key that others may read":          func(t *testing.T, h *home, _ *stage, _ string) { chmod(t, filepath.Join(h.Folder, keyName), 0o644) },
		"records of another user": func(t *testing.T, _ *home, _ *stage, record string) {
			if err := os.Chown(filepath.Dir(record), 1, -1); err != nil {
				t.Skip(err)
			}
		},
		"records behind a link": func(t *testing.T, _ *home, _ *stage, record string) {
			dir := filepath.Dir(record)
			if err := os.Rename(dir, dir+"2"); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(dir+"2", dir); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			record := h.keep(t)
			stage := newStage(t, hello+"\n")
			change(t, h, stage, record)
			if p := Play(h.Process, stage.Streams); p != nil {
				t.Errorf("input was taken: %q", p.heard)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// Each thing that a record depends on makes it unused, and what the host wrote is
// there for the session.
func TestRecordsAreOfThisMoment(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, h *home, record string){
		"a byte of the configuration": func(t *testing.T, h *home, _ string) { put(t, h.config, "servers: { }") },
		"a byte in place": func(t *testing.T, h *home, _ string) {
			if err := os.WriteFile(h.config, []byte("servers: []"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"no configuration":          func(t *testing.T, h *home, _ string) { remove(t, h.config) },
		"a configuration too large": func(t *testing.T, h *home, _ string) { put(t, h.config, strings.Repeat("#", 1<<20+1)) },
		"a pipe for a configuration": func(t *testing.T, h *home, _ string) {
			remove(t, h.config)
			if err := unix.Mkfifo(h.config, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"a file that was not there": func(t *testing.T, h *home, _ string) { put(t, h.config+".not", "") },
		"another value":             func(_ *testing.T, h *home, _ string) { h.variables["TOKEN"] = "other" },
		"no value":                  func(_ *testing.T, h *home, _ string) { delete(h.variables, "TOKEN") },
		"a value that was not there": func(_ *testing.T, h *home, _ string) {
			h.variables["UNSET"] = ""
		},
		"lists put anew":      func(t *testing.T, h *home, _ string) { put(t, h.lists, "lists") },
		"lists that came":     func(t *testing.T, h *home, _ string) { put(t, h.lists+".not", "lists") },
		"lists that are gone": func(t *testing.T, h *home, _ string) { remove(t, h.lists) },
		"lists touched": func(t *testing.T, h *home, _ string) {
			if err := os.Chtimes(h.lists, time.Time{}, time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
		},
		"a record of a time to come": func(t *testing.T, h *home, record string) {
			s := h.start(t)
			r := h.record(t, s)
			r.Made = time.Now().Add(time.Hour)
			rewrite(t, r, record)
		},
		"another working folder": func(t *testing.T, h *home, record string) {
			s := h.start(t)
			r := h.record(t, s)
			r.Inputs.Folder = "/elsewhere"
			rewrite(t, r, record)
		},
		"a record that others may read": func(t *testing.T, _ *home, record string) { chmod(t, record, 0o640) },
		"a record of another user": func(t *testing.T, _ *home, record string) {
			if err := os.Chown(record, 1, -1); err != nil {
				t.Skip(err)
			}
		},
		"a pipe for a record": func(t *testing.T, _ *home, record string) {
			remove(t, record)
			if err := unix.Mkfifo(record, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"no record": func(t *testing.T, _ *home, record string) { remove(t, record) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			record := h.keep(t)
			change(t, h, record)
			wantUnanswered(t, h)
		})
	}
	t.Run("nothing", func(t *testing.T) {
		h := newHome(t)
		h.keep(t)
		stage := newStage(t, hello+"\n")
		if p := Play(h.Process, stage.Streams); p.Answered() != 1 {
			t.Error("nothing has changed, and nothing was answered")
		}
	})
}

func rewrite(t *testing.T, r *Record, path string) {
	t.Helper()
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, string(data))
}

func wantUnanswered(t *testing.T, h *home) {
	t.Helper()
	stage := newStage(t, hello+"\n")
	p := Play(h.Process, stage.Streams)
	if p == nil || string(p.heard) != hello+"\n" {
		t.Fatalf("got %v, want what the host wrote", p)
	}
	if p.Answered() != 0 || len(p.rest) > 0 {
		t.Errorf("%d requests were answered", p.Answered())
	}
}

// A host of which anything is another than the one before is not answered.
func TestAnotherHostHasNoRecord(t *testing.T) {
	h := newHome(t)
	h.keep(t)
	for _, first := range []string{
		strings.Replace(hello, "{}", `{"capabilities":{}}`, 1), strings.Replace(hello, `"id":1`, `"id":2`, 1),
		hello + " ", hello + "\r", " " + hello, ready, askList, "", "[" + hello + "]",
	} {
		stage := newStage(t, first+"\n")
		if p := Play(h.Process, stage.Streams); p.Answered() != 0 || string(p.heard) != first+"\n" {
			t.Errorf("%q: answered %d", first, p.Answered())
		}
	}
}

// The first line that the record does not know ends the prelude, and is the
// session's with all behind it.
func TestPlayEndsWithWhatItDoesNotKnow(t *testing.T) {
	h := newHome(t)
	h.keep(t)
	call := `{"jsonrpc":"2.0","id":3,"method":"tools/call"}`
	for _, line := range []string{call, hello, `{"half":`, ""} {
		stage := newStage(t, hello+"\n", line+"\n", askList+"\n")
		p := Play(h.Process, stage.Streams)
		if p.Answered() != 1 || string(p.heard) != hello+"\n"+line+"\n"+askList+"\n" {
			t.Errorf("%q: answered %d, heard %q", line, p.Answered(), p.heard)
		}
	}
}

// No byte of a record can be another one without its being noticed.
func TestDamagedRecords(t *testing.T) {
	h := newHome(t)
	path := h.keep(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	body := len(whole) - len(list) // its end is a body
	for at := range body {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x20
		put(t, path, string(damaged))
		wantUnanswered(t, h)
		put(t, path, string(whole[:at]))
		wantUnanswered(t, h)
	}
	put(t, path, string(whole)+"x")
	wantUnanswered(t, h)
	for _, at := range []int{len(whole) - 1, len(whole) - len(list)/2} {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x20
		put(t, path, string(damaged))
		stage := newStage(t, hello+"\n", askList+"\n")
		if p := Play(h.Process, stage.Streams); p.Answered() != 1 || len(p.rest) > 0 {
			t.Errorf("with a damaged list: answered %d, want initialize alone", p.Answered())
		}
	}
}

func TestLifetimes(t *testing.T) {
	reply := `{"jsonrpc":"2.0","id":2,"result":{"ttlMs":0,"tools":[]}}` + "\n"
	ttl := Span{At: strings.Index(reply, `"ttlMs":`) + len(`"ttlMs":`), Len: 1}
	for name, test := range map[string]struct {
		until time.Duration
		most  time.Duration
		least int64
		limit int64
	}{
		"is over":       {-time.Second, time.Hour, 0, 0},
		"goes on":       {time.Minute, time.Hour, 1, 60_000},
		"has its limit": {time.Hour, time.Minute, 60_000, 60_000},
		"has none":      {time.Hour, 1<<63 - 1, 1, 3_600_000},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			s := h.start(t)
			path := h.keep(t)
			r := h.record(t, s)
			r.Answers[2].Reply = []byte(reply)
			r.Answers[2].ReplyID = spanIn(reply, "2")
			r.Answers[2].Lifetime = Lifetime{ttl, time.Now().Add(test.until), test.most}
			rewrite(t, r, path)
			stage := newStage(t, hello+"\n", askList+"\n")
			if p := Play(h.Process, stage.Streams); p.Answered() != 2 {
				t.Fatalf("answered %d", p.Answered())
			}
			told := make([]byte, 1<<10)
			n, err := stage.host.Read(told)
			if err != nil {
				t.Fatal(err)
			}
			var got int64
			text := strings.TrimPrefix(string(told[:n]), welcome)
			if _, err := fmt.Sscanf(text, `{"jsonrpc":"2.0","id":2,"result":{"ttlMs":%d,"tools":[]}}`, &got); err != nil {
				t.Fatalf("%v: %q", err, text)
			}
			if got < test.least || got > test.limit {
				t.Errorf("got %d, want %d to %d", got, test.least, test.limit)
			}
		})
	}
}

// A weir that another one started may have to serve nothing, which hangs on links
// that no record knows.
func TestNoStartBehindAnotherWeir(t *testing.T) {
	h := newHome(t)
	h.variables[chain] = "abc"
	if _, err := NewStart(h.Process); err == nil {
		t.Error("it has records")
	}
}

// Files that were replaced just now could be replaced once more without another
// stamp.
func TestInputsSettle(t *testing.T) {
	h := newHome(t)
	r := h.record(t, h.start(t))
	if r.Inputs.Settled(time.Now()) {
		t.Error("what was written just now has settled, want not")
	}
	if !r.Inputs.Settled(time.Now().Add(settled + time.Second)) {
		t.Error("what was written long ago has not settled")
	}
}

// A record tells nothing of what it was made of to who finds it.
func TestRecordsHoldNoSecrets(t *testing.T) {
	h := newHome(t)
	h.variables["WEIR_KEY"] = "the-key-of-this-host"
	h.Args = append(h.Args, "--key", "another-key")
	put(t, h.config, "servers: {a: {env: {T: written-out}}}")
	path := h.keep(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"secret", "the-key-of-this-host", "another-key", "written-out"} {
		if bytes.Contains(data, []byte(secret)) || strings.Contains(path, secret) {
			t.Errorf("the record holds %q", secret)
		}
	}
}

func FuzzScript(f *testing.F) {
	s := &Start{key: []byte("k"), lookup: func(string) (string, bool) { return "", false }}
	r := &Record{Made: time.Unix(1, 0), Answers: []Answer{
		{Line: []byte(hello), ID: spanIn(hello, "1"), Reply: []byte(welcome), ReplyID: spanIn(welcome, "1")},
		{Line: []byte(ready)},
	}}
	s.LookedUp(&r.Inputs, "A")
	_ = s.Read(&r.Inputs, "/a", 1, []byte("x"), nil)
	_ = r.Inputs.Replaced("/nothing/here")
	data, err := r.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[firstLine:], []byte(hello))
	f.Fuzz(func(t *testing.T, head, line []byte) {
		script, err := decode(head, sumOf(head), int64(firstLine+len(head)))
		if err != nil {
			return
		}
		for i := range script.cues {
			c := &script.cues[i]
			if id, ok := c.matches(line); ok && id.end() > len(line) {
				t.Errorf("an id ends at %d of %d bytes", id.end(), len(line))
			}
		}
	})
}

package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func numbered(i int) *Record {
	return &Record{Time: noon, Kind: KindTool, Outcome: OK, Name: fmt.Sprint(i)}
}

// entries reads all that stands at path.
func entries(t testing.TB, path string) (all []Entry, skipped int) {
	t.Helper()
	r := NewReader(path)
	defer r.Close()
	for {
		e, err := r.Next()
		if err != nil {
			return all, r.Skipped
		}
		all = append(all, e)
	}
}

// names is what was recorded, in its order; a loss is "lost N".
func names(all []Entry) (names []string) {
	for _, e := range all {
		if e.Lost > 0 {
			e.Name = fmt.Sprintf("lost %d", e.Lost)
		}
		names = append(names, e.Name)
	}
	return names
}

func TestLogWritesWhatItTakes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "audit.jsonl")
	l := Open(Config{Path: path, OwnFolder: true, Report: func(err error) { t.Error(err) }})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 5000 {
				l.Write(numbered(w*5000 + i))
			}
		})
	}
	writers.Wait()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	all, skipped := entries(t, path)
	seen := map[string]bool{}
	for _, e := range all {
		seen[e.Name] = true
	}
	if len(all) != 20000 || len(seen) != 20000 || skipped != 0 {
		t.Errorf("got %d lines of %d records, %d skipped, want 20000 and 0", len(all), len(seen), skipped)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func TestNoLog(t *testing.T) {
	var l *Log
	l.Write(numbered(1))
	l.Flush()
	if l.TakesArguments() || l.Close() != nil {
		t.Error("a nil Log does something")
	}
}

// TestArgumentsAreCopied: they are good during Write only.
func TestArgumentsAreCopied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	l := Open(Config{Path: path, Redact: unredacted})
	r := *numbered(1)
	r.Arguments = []byte(`{"a":1}`)
	l.Write(&r)
	copy(r.Arguments, "-------")
	r.Arguments = []byte(`{"a":"` + strings.Repeat("x", maxArguments) + `"}`)
	l.Write(&r)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	all, _ := entries(t, path)
	if len(all) != 2 || string(all[0].Arguments) != `{"a":1}` || all[1].Arguments != nil ||
		!strings.HasSuffix(string(all[1].Line), fmt.Sprintf(`,"arguments_bytes":%d}`, maxArguments+8)) {
		t.Errorf("got %v", all)
	}
}

// failing returns a Log of which every write fails, with what it reports. In a
// bubble only.
func failing(t *testing.T) (l *Log, path string, reports func() []string) {
	blocked := filepath.Join(t.TempDir(), "blocked")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []string
	path = filepath.Join(blocked, "audit.jsonl") // its folder is a file
	l = Open(Config{Path: path, Report: func(err error) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, err.Error())
	}})
	return l, path, func() []string {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// fill writes records until there is no room, and returns how many.
func fill(l *Log) (n int) {
	for {
		l.mu.Lock()
		room := l.hasRoom()
		l.mu.Unlock()
		if !room {
			return n
		}
		n++
		l.Write(numbered(n))
	}
}

// TestLossIsCounted: calls go on while nothing can be written, and what found
// no room is told of as soon as anything can.
func TestLossIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, path, reports := failing(t)
		l.Write(numbered(0))
		<-time.After(time.Second / 2) // the writer has tried by now
		began := time.Now()
		last := fill(l)
		for range 5 {
			l.Write(numbered(-2))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("calls waited for %v, want not at all", took)
		}
		<-time.After(5 * time.Second)
		if got := reports(); len(got) != 1 || !strings.Contains(got[0], "calls go on") {
			t.Errorf("got reports %q, want one", got)
		}
		if err := os.Remove(filepath.Dir(path)); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * retryTime)
		l.mu.Lock()
		if l.stuck {
			t.Error("nobody would wait for room again, though the file can be written to")
		}
		l.mu.Unlock()
		l.Write(numbered(-1))
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if got := reports(); len(got) != 2 || !strings.Contains(got[1], "5 records are lost") {
			t.Errorf("got reports %q, want a second one", got)
		}
		all, _ := entries(t, path)
		got := names(all)
		if len(got) != last+3 {
			t.Fatalf("got %d lines, want %d", len(got), last+3)
		}
		some := append(got[:3:3], got[len(got)-2:]...)
		if diff := cmp.Diff([]string{"lost 5", "0", "1", fmt.Sprint(last), "-1"}, sorted(some)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

// sorted puts the loss first, wherever it stands among the first lines.
func sorted(names []string) []string {
	for i, name := range names {
		if strings.HasPrefix(name, "lost") {
			copy(names[1:i+1], names[:i])
			names[0] = name
		}
	}
	return names
}

// TestCloseTellsOfLoss: a Log that could never write anything says so.
func TestCloseTellsOfLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, reports := failing(t)
		l.Write(numbered(0))
		<-time.After(5 * time.Second) // the writer has tried by now, more than once
		for i := range 2 {
			l.Write(numbered(i))
		}
		began := time.Now()
		if err := l.Close(); err == nil || !strings.Contains(err.Error(), "3 records are lost") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > closeTime {
			t.Errorf("took %v", took)
		}
		if got := reports(); len(got) != 1 {
			t.Errorf("got reports %q, want one", got)
		}
		l.Write(numbered(4)) // changes nothing
	})
}

// TestSlowDisk: a call waits for room, a second and once, and Close does not
// wait for ever.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, path := make(chan struct{}), filepath.Join(t.TempDir(), "a")
		l := Open(Config{Path: path, Redact: func(dst, raw []byte) []byte {
			<-hold // it is the writer's goroutine, as the disk's time is
			return append(dst, raw...)
		}})
		r := *numbered(0)
		r.Arguments = []byte("{}")
		l.Write(&r)
		<-time.After(time.Second)
		last := fill(l)
		for i, want := range []time.Duration{patience, 0, 0} {
			began := time.Now()
			l.Write(numbered(-1))
			if took := time.Since(began); took != want {
				t.Errorf("%d: waited for %v, want %v", i, took, want)
			}
		}
		began := time.Now()
		if err := l.Close(); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != closeTime {
			t.Errorf("Close took %v, want %v", took, closeTime)
		}
		close(hold)
		synctest.Wait()
		all, _ := entries(t, path)
		if got := names(all); len(got) != last+2 || got[0] != "lost 3" || got[1] != "0" {
			t.Errorf("got %d lines that begin with %q", len(got), got[:min(3, len(got))])
		}
	})
}

// TestWaitingForRoom: who waits goes on as soon as the disk does, and nothing is
// lost.
func TestWaitingForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold, path := make(chan struct{}), filepath.Join(t.TempDir(), "a")
		l := Open(Config{Path: path, Redact: func(dst, raw []byte) []byte {
			<-hold
			return append(dst, raw...)
		}})
		r := *numbered(0)
		r.Arguments = []byte("{}")
		l.Write(&r)
		<-time.After(time.Second)
		last := fill(l)
		time.AfterFunc(patience/2, func() { close(hold) })
		began := time.Now()
		l.Write(numbered(-1))
		if took := time.Since(began); took != patience/2 {
			t.Errorf("waited for %v, want %v", took, patience/2)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if all, _ := entries(t, path); len(all) != last+2 {
			t.Errorf("got %d lines, want %d", len(all), last+2)
		}
	})
}

// TestFullDisk is a disk that takes nothing.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	reported := make(chan error, 1)
	l := Open(Config{Path: "/dev/full", Report: func(err error) { reported <- err }})
	l.Write(numbered(1))
	if err := <-reported; !strings.Contains(err.Error(), "no space left") {
		t.Errorf("got %v", err)
	}
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "1 records are lost") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkWrite(b *testing.B) {
	l := Open(Config{Path: os.DevNull, Report: func(err error) { b.Error(err) }})
	defer func() {
		if err := l.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			b.Error(err)
		}
	}()
	r := full()
	r.Name = "read_file"
	b.ReportAllocs()
	for b.Loop() {
		l.Write(&r)
	}
}

func BenchmarkLine(b *testing.B) {
	var e lineEncoder
	var lines batch
	r := full()
	r.Name = "read_file"
	b.ReportAllocs()
	for b.Loop() {
		lines.text = lines.text[:0]
		e.append(&lines, &r)
	}
}

// TestHandOver: where one log takes the place of another under writers, each record
// is in one of them, and arguments are only where they are wanted.
func TestHandOver(t *testing.T) {
	folder := t.TempDir()
	plainPath, fullPath := filepath.Join(folder, "plain.jsonl"), filepath.Join(folder, "full.jsonl")
	full := Open(Config{Path: fullPath, Redact: func(dst, raw []byte) []byte { return append(dst, raw...) }})
	var present atomic.Pointer[Log]
	present.Store(full)
	const writers, each = 4, 500
	half, handed := make(chan struct{}, writers), make(chan struct{})
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for i := range each {
				switch i {
				case each / 2:
					half <- struct{}{}
				case each - 1:
					<-handed
				}
				l := present.Load() // as whoever looks at a configuration does
				l.Write(&Record{Time: time.Now(), Kind: KindTool, Outcome: OK, Arguments: []byte(`{"a":"b"}`)})
			}
		})
	}
	for range writers {
		<-half
	}
	plain := Open(Config{Path: plainPath})
	present.Store(plain)
	if err := full.HandOver(plain); err != nil {
		t.Error(err)
	}
	close(handed)
	full.Write(&Record{Time: time.Now(), Kind: KindTool, Outcome: OK, Name: "late"})
	all.Wait()
	if err := plain.HandOver(nil); err != nil {
		t.Error(err)
	}
	count := func(path, what string) int {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), what)
	}
	if got := count(fullPath, "\n") + count(plainPath, "\n"); got != writers*each+1 {
		t.Errorf("got %d records, want %d", got, writers*each+1)
	}
	if n := count(plainPath, "arguments"); n != 0 {
		t.Errorf("%d records have arguments that nobody wants", n)
	}
	if n := count(plainPath, "late"); n != 1 {
		t.Errorf("got %d late records, want 1", n)
	}
	if count(fullPath, `"arguments":{"a":"b"}`) == 0 || count(plainPath, "\n") == 1 {
		t.Error("one of them wrote nothing")
	}
}

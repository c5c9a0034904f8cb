package live

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/state"
)

// placesIn returns places below a folder of the test's own, so deep that the
// path of a socket in the first of them is long enough, or too long.
func placesIn(t *testing.T, deep bool) Places {
	t.Helper()
	// Not t.TempDir: the name of the test makes its path too long on some systems.
	dir, err := os.MkdirTemp("", "live")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("TMPDIR", dir)
	if deep {
		dir = filepath.Join(dir, strings.Repeat("d", maxPath))
	}
	return PlacesOf(state.At(dir))
}

// asked is a weir that says how it is, and can start anew what its map holds.
type asked struct {
	tell      func() *Weir
	restarted map[string]int
}

func (w *asked) Tell() *Weir { return w.tell() }

func (w *asked) Restart(server string) error {
	if _, ok := w.restarted[server]; !ok {
		return errors.New("no server " + server)
	}
	w.restarted[server]++
	return nil
}

func light(t *testing.T, places Places, tell func() *Weir) *Beacon {
	t.Helper()
	return lightOf(t, places, &asked{tell: tell})
}

func lightOf(t *testing.T, places Places, weir Asked) *Beacon {
	t.Helper()
	b, err := Light(places, weir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Out)
	return b
}

// files are the names in all the places.
func (p Places) files() (names []string) {
	for _, dir := range p.all() {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestBeacons: each weir of several is found and says how it is, wherever its
// socket had to go; afterwards nothing is left.
func TestBeacons(t *testing.T) {
	for name, deep := range map[string]bool{"in the folder of state": false, "elsewhere, for its path is too long": true} {
		t.Run(name, func(t *testing.T) {
			places := placesIn(t, deep)
			if weirs, unanswered := List(t.Context(), places); weirs != nil || unanswered != nil {
				t.Errorf("got %v, %v where no weir ever ran", weirs, unanswered)
			}
			at := time.Now().Truncate(time.Second).UTC()
			one := &Weir{Version: "1", PID: 1, Since: at, Hosts: []string{"h"}, Servers: []Server{{
				Name: "s", State: "backoff", Since: at, NextTry: at.Add(time.Minute),
				Figures: Figures{Calls: 3, Failed: map[string]uint64{"timeout": 1}, LastFailure: &Failure{At: at, Kind: "timeout", Text: "no"}},
			}}}
			two := &Weir{Version: "2", PID: 2, Since: at.Add(-time.Hour)}
			first := light(t, places, func() *Weir { return one })
			second := light(t, places, func() *Weir { return two })
			for range 2 {
				weirs, unanswered := List(t.Context(), places)
				if diff := cmp.Diff([]*Weir{two, one}, weirs); diff != "" || unanswered != nil {
					t.Errorf("%v; -want +got\n%s", unanswered, diff)
				}
			}
			if runtime.GOOS != "windows" {
				for _, dir := range places.all() {
					if info, err := os.Stat(dir); err == nil && info.Mode().Perm() != 0o700 {
						t.Errorf("%s has mode %v", dir, info.Mode())
					}
				}
			}
			first.Out()
			first.Out()
			if weirs, _ := List(t.Context(), places); len(weirs) != 1 || weirs[0].PID != 2 {
				t.Errorf("got %v, want the second alone", weirs)
			}
			second.Out()
			if left := places.files(); left != nil {
				t.Errorf("got %q left behind", left)
			}
			if _, err := os.Stat(places.short); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v for the folder that is not needed any more", err)
			}
		})
	}
}

// TestSocketsLeftBehind are swept, unless they may be of a weir that is just
// starting; what is no socket stays.
func TestSocketsLeftBehind(t *testing.T) {
	places := placesIn(t, false)
	light(t, places, func() *Weir { return &Weir{PID: 7} })
	leave := func(name string, age time.Duration) {
		path := filepath.Join(places.own, name)
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false) // as after kill -9
		_ = l.Close()
		if err := os.Chtimes(path, time.Now(), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	leave("1-old.sock", time.Minute)
	leave("2-young.sock", 0)
	if err := os.WriteFile(filepath.Join(places.own, "file.sock"), []byte("a user's own"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(places.own, "file.sock"), old, old); err != nil {
		t.Fatal(err)
	}
	weirs, unanswered := List(t.Context(), places)
	if len(weirs) != 1 || weirs[0].PID != 7 || unanswered != nil {
		t.Errorf("got %v, %v, want the one that runs", weirs, unanswered)
	}
	left := strings.Join(places.files(), " ")
	if strings.Contains(left, "old") || !strings.Contains(left, "young") || !strings.Contains(left, "file.sock") {
		t.Errorf("got %q left", left)
	}
}

// TestWeirThatDoesNotAnswer keeps nobody from the others.
func TestWeirThatDoesNotAnswer(t *testing.T) {
	places := placesIn(t, false)
	light(t, places, func() *Weir { return &Weir{PID: 7} })
	silent, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(places.own, "1-silent.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	liar, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(places.own, "2-liar.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer liar.Close()
	go func() {
		conn, err := liar.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("no JSON"))
		_ = conn.Close()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	weirs, unanswered := List(ctx, places)
	if len(weirs) != 1 || len(unanswered) != 2 {
		t.Errorf("got %v and %v, want one and two", weirs, unanswered)
	}
	if n := len(places.files()); n != 3 {
		t.Errorf("got %d sockets left, want all: somebody listens", n)
	}
}

// TestAskerThatDoesNotRead keeps no weir from its end.
func TestAskerThatDoesNotRead(t *testing.T) {
	places := placesIn(t, false)
	told := make(chan struct{}, 1)
	b := light(t, places, func() *Weir {
		told <- struct{}{}
		return &Weir{Problem: strings.Repeat("x", 2<<20)}
	})
	conn, err := net.Dial("unix", b.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	<-told
	began := time.Now()
	b.Out()
	if took := time.Since(began); took >= answerTime {
		t.Errorf("the end took %v", took)
	}
}

// TestFolderOfSomebodyElse is not used, where others may make folders too.
func TestFolderOfSomebodyElse(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders have no modes there")
	}
	for name, prepare := range map[string]func(dir string) error{
		"open to others": func(dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.Chmod(dir, 0o777)
		},
		"a link": func(dir string) error {
			if err := os.Mkdir(dir+"target", 0o700); err != nil {
				return err
			}
			return os.Symlink(dir+"target", dir)
		},
		"a file": func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			places := placesIn(t, true)
			if err := prepare(places.short); err != nil {
				t.Fatal(err)
			}
			if b, err := Light(places, nil); err == nil {
				b.Out()
				t.Error("got a socket there")
			}
			if got := places.sockets(); got != nil {
				t.Errorf("got %q to be asked", got)
			}
		})
	}
	if _, err := Light(Places{}, nil); err == nil {
		t.Error("got a socket nowhere")
	}
}

// TestKilled: a weir that is killed is not listed, and is swept.
func TestKilled(t *testing.T) {
	if os.Getenv("WEIR_LIVE_TEST_CHILD") != "" {
		if _, err := Light(PlacesOf(state.At(os.Getenv("WEIR_LIVE_TEST_CHILD"))), &asked{tell: func() *Weir { return &Weir{PID: os.Getpid()} }}); err == nil {
			_ = json.NewEncoder(os.Stdout).Encode("ready")
		}
		select {}
	}
	places := placesIn(t, false)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "WEIR_LIVE_TEST_CHILD="+filepath.Dir(places.own))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ready string
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatal(err)
	}
	if weirs, _ := List(t.Context(), places); len(weirs) != 1 || weirs[0].PID != cmd.Process.Pid {
		t.Errorf("got %v, want the child", weirs)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for _, name := range places.files() {
		old := time.Now().Add(-time.Minute)
		if err := os.Chtimes(filepath.Join(places.own, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if weirs, unanswered := List(t.Context(), places); weirs != nil || unanswered != nil || places.files() != nil {
		t.Errorf("got %v, %v and %q", weirs, unanswered, places.files())
	}
}

// TestRestart: the weir of a process is told to start a server anew, and no other;
// it says so where it cannot.
func TestRestart(t *testing.T) {
	places := placesIn(t, false)
	w := &asked{tell: func() *Weir { return &Weir{PID: 1} }, restarted: map[string]int{"up": 0}}
	lightOf(t, places, w)
	if err := Restart(t.Context(), places, os.Getpid(), "up"); err != nil || w.restarted["up"] != 1 {
		t.Errorf("error %v; restarted %v", err, w.restarted)
	}
	if err := Restart(t.Context(), places, os.Getpid(), "other"); err == nil || err.Error() != "no server other" {
		t.Errorf("a server that is not there: got %v", err)
	}
	if err := Restart(t.Context(), places, 1, "up"); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("a weir that is not there: got %v", err)
	}
	if w.restarted["up"] != 1 {
		t.Errorf("restarted %v, want once in all", w.restarted)
	}
}

// TestOddQuestions: who asks what is no question gets no answer, and keeps nobody
// from one.
func TestOddQuestions(t *testing.T) {
	places := placesIn(t, false)
	w := &asked{tell: func() *Weir { return &Weir{PID: 1} }, restarted: map[string]int{"up": 0}}
	lightOf(t, places, w)
	path := places.sockets()[0]
	for name, text := range map[string]string{
		"no JSON": "restart up\n", "no object": "[]\n", "another type": `{"restart":{"up":1}}` + "\n", "too long": strings.Repeat(" ", maxQuestion) + "\n",
		"no line": `{"restart":"up"}`,
	} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, text) // it may hang up meanwhile
		_ = conn.(*net.UnixConn).CloseWrite()
		if answer, _ := io.ReadAll(conn); len(answer) > 0 {
			t.Errorf("%s: got %s", name, answer)
		}
		_ = conn.Close()
	}
	if weirs, _ := List(t.Context(), places); len(weirs) != 1 || w.restarted["up"] != 0 {
		t.Errorf("got %d weirs, restarted %v", len(weirs), w.restarted)
	}
}

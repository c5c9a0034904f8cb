package credentials

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/state"
)

// roleVariable makes this test binary play another process of weir.
const roleVariable = "WEIR_TEST_CREDENTIALS"

// Parts that other processes play, with the folder that they play in.
var roles = map[string]func(ctx context.Context, dir string) error{
	"rotate": rotate,
	"hold":   hold,
	"turn":   turn,
	"ask":    ask,
}

func TestMain(m *testing.M) {
	role, dir, ok := strings.Cut(os.Getenv(roleVariable), ":")
	if !ok {
		os.Exit(m.Run())
	}
	if err := roles[role](context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role+":"+dir)
	return cmd
}

const (
	processes = 20
	rotations = 15 // by each
)

// rotate is what a weir does whose access token expires again and again: it spends
// the refresh token, which is the only one at the server, for the next one.
func rotate(ctx context.Context, dir string) error {
	s := Open(state.At(dir), nil)
	server := filepath.Join(dir, "server")
	for range rotations {
		_, err := s.Update(ctx, testLogin().Key, func(old *Login) (*Login, error) {
			alone, err := os.OpenFile(server+".busy", os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return nil, fmt.Errorf("two renew at once: %w", err)
			}
			defer os.Remove(alone.Name())
			defer alone.Close()
			valid, err := os.ReadFile(server)
			if err != nil || string(valid) != old.Refresh {
				return nil, fmt.Errorf("a refresh token was spent twice: %w", err)
			}
			n, err := strconv.Atoi(old.Refresh)
			if err != nil {
				return nil, err
			}
			old.Refresh = strconv.Itoa(n + 1)
			return old, os.WriteFile(server, []byte(old.Refresh), 0o600)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func TestProcessesShareARotatingToken(t *testing.T) {
	dir := t.TempDir()
	s := Open(state.At(dir), nil)
	l := testLogin()
	l.Refresh = "0"
	save(t, s, l)
	if err := os.WriteFile(filepath.Join(dir, "server"), []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range processes {
		cmd := child(t, "rotate", dir)
		all.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	got, err := s.Load(t.Context(), l.Key)
	if want := strconv.Itoa(processes * rotations); err != nil || got.Refresh != want {
		t.Errorf("got %v, %v, want it renewed %s times", got, err, want)
	}
}

// hold renews a login and never comes to an end of it.
func hold(ctx context.Context, dir string) error {
	_, err := Open(state.At(dir), nil).Update(ctx, testLogin().Key, func(*Login) (*Login, error) {
		fmt.Println("holding")
		_, err := io.Copy(io.Discard, os.Stdin)
		return nil, err
	})
	return err
}

// begun starts a process that says something once it is where it should be, and
// waits there.
func begun(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	cmd := child(t, role, dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("got %q, %v", line, err)
	}
	return cmd
}

func TestProcessThatIsKilledLosesNothing(t *testing.T) {
	dir := t.TempDir()
	s := Open(state.At(dir), nil)
	want := testLogin()
	save(t, s, want)
	holder := begun(t, "hold", dir)
	impatient, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Update(impatient, want.Key, func(*Login) (*Login, error) { panic("two hold the lock") }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v while another process renews", err)
	}
	left := filepath.Join(dir, "."+loginName(want.Key)+"12345")
	if err := os.WriteFile(left, []byte("s3cret"), 0o600); err != nil { // as if it had been at that
		t.Fatal(err)
	}
	_ = holder.Process.Kill()
	_ = holder.Wait()
	got, err := s.Update(t.Context(), want.Key, func(old *Login) (*Login, error) { return old, nil })
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	if _, err := os.Stat(left); err == nil {
		t.Error("what the dead process was writing is still there")
	}
}

// turn takes the turn and the tab, and never gives them back.
func turn(ctx context.Context, dir string) error {
	s := Open(state.At(dir), nil)
	_, err := s.TakeTurn(ctx, endpoint)
	if err == nil {
		_, err = s.TakeTab(ctx)
	}
	if err != nil {
		return err
	}
	fmt.Println("taken")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func TestTurns(t *testing.T) {
	dir := t.TempDir()
	s := Open(state.At(dir), nil)
	other := begun(t, "turn", dir)
	busy := func(release func(), err error) {
		t.Helper()
		if b, ok := errors.AsType[*BusyError](err); release != nil || !ok || !errors.Is(err, ErrBusy) {
			t.Errorf("got %v, want a BusyError", err)
		} else if !strings.HasSuffix(b.Error(), "is under way already") {
			t.Errorf("got %v", b)
		}
	}
	free := func(release func(), err error) func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return release
	}
	busy(s.TakeTurn(t.Context(), endpoint))
	busy(s.TakeTab(t.Context()))
	free(s.TakeTurn(t.Context(), endpoint+"2"))()
	_ = other.Process.Kill()
	_ = other.Wait()
	release := free(s.TakeTurn(t.Context(), endpoint))
	busy(s.TakeTurn(t.Context(), endpoint)) // nor another caller in this process
	release()
	free(s.TakeTurn(t.Context(), endpoint))()
	free(s.TakeTab(t.Context()))()
}

// ask says whether it may ask.
func ask(ctx context.Context, dir string) error {
	may, err := Open(state.At(dir), nil).MayAsk(ctx, endpoint, time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), time.Hour)
	fmt.Print(may)
	return err
}

func TestProcessesAskOnce(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	answers := make(chan string, processes)
	for range processes {
		cmd := child(t, "ask", dir)
		all.Go(func() {
			out, err := cmd.Output()
			if err != nil {
				t.Error(err)
			}
			answers <- string(out)
		})
	}
	all.Wait()
	close(answers)
	count := map[string]int{}
	for answer := range answers {
		count[answer]++
	}
	if count["true"] != 1 || count["false"] != processes-1 {
		t.Errorf("got %v, want one that may ask", count)
	}
}

func TestMayAsk(t *testing.T) {
	dir := t.TempDir()
	s := Open(state.At(dir), nil)
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		what string
		at   time.Duration
		want bool
	}{
		{"a", 0, true},
		{"a", 0, false},
		{"b", time.Minute, true},
		{"a", 59 * time.Minute, false},
		{"a", time.Hour, true},
		{"a", time.Hour + 59*time.Minute, false},
		{"b", 30 * 24 * time.Hour, true},
		{"b", 10 * time.Hour, true}, // the clock was put right
		{"b", 10*time.Hour + time.Minute, false},
	} {
		if got, err := s.MayAsk(t.Context(), tt.what, day.Add(tt.at), time.Hour); got != tt.want || err != nil {
			t.Errorf("%s at %v: got %t, %v, want %t", tt.what, tt.at, got, err, tt.want)
		}
	}
	path := filepath.Join(dir, askedFile)
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if got, err := s.MayAsk(t.Context(), "https://secret.example", day, time.Hour); got != want || err != nil {
			t.Errorf("got %t, %v, want %t", got, err, want)
		}
	}
	if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "secret") {
		t.Errorf("got %s, %v, want digests only", text, err)
	}
}

func TestAskedIsBounded(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	a := parseAsked(nil, now)
	for i := range maxAsked + 10 {
		a.At[strconv.Itoa(i)] = now.Add(time.Duration(i) * time.Second)
	}
	a.bound()
	if _, oldest := a.At["9"]; len(a.At) != maxAsked || oldest {
		t.Errorf("got %d, the oldest among them %t", len(a.At), oldest)
	}
}

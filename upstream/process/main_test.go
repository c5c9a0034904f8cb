//go:build linux

package process_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weir-mcp/weir/upstream/process"
)

// The test binary is the guardian and all child programs too.
const (
	guardianArgument = "__guardian"
	roleVariable     = "TEST_ROLE"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == guardianArgument {
		process.GuardianMain()
		syscall.Exit(0) // os.Exit takes a second under the race detector
	}
	if role := os.Getenv(roleVariable); role != "" {
		syscall.Exit(roles[role](os.Args[1:]))
	}
	os.Exit(m.Run())
}

var roles map[string]func(args []string) int

func init() {
	roles = map[string]func([]string) int{
		"cat":      func([]string) int { _, _ = io.Copy(os.Stdout, os.Stdin); return 0 },
		"brief":    func([]string) int { return 0 },
		"exit":     func(args []string) int { n, _ := strconv.Atoi(args[0]); return n },
		"abort":    func([]string) int { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} },
		"deaf":     deaf,
		"stubborn": stubborn,
		"polite":   polite,
		"flood":    flood,
		"long":     func([]string) int { fmt.Fprint(os.Stderr, strings.Repeat("x", 10<<20), "\nend\n"); return 0 },
		"fds":      fds,
		"env":      func([]string) int { fmt.Println(strings.Join(os.Environ(), "\n")); return 0 },
		"parent":   parent,
		"weir":     weir,
		"first":    first,
		"forks":    forks,
	}
}

// deaf ends with SIGTERM only.
func deaf([]string) int {
	fmt.Println("ready")
	<-time.After(time.Minute)
	return 0
}

// stubborn ends with SIGKILL only.
func stubborn([]string) int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	return deaf(nil)
}

// polite says which signal it got and ends.
func polite([]string) int {
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGTERM)
	fmt.Println("ready")
	fmt.Println(<-got)
	return 7
}

func flood([]string) int {
	w := bufio.NewWriter(os.Stderr)
	for i := range 50_000 {
		fmt.Fprintln(w, "line", i)
	}
	_ = w.Flush()
	fmt.Println("flooded")
	return 0
}

func fds([]string) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 1
	}
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue
		}
		// Go's runtime has descriptors of its own in /sys, and an epoll.
		if strings.HasPrefix(target, "pipe:") || strings.HasPrefix(target, "/dev/") {
			fmt.Println(e.Name(), target)
		}
	}
	return 0
}

// parent starts its first argument's role once more, in its own group or, with
// "away", in a session of its own, holding on to all streams; tells its process
// id, and waits for it or leaves it at a byte on stdin, as the third argument says.
func parent(args []string) int {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+args[0])
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if args[1] == "away" {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	if err := cmd.Start(); err != nil {
		return 1
	}
	fmt.Println("pid", cmd.Process.Pid)
	if args[2] == "wait" {
		_ = cmd.Wait()
		return 0
	}
	_, _ = os.Stdin.Read(make([]byte, 1))
	return 0
}

// weir starts children under a guardian, as a weir does, tells their process
// ids, and ends as stdin says: "clean", or by being killed.
func weir(args []string) int {
	guardian := newGuardian(func(err error) { fmt.Println("warn", err) })
	for _, role := range args {
		spec := program(strings.Split(role, ",")...)
		child, err := process.Start(spec, guardian)
		if err != nil {
			return 1
		}
		lines := bufio.NewScanner(child.Stdout())
		fmt.Println("child", child.Pid())
		told := 1 // "ready"
		if strings.HasPrefix(role, "parent") || strings.HasPrefix(role, "forks") {
			told = 2 // and, before or after, "pid"
		}
		for ; told > 0 && lines.Scan(); told-- {
			if pid, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
				fmt.Println("child", pid)
			}
		}
	}
	fmt.Println("token", guardian.Token())
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	return 0
}

// forks starts its first argument's role in a session of its own, or so deep below
// itself as the second says, and ends at once.
func forks(args []string) int {
	next := args[0]
	rest := []string{}
	if deep, _ := strconv.Atoi(args[1]); deep > 1 {
		next, rest = "forks", []string{args[0], strconv.Itoa(deep - 1)}
	}
	cmd := exec.Command(os.Args[0], rest...)
	cmd.Env = append(os.Environ(), roleVariable+"="+next)
	cmd.Stdout = os.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 1
	}
	if next != "forks" {
		fmt.Println("pid", cmd.Process.Pid)
	}
	return 0
}

// first inherits what its children leave behind, as the first process of a
// container does. It tells how many zombies it has once it has all that it is
// going to have, and again when there are none, or after a while.
func first([]string) int {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 1
	}
	g := newGuardian(nil)
	const many = 10
	for range many {
		child, err := process.Start(program("forks", "brief", "1"), g)
		if err != nil {
			return 1
		}
		_, _ = io.Copy(io.Discard, child.Stdout())
		<-child.Done()
	}
	for end := time.Now().Add(10 * time.Second); ownZombies() > 0 && time.Now().Before(end); {
		<-time.After(10 * time.Millisecond) // strangers to the standard library: nothing else tells of their end
	}
	fmt.Println("zombies", ownZombies())
	<-g.Close()
	return 0
}

func ownZombies() (n int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		text, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		_, rest, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(rest); err == nil && len(f) > 1 && f[0] == "Z" && f[1] == strconv.Itoa(os.Getpid()) {
			n++
		}
	}
	return n
}

func newGuardian(warn func(error)) *process.Guardian {
	return process.NewGuardian([]string{executable(), guardianArgument}, warn)
}

// program returns the test binary in a role.
func program(role ...string) process.Spec {
	return process.Spec{
		Path: executable(),
		Args: role[1:],
		Env:  []string{roleVariable + "=" + role[0]},
	}
}

func executable() string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return path
}

// guard returns a guardian that the test's end waits for. Before, it checks
// that no descriptor and no goroutine is left.
func guard(t *testing.T) *process.Guardian {
	t.Helper()
	descriptors, goroutines := countDescriptors(t), runtime.NumGoroutine()
	g := newGuardian(func(err error) { t.Error(err) })
	t.Cleanup(func() {
		within(t, "the guardian's end", g.Close())
		settle(t, "descriptors", descriptors, func() int { return countDescriptors(t) })
		settle(t, "goroutines", goroutines, runtime.NumGoroutine)
		if left := carriers(g.Token()); len(left) > 0 {
			t.Errorf("got processes %v with the token, want none", left)
		}
	})
	return g
}

// settle waits until count is down to want: a goroutine that has told its end
// may still be returning.
func settle(t *testing.T, what string, want int, count func() int) {
	t.Helper()
	for begin := time.Now(); count() > want; runtime.Gosched() {
		if time.Since(begin) > 5*time.Second {
			stacks := make([]byte, 1<<20)
			t.Fatalf("got %d %s, want %d\n%s", count(), what, want, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

func countDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc here")
	}
	count := 0
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		// Go's poller has two descriptors of its own from the first pipe on.
		if err == nil && target != "anon_inode:[eventpoll]" && target != "anon_inode:[eventfd]" {
			count++
		}
	}
	return count
}

// carriers returns the processes that run with token in their environment.
func carriers(token string) []int {
	var pids []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err != nil || !strings.Contains(string(env), "WEIR_CHILD="+token) {
			continue
		}
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// runs reports whether a process is there and no zombie.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// within waits for ended, and fails the test when that takes very long.
func within(t *testing.T, what string, ended <-chan struct{}) {
	t.Helper()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		stacks := make([]byte, 1<<20)
		t.Fatalf("waiting for %s takes too long\n%s", what, stacks[:runtime.Stack(stacks, true)])
	}
}

// start starts a role and returns a reader of its lines.
func start(t *testing.T, g *process.Guardian, spec process.Spec) (*process.Child, *bufio.Reader) {
	t.Helper()
	c, err := process.Start(spec, g)
	if err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c.Stdout())
}

func wantLine(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if got, err := r.ReadString('\n'); got != want+"\n" {
		t.Fatalf("got line %q (%v), want %q", got, err, want)
	}
}

// readGrandchild reads what a parent and its child, who write side by side, tell:
// the child's process id, and that it is ready.
func readGrandchild(t *testing.T, r *bufio.Reader) int {
	t.Helper()
	if next, err := r.Peek(1); err == nil && next[0] == 'r' {
		wantLine(t, r, "ready")
		return readPid(t, r, "pid")
	}
	pid := readPid(t, r, "pid")
	wantLine(t, r, "ready")
	return pid
}

// readPid reads a line "WORD number".
func readPid(t *testing.T, r *bufio.Reader, word string) int {
	t.Helper()
	line, err := r.ReadString('\n')
	pid, convErr := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, word)))
	if err != nil || convErr != nil {
		t.Fatalf("got line %q, want %q and a number", line, word)
	}
	return pid
}

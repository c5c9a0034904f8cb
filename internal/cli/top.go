package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/live"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/state"
)

func (a *app) topCommand() *cobra.Command {
	interval := time.Second
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch the weirs that run, and their servers, on one screen",
		Long: `Watch all weirs of yours that run: their servers with state, calls in flight,
figures and last failures, and the last lines of the audit log. It works over SSH
and in tmux, and needs 40 columns and 12 lines.

  ↑ ↓ or k j   select a server
  r            start it anew; calls under way may go on with the old one
  e            enable or disable it, in the file of its weir
  l            log in to it
  a            go through the calls that wait for your approval
  q            quit

For programs there is "weir servers --live --json".`,
		Example: `  weir top
  weir top --interval 5s`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval < shortestInterval {
				return usageError("--interval: want %v at least", shortestInterval)
			}
			in, isFile := a.Stdin.(*os.File)
			if !isFile || !isTerminal(a.Stdin) || !isTerminal(a.Stdout) {
				return usageError(`a screen wants a terminal (without one: weir servers --live)`)
			}
			return a.top(cmd.Context(), in, interval)
		},
	}
	cmd.Flags().DurationVar(&interval, "interval", interval, "how long to wait between two looks, a `TIME` such as 2s")
	return cmd
}

const shortestInterval = 200 * time.Millisecond

// top shows the screen until the person has enough of it.
func (a *app) top(ctx context.Context, in *os.File, interval time.Duration) error {
	watch, err := a.newTopWatch()
	if err != nil {
		return err
	}
	defer watch.log.Close()
	screen, err := openScreen(in, a.Stdout)
	if err != nil {
		return err
	}
	defer screen.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	looks := watch.looks(ctx, interval)
	t := &topScreen{a: a, screen: screen, keys: screen.keys(ctx)}
	defer func() {
		cancel()
		for range looks { // its end
		}
	}()
	return t.run(ctx, looks)
}

// A topWatch looks at what there is to show.
type topWatch struct {
	a   *app
	log *audit.Reader

	entries []audit.Entry // the last ones
}

func (a *app) newTopWatch() (*topWatch, error) {
	var settings config.Audit
	if file, err := a.load(); err == nil {
		settings = file.Audit
	}
	path, _, err := a.auditPlace(settings)
	if err != nil {
		return nil, err
	}
	return &topWatch{a: a, log: audit.NewReader(path)}, nil
}

// looks returns what is seen, at once and then from time to time, until ctx ends.
func (w *topWatch) looks(ctx context.Context, interval time.Duration) <-chan *topView {
	out := make(chan *topView)
	go func() {
		defer close(out)
		again := time.NewTicker(interval)
		defer again.Stop()
		for {
			select {
			case out <- w.look(ctx):
			case <-ctx.Done():
				return
			}
			select {
			case <-again.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func (w *topWatch) look(ctx context.Context) *topView {
	v := &topView{}
	weirs, unanswered, err := w.a.listLive(ctx)
	v.weirs = weirs
	if err = errors.Join(append(unanswered, err)...); err != nil {
		v.message = err.Error()
	}
	q := logQuery{last: mostLog}
	latest, err := q.read(ctx, w.log)
	if err != nil {
		v.message = err.Error()
	}
	w.entries = append(w.entries, latest...)
	w.entries = w.entries[max(len(w.entries)-mostLog, 0):]
	v.log = append([]audit.Entry(nil), w.entries...)
	if store, err := w.a.approvals(); err == nil {
		waiting, _ := store.Waiting() // weir approve says what is wrong
		v.waiting = len(waiting)
	}
	return v
}

// A topScreen is the view on a terminal, and what the keys do.
type topScreen struct {
	a      *app
	screen *screen
	keys   *keys
	view   topView
}

func (t *topScreen) run(ctx context.Context, looks <-chan *topView) error {
	for {
		t.draw()
		select {
		case <-ctx.Done():
			return nil
		case seen, ok := <-looks:
			if !ok {
				return nil
			}
			t.see(seen)
		case key, ok := <-t.keys.pressed():
			if !ok || key == keyQuit {
				return nil
			}
			t.keys.taken()
			if err := t.press(ctx, key); err != nil {
				return err
			}
		}
	}
}

// see takes over what was seen. What was said of a deed stays until the next key.
func (t *topScreen) see(seen *topView) {
	seen.selected = t.view.selected
	if seen.message == "" {
		seen.message = t.view.message
	}
	t.view = *seen
	t.view.settle()
}

func (t *topScreen) draw() {
	width, height := t.screen.size()
	t.screen.show(t.view.render(t.a.paint(), width, height, time.Now()))
}

func (t *topScreen) press(ctx context.Context, key key) error {
	t.view.message = ""
	w, s := t.view.chosen()
	switch {
	case key == keyUp:
		t.view.move(-1)
	case key == keyDown:
		t.view.move(1)
	case key == keyApprove:
		return t.outside(ctx, "approve")
	case s == nil:
		t.view.message = "no server is selected"
	case key == keyRestart:
		t.restart(ctx, w, s)
	case key == keyEnable:
		return t.enable(ctx, w, s)
	case key == keyLogin:
		return t.outside(ctx, append(configOf(t.a, w), "login", s.Name)...)
	}
	return nil
}

func (t *topScreen) restart(ctx context.Context, w *live.Weir, s *live.Server) {
	folder, err := state.UserFolder(t.a.getenv)
	if err == nil {
		err = live.Restart(ctx, live.PlacesOf(folder), w.PID, s.Name)
	}
	if err != nil {
		t.view.message = fmt.Sprintf("starting %s anew: %v", s.Name, err)
		return
	}
	t.view.message = s.Name + " is started anew"
}

// enable changes the file of the weir, and asks before it does: outside.
func (t *topScreen) enable(ctx context.Context, w *live.Weir, s *live.Server) error {
	deed := "disable"
	if upstream.State(s.State) == upstream.Disabled {
		deed = "enable"
	}
	return t.outside(ctx, append(configOf(t.a, w), deed, s.Name)...)
}

// configOf are the flags by which a command uses the configuration of a weir.
func configOf(a *app, w *live.Weir) []string {
	if w.Config == "" {
		return nil
	}
	path := w.Config
	if rest, ok := strings.CutPrefix(path, "~"+string(filepath.Separator)); ok {
		path = filepath.Join(a.getenv("HOME"), rest)
	}
	return []string{"--config", path}
}

// outside runs another command of weir on the terminal, in place of the screen.
func (t *topScreen) outside(ctx context.Context, words ...string) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	if err := t.screen.leave(); err != nil {
		return err
	}
	fmt.Fprintln(t.a.Stdout, t.a.paint().bold("weir "+strings.Join(words, " ")))
	cmd := exec.CommandContext(ctx, program, words...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = t.a.Stdin, t.a.Stdout, t.a.Stderr, t.a.Environ
	if err := cmd.Run(); err != nil && !isExit(err) {
		fmt.Fprintln(t.a.Stderr, t.a.errorPaint().red("weir:"), err)
	}
	fmt.Fprint(t.a.Stdout, "\nPress a key to go back.")
	if err := t.screen.enter(); err != nil {
		return err
	}
	select {
	case <-t.keys.pressed():
		t.keys.taken()
	case <-ctx.Done():
	}
	t.screen.clear()
	return nil
}

// isExit reports whether a command ran and said itself how it went.
func isExit(err error) bool {
	_, ok := errors.AsType[*exec.ExitError](err)
	return ok
}

package customtools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/weir-mcp/weir/upstream/process"
)

// A Command is a program that a call runs.
type Command struct {
	Program string    // a name sought on PATH, or an absolute path; required
	Args    []Element // without the program
	Stdin   *Template // nil: the program has an empty input

	// AllowDash names the arguments whose values may begin an element with "-":
	// a program takes it for an option.
	AllowDash []string

	Env        map[string]string // added to the small environment of children; may hold references
	InheritEnv []string          // further variables of weir's own to pass
	InheritAll bool              // pass all of them
	Dir        string            // working folder, absolute; "" = weir's own
}

// Processes is what commands are run with. All of it is required.
type Processes struct {
	Guardian *process.Guardian
	Finder   *process.Finder
	Environ  []string          // weir's own environment, of which commands get a part
	Weir     map[string]string // what weir tells its children about itself
}

// The bounds of what a command may write.
const (
	maxOutput = 1 << 20 // bytes of its output that are returned
	maxErrors = 4 << 10 // bytes of its error output that are, of one that failed
)

// termGrace is how long a command that must end may take for it, from SIGTERM to
// SIGKILL.
const termGrace = 1500 * time.Millisecond

// vector makes the arguments of the program.
func (c *Command) vector(a *arguments) ([]string, error) {
	vector := make([]string, 0, len(c.Args))
	for _, e := range c.Args {
		texts, err := e.texts(a)
		if err != nil {
			return nil, err
		}
		for _, text := range texts {
			if err := c.checkDash(e, text, a); err != nil {
				return nil, err
			}
		}
		vector = append(vector, texts...)
	}
	return vector, nil
}

// texts is what becomes of an element: none if an argument in it is missing.
func (e Element) texts(a *arguments) ([]string, error) {
	if e.spread != "" {
		return a.list(e.spread)
	}
	text, ok, err := e.fill(a, asItIs)
	if err != nil || !ok {
		return nil, err
	}
	return []string{text}, nil
}

// checkDash refuses a "-" at the head of an element that an argument brought
// there.
func (c *Command) checkDash(e Element, text string, a *arguments) error {
	if !strings.HasPrefix(text, "-") {
		return nil
	}
	name := e.spread
	for _, p := range e.parts {
		if p.name == "" {
			return nil // the first character is the user's own
		}
		if value, _, _ := a.text(p.name); value != "" {
			name = p.name
			break
		}
	}
	if slices.Contains(c.AllowDash, name) {
		return nil
	}
	return refuse("argument %q must not begin with \"-\": the program would take it for an option", name)
}

// run runs the command. The error is what there is to say beside its output; said
// takes the lines of its error output.
func (c *Command) run(ctx context.Context, a *arguments, p Processes, resolve Resolver, said func([]byte)) (output string, err error) {
	vector, err := c.vector(a)
	if err != nil {
		return "", err
	}
	stdin := ""
	if c.Stdin != nil {
		if stdin, _, err = c.Stdin.fill(a, asItIs); err != nil {
			return "", err
		}
	}
	child, err := c.start(ctx, vector, p, resolve, said)
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { child.Stop(process.Patience{Term: termGrace}) })
	defer stop()
	var feeding sync.WaitGroup
	feeding.Go(func() {
		_, _ = io.WriteString(child.Stdin(), stdin) // a program need not read what it is given
		_ = child.Stdin().Close()
	})
	output = take(child.Stdout(), maxOutput, "output")
	<-child.Done()
	feeding.Wait()
	if ctx.Err() != nil {
		return output, context.Cause(ctx)
	}
	if state := child.State(); state != "exit status 0" {
		return output, &exitError{state: state, said: lastOf(child.Stderr(), maxErrors)}
	}
	return output, nil
}

func (c *Command) start(ctx context.Context, vector []string, p Processes, resolve Resolver, said func([]byte)) (*process.Child, error) {
	set, err := resolve.all(ctx, c.Env)
	if err != nil {
		return nil, &unusableError{"a secret of the tool cannot be read", err}
	}
	env := process.Environment(process.EnvSpec{
		Own: p.Environ, Inherit: c.InheritEnv, InheritAll: c.InheritAll, Set: set, Weir: p.Weir,
	})
	program, env, err := p.Finder.Find(ctx, c.Program, env)
	if err != nil {
		return nil, &unusableError{"the program of the tool cannot be found", err}
	}
	if isBatch(program) && len(c.names()) > 0 {
		return nil, &unusableError{"the program of the tool is a batch file, whose arguments cannot be quoted safely", nil}
	}
	child, err := process.Start(process.Spec{Path: program, Args: vector, Env: env, Dir: c.Dir, Stderr: said}, p.Guardian)
	if err != nil {
		return nil, &unusableError{"the program of the tool cannot be started", err}
	}
	return child, nil
}

// isBatch reports whether Windows would run the program by its command
// interpreter, which has its own mind about quotes.
func isBatch(program string) bool {
	ext := strings.ToLower(filepath.Ext(program))
	return runtime.GOOS == "windows" && (ext == ".bat" || ext == ".cmd")
}

// names are the arguments that become arguments of the program.
func (c *Command) names() (names []string) {
	for _, e := range c.Args {
		names = append(names, e.Names()...)
	}
	return names
}

// An exitError is a program that ended with a failure.
type exitError struct {
	state string // "exit status 3"
	said  string // the last of its error output
}

func (e *exitError) Error() string {
	if e.said == "" {
		return "The command ended with " + e.state + "."
	}
	return "The command ended with " + e.state + ", and said:\n" + e.said
}

// An unusableError is a tool that could not do its work, whatever the arguments.
// The text may be shown; err may hold paths.
type unusableError struct {
	text string
	err  error // may be nil
}

func (e *unusableError) Error() string { return e.text }
func (e *unusableError) Unwrap() error { return e.err }

// A Resolver reads the references that are left in a text for the time of the
// call. nil leaves texts as they are.
type Resolver func(ctx context.Context, text string) (string, error)

// resolveTime is how long the references of one call may take to be read.
const resolveTime = 10 * time.Second

func (r Resolver) all(ctx context.Context, values map[string]string) (map[string]string, error) {
	if r == nil {
		return values, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	values = maps.Clone(values)
	for key, value := range values {
		text, err := r(ctx, value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		values[key] = text
	}
	return values, nil
}

// take reads everything and returns the head of it, with a word at the end about
// what is not there.
func take(from io.Reader, most int, what string) string {
	var kept bytes.Buffer
	_, err := io.CopyN(&kept, from, int64(most))
	if err != nil && !errors.Is(err, io.EOF) {
		return kept.String() + fmt.Sprintf("\n[weir: the %s broke off here]", what)
	}
	if kept.Len() < most {
		return kept.String()
	}
	left, _ := io.Copy(io.Discard, from) // the writer must not be held up
	if left == 0 {
		return kept.String()
	}
	return whole(kept.Bytes()) + fmt.Sprintf("\n[weir: %d more bytes of %s are left out]", left, what)
}

// whole leaves off a character that is cut at the end.
func whole(text []byte) string {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if !utf8.RuneStart(text[i]) {
			continue
		}
		if !utf8.FullRune(text[i:]) {
			text = text[:i]
		}
		break
	}
	return string(text)
}

// lastOf returns the end of a text, from the head of a line on if it is cut.
func lastOf(text []byte, most int) string {
	if len(text) > most {
		text = text[len(text)-most:]
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			text = text[i+1:]
		}
	}
	return strings.TrimSpace(string(text))
}

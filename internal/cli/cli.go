// Package cli is weir's command line: one file per command, and the words that
// a person sees. It wires the other packages together and decides nothing that
// they could decide.
//
// Every command but "serve" that asks something of the servers runs an
// aggregator in its own process and speaks to it as a host does, over
// in-memory pipes: so names, policy and errors are those that a host sees.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weir-mcp/weir/internal/prelude"
	"github.com/weir-mcp/weir/internal/spell"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitPartly = 3 // some servers answered, some did not
)

// A Process is what a command may touch of the process that it runs in. Where
// Stdin and Stdout are files, "serve" takes them over for good.
type Process struct {
	Args    []string // without the program's name
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Environ []string // KEY=value

	// Prelude is what the host on Stdin and Stdout was told already; nil for nothing.
	Prelude *prelude.Performance
}

// Main runs the command that p.Args name and returns the exit code. While it
// runs it handles the signals of the process.
func Main(p Process) int {
	ctx, signals := watchSignals(context.Background())
	defer signals.stop()
	a := &app{Process: p, signals: signals}
	root := a.rootCommand()
	root.SetArgs(withoutBlanks(p.Args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{exitFailed, err}
	}
	if exit.err != nil {
		fmt.Fprintln(p.Stderr, a.errorPaint().red("weir:"), exit.err)
	}
	return exit.code
}

// An exitError ends the process with a code. Its text is printed; with a nil
// err the command has said all there is to say.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// app is one run of the program.
type app struct {
	Process
	signals    *signals
	configFlag string
	identity   identityFlags
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "weir",
		Short: "One MCP server in front of many",
		Long: `weir is one MCP server in front of many. A desktop assistant or IDE agent
starts it over stdio; it offers the tools of all the servers in mcp.yaml under
one roof, decides by a local policy who may use what, and answers at once.

Without a command it serves when its input is a pipe, as a host starts it, and
prints this help on a terminal. "weir help TOPIC" explains config, policy, auth,
hosts and names.`,
		Example: `  weir demo                       see it work; needs nothing but the binary
  weir tools                      what a host would be offered
  weir call files__read_file path=notes.txt
  weir servers                    connect to every server and say how it went
  weir doctor                     what is wrong, and how to mend it`,
		Args:          a.noCommand,
		RunE:          a.runBare,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError("%w (see: %s --help)", err, cmd.CommandPath())
	})
	root.PersistentFlags().StringVar(&a.configFlag, "config", "",
		"the configuration `FILE` (default $WEIR_CONFIG, else weir/mcp.yaml\nwhere the user's configurations are)")
	a.identity.add(root)
	root.SetHelpCommand(a.helpCommand())
	root.AddCommand(
		a.serveCommand(),
		a.demoCommand(),
		a.demoServerCommand(),
		a.doctorCommand(),
		a.serversCommand(),
		a.toolsCommand(),
		a.topCommand(),
		a.callCommand(),
		a.readCommand(),
		a.promptCommand(),
		a.addCommand(),
		a.removeCommand(),
		a.enableCommand(),
		a.disableCommand(),
		a.aliasCommand(),
		a.installCommand(), a.uninstallCommand(),
		a.policyCommand(),
		a.approveCommand(),
		a.pinsCommand(),
		a.loginCommand(),
		a.logoutCommand(),
		a.authCommand(),
		a.importCommand(),
		a.logsCommand(),
		a.versionCommand(),
	)
	a.complete(root)
	return root
}

// noCommand turns what is no command into a usage error with the nearest one.
func (a *app) noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if near := spell.Nearest(args[0], names); near != "" {
		return usageError("unknown command %q; did you mean %q?", args[0], cmd.CommandPath()+" "+near)
	}
	return usageError("unknown command %q (see: %s --help)", args[0], cmd.CommandPath())
}

func (a *app) runBare(cmd *cobra.Command, _ []string) error {
	if isTerminal(a.Stdin) {
		return cmd.Help()
	}
	return a.serve(cmd.Context())
}

// exactArgs is cobra.ExactArgs with an exit code and words of our own.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usageError("missing %s (see: %s --help)", names[len(args)], cmd.CommandPath())
		}
		if len(args) > len(names) {
			return usageError("unexpected argument %q (see: %s --help)", args[len(names)], cmd.CommandPath())
		}
		return nil
	}
}

// getenv returns a variable of the process's environment, or "".
func (a *app) getenv(key string) string {
	for i := len(a.Environ) - 1; i >= 0; i-- {
		if name, value, _ := strings.Cut(a.Environ[i], "="); name == key && !isBlank(value) {
			return value
		}
	}
	return ""
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	// Not f.Fd: that would put the file into blocking mode.
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	yes := false
	err = raw.Control(func(fd uintptr) { yes = term.IsTerminal(int(fd)) })
	return err == nil && yes
}

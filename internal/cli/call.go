package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/spell"
	"github.com/weir-mcp/weir/upstream"
)

func (a *app) callCommand() *cobra.Command {
	var asJSON bool
	var folder, from string
	cmd := &cobra.Command{
		Use:   "call NAME [key=value … | {…} | -]",
		Short: "Call a tool",
		Long: `Call a tool by the name that a host sees ("weir tools" lists them), and print
what it answers.

Arguments are key=value, typed by the tool's own schema; key:=json sends a value
as it stands; a key that takes an array may be repeated. Or give all arguments
as one JSON object, or - to read that from stdin.

On a terminal structured content is shown as tables. Images, sound and other bytes
are saved in the working folder, or in the one that --save names, and a line says
under which name; a file that is there is never written over.

With --from, what is called is what a model has asked for: its tool call as the
API gave it (one, an array, or the message), given as {…} or on stdin. What is
printed goes back to that API. "weir tools --format" prints the definitions.

The exit code is 1 if the tool answers that it failed.`,
		Example: `  weir call files__read_file path=notes.txt
  weir call github__search_issues query="is:open flaky" limit=5
  weir call db__query 'params:=[1, null, "x"]' sql='select ?'
  weir call github__search_issues --json '{"query": "is:open", "limit": 5}'
  echo '{"query": "is:open"}' | weir call github__search_issues -
  weir call charts__pie title=Cakes --save ~/Pictures
  weir call --from anthropic < message.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && from == "" {
				return usageError("missing the NAME of a tool (see: weir tools)")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if from != "" {
				return a.callFrom(cmd.Context(), from, asJSON, args)
			}
			words, err := a.argumentWords(args[1:])
			if err != nil {
				return err
			}
			if asJSON {
				return a.call(cmd.Context(), args[0], words, a.printRaw)
			}
			return a.call(cmd.Context(), args[0], words, a.view(folder, args[0]).result)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the whole result as JSON, as it came")
	cmd.Flags().StringVar(&folder, "save", "", "the `FOLDER` for images and other bytes (default the working folder)")
	cmd.Flags().StringVar(&from, "from", "", "take the calls of a model, by `API`: openai, openai-responses, anthropic or gemini")
	return cmd
}

// argumentWords returns the words that stand for arguments, with "-" replaced
// by what stdin says.
func (a *app) argumentWords(words []string) ([]string, error) {
	if !slices.Equal(words, []string{"-"}) {
		return words, nil
	}
	text, err := io.ReadAll(a.Stdin)
	if err != nil {
		return nil, fmt.Errorf("reading arguments from stdin: %w", err)
	}
	if _, err := wholeObject(string(text)); err != nil {
		return nil, err
	}
	return []string{string(text)}, nil
}

func (a *app) call(ctx context.Context, name string, words []string, show func(*toolResult)) error {
	return a.asking(ctx, func(g *gateway) error {
		w := a.wait("calling " + name)
		result, err := g.callByWords(ctx, name, words, w)
		w.stop()
		if err != nil {
			return err
		}
		show(result)
		if result.IsError {
			return &exitError{exitFailed, failedCall(name, result)}
		}
		return nil
	})
}

// failedCall tells what came of a call that failed. What hosts are told of a server
// that is not there leaves out what a person has to know.
func failedCall(name string, result *toolResult) error {
	switch server, kind := result.failure(); upstream.Kind(kind) {
	case upstream.KindConnection, upstream.KindTransport, upstream.KindTimeout, upstream.KindAuthentication, upstream.KindProtocol, upstream.KindConfiguration:
		return fmt.Errorf("%s failed (see: weir doctor --server %s)", name, printable(server))
	default:
		return fmt.Errorf("%s answered with an error", name)
	}
}

// asking opens a weir whose requests are written to the audit log as those of any
// host are, and closes it behind ask.
func (a *app) asking(ctx context.Context, ask func(*gateway) error) error {
	file, cfg, err := a.gatewayFile(ctx)
	if err != nil {
		return err
	}
	level := &logLevel{}
	level.set("")
	log := a.logger(level)
	cfg.Audit = a.openAudit(file.Audit, log)
	defer closeAudit(cfg.Audit, log)
	g, err := a.openWith(ctx, cfg)
	if err != nil {
		return err
	}
	defer g.close()
	return ask(g)
}

// callByWords calls a tool with the arguments that words make of its schema.
// A name that is not listed is tried all the same: servers may be named by
// their aliases.
func (g *gateway) callByWords(ctx context.Context, name string, words []string, w *waiting) (*toolResult, error) {
	tools, err := g.host.listTools(ctx)
	if err != nil {
		return nil, err
	}
	var inputSchema []byte
	if i := slices.IndexFunc(tools, func(t listedTool) bool { return t.Name == name }); i >= 0 {
		inputSchema = tools[i].InputSchema
	}
	arguments, err := parseArguments(words, inputSchema)
	if err != nil {
		return nil, err
	}
	result, err := g.host.callTool(ctx, name, arguments, func(params []byte) { w.set(progressText(name, params)) })
	if _, refused := errors.AsType[*replyError](err); refused && inputSchema == nil {
		return nil, withSuggestion(err, name, tools)
	}
	return result, err
}

func withSuggestion(err error, name string, tools []listedTool) error {
	names := make([]string, len(tools))
	for i, t := range tools {
		names[i] = t.Name
	}
	if near := spell.Nearest(name, names); near != "" {
		return fmt.Errorf("%w; did you mean %q?", err, near)
	}
	return fmt.Errorf("%w (see: weir tools)", err)
}

func (a *app) printRaw(r *toolResult) { printLine(a.Stdout, string(r.Raw)) }

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/spell"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func (a *app) promptCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "prompt [NAME [key=value …]]",
		Short: "Fill in a prompt, or list those there are",
		Long: `Fill in a prompt by the name that a host sees, and print its messages, each under
the role that speaks. Arguments are key=value; all of them are texts.

Without a name it lists the prompts of all servers with their arguments; those in
brackets need not be given.`,
		Example: `  weir prompt
  weir prompt github__review_pr number=17
  weir prompt github__review_pr number=17 --json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listPrompts(cmd.Context(), asJSON)
			}
			show := a.view("", args[0]).messages
			if asJSON {
				show = func(raw []byte) error { printLine(a.Stdout, string(raw)); return nil }
			}
			return a.prompt(cmd.Context(), args[0], args[1:], show)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the whole result, or the list, as JSON")
	return cmd
}

// A listedPrompt is one entry of prompts/list.
type listedPrompt struct {
	Raw         []byte // as it came
	Name        string
	Description string
	Arguments   []promptArgument
}

// A promptArgument is what a prompt says of one of its arguments.
type promptArgument struct {
	Name     string
	Required bool
}

func newListedPrompt(raw []byte) listedPrompt {
	members, _ := jsonrpc.ParseObject(nil, raw)
	p := listedPrompt{Raw: raw, Name: textOf(members, "name"), Description: described(members)}
	arguments, _ := jsonrpc.ParseArray(nil, jsonrpc.Find(members, "arguments"))
	for _, raw := range arguments {
		a, _ := jsonrpc.ParseObject(nil, raw)
		p.Arguments = append(p.Arguments, promptArgument{textOf(a, "name"), string(jsonrpc.Find(a, "required")) == "true"})
	}
	return p
}

func (h *host) listPrompts(ctx context.Context) ([]listedPrompt, error) {
	entries, err := h.listAll(ctx, "prompts/list", "prompts")
	if err != nil {
		return nil, fmt.Errorf("listing prompts: %w", err)
	}
	prompts := make([]listedPrompt, len(entries))
	for i, raw := range entries {
		prompts[i] = newListedPrompt(raw)
	}
	return prompts, nil
}

func (a *app) prompt(ctx context.Context, name string, words []string, show func(raw []byte) error) error {
	return a.asking(ctx, func(g *gateway) error {
		w := a.wait("asking for " + name)
		raw, err := g.promptByWords(ctx, name, words)
		w.stop()
		if err != nil {
			return err
		}
		return show(raw)
	})
}

// promptByWords gets a prompt. A name that is not listed is tried all the same:
// servers may be named by their aliases.
func (g *gateway) promptByWords(ctx context.Context, name string, words []string) ([]byte, error) {
	prompts, err := g.host.listPrompts(ctx)
	if err != nil {
		return nil, err
	}
	var known *listedPrompt
	if i := slices.IndexFunc(prompts, func(p listedPrompt) bool { return p.Name == name }); i >= 0 {
		known = &prompts[i]
	}
	arguments, err := promptArguments(words, known)
	if err != nil {
		return nil, err
	}
	params := fmt.Appendf(nil, `{"name":%s,"arguments":%s}`, quoted(name), arguments)
	raw, err := g.host.call(ctx, "prompts/get", params)
	if _, refused := errors.AsType[*replyError](err); refused && known == nil {
		return nil, withNearestPrompt(err, name, prompts)
	}
	return raw, err
}

func withNearestPrompt(err error, name string, prompts []listedPrompt) error {
	names := make([]string, len(prompts))
	for i, p := range prompts {
		names[i] = p.Name
	}
	if near := spell.Nearest(name, names); near != "" {
		return fmt.Errorf("%w; did you mean %q?", err, near)
	}
	return fmt.Errorf("%w (see: weir prompt)", err)
}

// promptArguments makes the arguments of a prompt from words. Each must be one of
// its own, and none that it wants may be missing; of a prompt that is not known
// (nil) that is for the server to say.
func promptArguments(words []string, known *listedPrompt) ([]byte, error) {
	b := argumentsBuilder{}
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		if !ok || key == "" {
			return nil, usageError("argument %q is not of the form key=value", word)
		}
		if known != nil && !slices.Contains(known.argumentNames(), key) {
			return nil, unknownPromptArgument(known, key)
		}
		if err := b.set(key, jsonrpc.AppendString(nil, value)); err != nil {
			return nil, err
		}
	}
	if known == nil {
		return b.object(), nil
	}
	for _, a := range known.Arguments {
		if a.Required && !slices.Contains(b.keys, a.Name) {
			return nil, usageError("the prompt wants an argument %q (%s=…)", a.Name, a.Name)
		}
	}
	return b.object(), nil
}

func (p *listedPrompt) argumentNames() []string {
	names := make([]string, len(p.Arguments))
	for i, a := range p.Arguments {
		names[i] = a.Name
	}
	return names
}

func unknownPromptArgument(known *listedPrompt, key string) error {
	names := known.argumentNames()
	if near := spell.Nearest(key, names); near != "" {
		return usageError("the prompt has no argument %q; did you mean %q?", key, near)
	}
	if len(names) == 0 {
		return usageError("the prompt has no argument %q; it takes none", key)
	}
	return usageError("the prompt has no argument %q; it has %s", key, strings.Join(names, ", "))
}

// messages shows the messages of a prompt, each under its role.
func (v *view) messages(raw []byte) error {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return fmt.Errorf("reading the result: %w", err)
	}
	messages, err := jsonrpc.ParseArray(nil, jsonrpc.Find(members, "messages"))
	if err != nil {
		return fmt.Errorf("reading the messages: %w", err)
	}
	if text := textOf(members, "description"); text != "" {
		printLine(v.out, v.paint.dim(printable(text)))
	}
	for _, raw := range messages {
		message, _ := jsonrpc.ParseObject(nil, raw)
		printLine(v.out, v.paint.cyan(printable(textOf(message, "role"))+":"))
		v.block(jsonrpc.Find(message, "content"))
	}
	return nil
}

func (a *app) listPrompts(ctx context.Context, asJSON bool) error {
	g, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer g.close()
	prompts, err := g.host.listPrompts(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		entries := make([][]byte, len(prompts))
		for i, p := range prompts {
			entries[i] = p.Raw
		}
		printEntries(a.Stdout, entries)
		fmt.Fprintln(a.Stdout)
	} else {
		a.printPrompts(prompts)
	}
	return g.missing(a)
}

// printEntries writes one array, one entry a line, the entries as they came.
func printEntries(w io.Writer, entries [][]byte) {
	fmt.Fprint(w, "[")
	for i, raw := range entries {
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, "\n%s", raw)
	}
	fmt.Fprint(w, "\n]")
}

func (a *app) printPrompts(prompts []listedPrompt) {
	p := a.paint()
	t := table{head: []string{"PROMPT", "ARGUMENTS", "DESCRIPTION"}}
	for _, one := range prompts {
		t.rows = append(t.rows, []cell{{one.Name, p.bold}, plain(one.argumentWords()), plain(one.Description)})
	}
	if len(t.rows) > 0 {
		t.dropEmpty()
		t.print(a.Stdout, p, a.width())
	}
	fmt.Fprintln(a.Stdout, p.dim(plural(len(prompts), "prompt", "prompts")))
}

// argumentWords are the names of its arguments, those in brackets that need not be
// given.
func (p listedPrompt) argumentWords() string {
	words := make([]string, len(p.Arguments))
	for i, a := range p.Arguments {
		words[i] = a.Name
		if !a.Required {
			words[i] = "[" + a.Name + "]"
		}
	}
	return strings.Join(words, " ")
}

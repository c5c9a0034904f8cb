package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/internal/formats"
)

func (a *app) toolsCommand() *cobra.Command {
	var view toolsView
	cmd := &cobra.Command{
		Use:   "tools",
		Short: "List the tools that a host is offered",
		Long: `List the tools that a host is offered, under the names that it sees: those of
every server that the policy lets through. Stored lists are used where there are
any; servers never listed before are started and asked.

For a program that talks to a model itself, --format openai (Chat Completions),
openai-responses, anthropic or gemini prints the value of "tools" in a request to
that API. What cannot be kept is told on stderr. With --strict the API holds the
model to the schemas, where they allow it. "weir call --from" takes the model's
calls.

--tokens says what each tool costs a model that is offered it: an estimate, which is
within a tenth for nearly all tools.`,
		Example: `  weir tools
  weir tools --json
  weir tools --format anthropic
  weir tools --format openai --strict
  weir tools --tokens
  weir --config mcp.yaml.example tools`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			show, err := a.toolsShow(view, cmd.Flags().Changed("format"))
			if err != nil {
				return err
			}
			return a.listTools(cmd.Context(), show)
		},
	}
	cmd.Flags().BoolVar(&view.json, "json", false, "print the entries as JSON, each as a host gets it")
	cmd.Flags().StringVar(&view.format, "format", "table", "`table`, json, openai, openai-responses, anthropic or gemini")
	cmd.Flags().BoolVar(&view.tokens, "tokens", false, "say how many tokens each tool costs, by server and in all")
	cmd.Flags().BoolVar(&view.strict, "strict", false, "with openai or anthropic: ask for strict schemas")
	return cmd
}

// A toolsView is what a person wants to see of the tools.
type toolsView struct {
	json   bool
	format string
	strict bool
	tokens bool
}

// A toolsShow prints the tools that a gateway lists.
type toolsShow func(*gateway, []listedTool)

// toolsShow returns what prints the view.
func (a *app) toolsShow(v toolsView, formatGiven bool) (toolsShow, error) {
	if v.tokens {
		return a.tokensShow(v, formatGiven)
	}
	api, isAPI := formats.Parse(v.format)
	switch {
	case v.json && formatGiven && v.format != "json":
		return nil, usageError("--json and --format %s contradict each other", v.format)
	case v.strict && !isAPI:
		return nil, usageError("--strict goes with --format openai, openai-responses or anthropic")
	case v.strict && !api.HasStrict():
		return nil, usageError("%s has no strict schemas (in a request, the function calling mode VALIDATED is nearest)", api)
	case isAPI:
		style := formats.Style{API: api, Strict: v.strict}
		return func(_ *gateway, tools []listedTool) { a.printDefinitions(style, tools) }, nil
	case v.json || v.format == "json":
		return func(_ *gateway, tools []listedTool) { a.printToolsJSON(tools) }, nil
	case v.format == "table":
		return func(_ *gateway, tools []listedTool) { a.printTools(tools) }, nil
	}
	return nil, usageError("unknown format %q (want table, json, openai, openai-responses, anthropic or gemini)", v.format)
}

func (a *app) listTools(ctx context.Context, show toolsShow) error {
	file, cfg, err := a.gatewayFile(ctx)
	if err != nil {
		return err
	}
	g, err := a.openWith(ctx, cfg)
	if err != nil {
		return err
	}
	defer g.close()
	tools, err := g.host.listTools(ctx)
	if err != nil {
		return err
	}
	changes, unreadable := g.aggregator.PinChanges()
	markChanged(tools, changes)
	show(g, tools)
	a.tellChanges(changes, unreadable)
	a.tellExposure(file, len(tools))
	return g.missing(a)
}

// markChanged marks the tools that are not as they were when they were pinned.
func markChanged(tools []listedTool, changes []aggregator.PinChange) {
	for _, c := range changes {
		for i := range tools {
			if c.Kind == pins.Tool && tools[i].Name == c.Exposed {
				tools[i].changed = true
			}
		}
	}
}

// tellChanges tells of definitions that have changed since they were pinned, and
// of pins that cannot be read.
func (a *app) tellChanges(changes []aggregator.PinChange, unreadable error) {
	withheld := 0
	for _, c := range changes {
		if c.Withheld {
			withheld++
		}
	}
	if len(changes) > 0 {
		text := plural(len(changes), "definition has", "definitions have") + " changed since they were pinned"
		if withheld > 0 {
			text += fmt.Sprintf(", %d of them held back", withheld)
		}
		fmt.Fprintln(a.Stderr, a.errorPaint().yellow("changed:"), text+` ("weir pins diff" shows how)`)
	}
	if unreadable != nil {
		fmt.Fprintln(a.Stderr, a.errorPaint().yellow("warning:"), printable(unreadable.Error()))
	}
}

func (a *app) printTools(tools []listedTool) {
	p := a.paint()
	t := table{head: []string{"TOOL", "DESCRIPTION"}}
	for _, tool := range tools {
		row := []cell{{tool.Name, p.bold}, plain(tool.Description)}
		if tool.changed {
			row = []cell{{tool.Name, p.yellow}, plain("(changed) " + tool.Description)}
		}
		t.rows = append(t.rows, row)
	}
	t.print(a.Stdout, p, a.width())
	fmt.Fprintln(a.Stdout, p.dim(plural(len(tools), "tool", "tools")))
}

// printToolsJSON writes the entries as they came.
func (a *app) printToolsJSON(tools []listedTool) {
	entries := make([][]byte, len(tools))
	for i, tool := range tools {
		entries[i] = tool.Raw
	}
	printEntries(a.Stdout, entries)
	fmt.Fprintln(a.Stdout)
}

package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/pins"
)

func (a *app) toolsCommand() *cobra.Command {
	var asJSON bool
	var format string
	cmd := &cobra.Command{
		Use:   "tools",
		Short: "List the tools that a host is offered",
		Long: `List the tools that a host is offered, under the names that it sees: those of
every server that the policy lets through. Stored lists are used where there are
any; servers never listed before are started and asked.`,
		Example: `  weir tools
  weir tools --json
  weir --config mcp.yaml.example tools`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case asJSON && cmd.Flags().Changed("format") && format != "json":
				return usageError("--json and --format %s contradict each other", format)
			case asJSON || format == "json":
				return a.listTools(cmd.Context(), a.printToolsJSON)
			case format == "table":
				return a.listTools(cmd.Context(), a.printTools)
			}
			return usageError("unknown format %q (want table or json)", format)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the entries as JSON, each as a host gets it")
	cmd.Flags().StringVar(&format, "format", "table", "`table` or json")
	return cmd
}

func (a *app) listTools(ctx context.Context, show func([]listedTool)) error {
	g, err := a.open(ctx)
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
	show(tools)
	a.tellChanges(changes, unreadable)
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
		name := cell{tool.Name, p.bold}
		if tool.changed {
			name = cell{tool.Name + " (changed)", p.yellow}
		}
		t.rows = append(t.rows, []cell{name, plain(tool.Description)})
	}
	t.print(a.Stdout, p, a.width())
	fmt.Fprintln(a.Stdout, p.dim(plural(len(tools), "tool", "tools")))
}

// printToolsJSON writes one array, one entry a line, the entries as they came.
func (a *app) printToolsJSON(tools []listedTool) {
	fmt.Fprint(a.Stdout, "[")
	for i, tool := range tools {
		if i > 0 {
			fmt.Fprint(a.Stdout, ",")
		}
		fmt.Fprintf(a.Stdout, "\n%s", tool.Raw)
	}
	fmt.Fprintln(a.Stdout, "\n]")
}

package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func (a *app) policyExplainCommand() *cobra.Command {
	var asJSON, prompt, resource bool
	var who personFlags
	cmd := &cobra.Command{
		Use:   "explain NAME [key=value … | {…}]",
		Short: "Say what the policy makes of a call, and why",
		Long: `Say what the policy makes of a call, and which line of the configuration decides.
Nothing is called.

NAME is what a host sees ("weir tools" lists it), or what it would see: a tool
that no server lists yet is judged by its name. Arguments are given as to "weir
call"; without any, the answer is for a call without arguments.

The answer is for whom this run is for: --key, --team and --org take the names
of others in the configuration, --profile another profile.`,
		Example: `  weir policy explain files__delete_file
  weir policy explain db__query sql='drop table users'
  weir policy explain --resource file:///etc/passwd
  weir policy explain --key laptop files__write_file
  weir policy explain --profile work files__write_file`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError("missing the NAME of a tool, a prompt or a resource (see: weir policy explain --help)")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			use := aggregator.Use{Kind: catalog.Tools, Name: args[0]}
			switch {
			case prompt && resource:
				return usageError("--prompt and --resource contradict each other")
			case prompt:
				use.Kind = catalog.Prompts
			case resource:
				use.Kind = catalog.Resources
			}
			show := printExplanation
			if asJSON {
				show = printExplanationJSON
			}
			return a.explain(cmd.Context(), who.Principal, use, args[1:], show)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an object")
	cmd.Flags().BoolVar(&prompt, "prompt", false, "NAME is a prompt's")
	cmd.Flags().BoolVar(&resource, "resource", false, "NAME is the URI of a resource")
	who.add(cmd)
	return cmd
}

func (a *app) explain(
	ctx context.Context, named policy.Principal, use aggregator.Use, words []string, show func(io.Writer, paint, explained),
) error {
	l, err := a.lookOut(ctx, named)
	if err != nil {
		return err
	}
	defer l.close()
	e, err := l.aggregator.Explain(use)
	if err != nil {
		return fmt.Errorf("%w (see: weir tools; or write it as SERVER__NAME)", err)
	}
	if len(words) > 0 {
		definition, _ := jsonrpc.ParseObject(nil, e.Definition)
		if use.Arguments, err = parseArguments(words, jsonrpc.Find(definition, "inputSchema")); err != nil {
			return err
		}
		if e, err = l.aggregator.Explain(use); err != nil {
			return err
		}
	}
	show(a.Stdout, a.paint(), explained{Explanation: e, use: use, who: l.who.Principal})
	return nil
}

// explained is an explanation on its way to a person.
type explained struct {
	aggregator.Explanation
	use aggregator.Use
	who policy.Principal
}

// asker says who would ask; "" for a process that shows nothing.
func (e explained) asker() string {
	var parts []string
	for _, part := range []struct{ kind, name string }{
		{"key", e.who.Key}, {"team", e.who.Team}, {"org", e.who.Org}, {"profile", e.who.Profile},
	} {
		if part.name != "" {
			parts = append(parts, fmt.Sprintf("%s %q", part.kind, part.name))
		}
	}
	return strings.Join(parts, ", ")
}

// outcome is what comes of it at a host.
func (e explained) outcome() string {
	switch {
	case !e.Listed():
		return "it does not exist for the host: it is in no list, and using it answers as if it were unknown"
	case e.Level < policy.Read, e.Kind == policy.Tool && !e.Callable() && e.Best >= policy.Execute:
		return "it is listed, and refused with these arguments"
	case e.Kind == policy.Tool && !e.Callable():
		return "it is listed, and a call is refused"
	case e.Ask:
		return "it may be used once a person has approved"
	}
	return "it may be used"
}

func printExplanation(out io.Writer, p paint, e explained) {
	fmt.Fprintf(out, "%s %s of server %s\n", e.Kind, p.bold(fmt.Sprintf("%q", e.Name)), p.bold(e.Server))
	colour := p.green
	if !e.Callable() {
		colour = p.red
	}
	row := func(label, text string) { fmt.Fprintf(out, "  %-9s %s\n", label, text) }
	if text := e.asker(); text != "" {
		row("for", text)
	}
	row("level", colour(e.Level.String()))
	if e.Policy != "" {
		row("policy", printable(e.Policy))
	}
	row("because", printable(e.Reason)+at(e.Pos))
	if e.Ask {
		row("approval", p.yellow("asked for")+": "+printable(e.AskReason)+at(e.AskPos))
	}
	if e.Definition == nil && e.Server != policy.Own {
		row("note", p.yellow("no server lists it: it is judged by its name alone"))
	}
	row("so", e.outcome())
}

// at says where something stands, if that is known.
func at(pos policy.Position) string {
	if text := pos.String(); text != "" {
		return " (" + text + ")"
	}
	return ""
}

func printExplanationJSON(out io.Writer, _ paint, e explained) {
	line := struct {
		Server    string `json:"server"`
		Kind      string `json:"kind"`
		Name      string `json:"name"`
		Known     bool   `json:"known"` // a server lists it
		Level     string `json:"level"`
		Listed    bool   `json:"listed"`
		Callable  bool   `json:"callable"`
		Policy    string `json:"policy,omitempty"`
		Rule      string `json:"rule,omitempty"`
		Where     string `json:"where,omitempty"`
		Reason    string `json:"reason"`
		Ask       bool   `json:"ask"`
		AskReason string `json:"askReason,omitempty"`
		AskWhere  string `json:"askWhere,omitempty"`
	}{
		e.Server, e.Kind.String(), e.Name, e.Definition != nil, e.Level.String(), e.Listed(), e.Callable(),
		e.Policy, e.Rule, e.Pos.String(), e.Reason, e.Ask, e.AskReason, e.AskPos.String(),
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(line) // nobody is left to tell
}

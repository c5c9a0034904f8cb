package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/spell"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func (a *app) policyCheckCommand() *cobra.Command {
	var asJSON bool
	var who personFlags
	cmd := &cobra.Command{
		Use:   "check FILE | check SERVER TOOL [key=value … | {…}]",
		Short: "Hold the policy to a table of what you expect of it",
		Long: `Hold the policy to a table of expectations, a list in YAML, and print each row
that is not so. A row says what is asked, and one or more of expect (the level),
ask (whether a person must approve) and listed:

  - {server: files, tool: read_file, expect: execute}
  - {server: db, tool: delete_row, expect: deny, listed: false}
  - {key: laptop, server: db, tool: query, args: {sql: "drop t"}, expect: deny}
  - {profile: work, server: files, resource: "file:///etc/passwd", expect: deny}

Rows without key, team, org or profile are about whom this run is for. Nothing is
called and no server is started: what stored lists say of a tool counts.

With SERVER and TOOL it says whether that call may be made, and the exit code is
0 if it may, without anybody's approval.`,
		Example: `  weir policy check expectations.yaml
  weir policy check --key laptop files delete_file
  weir policy check db query sql='drop table users'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError("missing the FILE with expectations, or SERVER and TOOL (see: weir policy check --help)")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				show := printExplanation
				if asJSON {
					show = printExplanationJSON
				}
				return a.mayCall(cmd.Context(), who.Principal, args, show)
			}
			show := a.printChecks
			if asJSON {
				show = a.printChecksJSON
			}
			return a.checkTable(cmd.Context(), who.Principal, args[0], show)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print objects; of a table all rows, those that are so included")
	who.add(cmd)
	return cmd
}

// mayCall says whether one call may be made: words are the server, the tool and
// its arguments.
func (a *app) mayCall(ctx context.Context, named policy.Principal, words []string, show func(io.Writer, paint, explained)) error {
	l, err := a.lookOutQuietly(ctx, named)
	if err != nil {
		return err
	}
	defer l.close()
	server, err := l.server(words[0])
	if err != nil {
		return err
	}
	use := aggregator.Use{Kind: catalog.Tools, Server: server, Name: words[1]}
	e, err := l.aggregator.Explain(use)
	if err != nil {
		return err
	}
	if len(words) > 2 {
		definition, _ := jsonrpc.ParseObject(nil, e.Definition)
		if use.Arguments, err = parseArguments(words[2:], jsonrpc.Find(definition, "inputSchema")); err != nil {
			return err
		}
		if e, err = l.aggregator.Explain(use); err != nil {
			return err
		}
	}
	show(a.Stdout, a.paint(), explained{Explanation: e, use: use, who: l.who.Principal})
	if !e.Callable() || e.Ask {
		return &exitError{exitFailed, nil}
	}
	return nil
}

// server returns the name of the server that is called so.
func (l *lookout) server(called string) (string, error) {
	known := l.file.People.Servers
	if target, isAlias := known.Aliases[called]; isAlias {
		return target, nil
	}
	if slices.Contains(known.Names, called) || called == policy.Own || called == policy.OwnTools {
		return called, nil
	}
	if near := spell.Nearest(called, known.Names); near != "" {
		return "", fmt.Errorf("there is no server %q; did you mean %q?", called, near)
	}
	return "", fmt.Errorf("there is no server %q (see: weir servers)", called)
}

// A check is a row of a table, and in which ways it is not so.
type check struct {
	policy.Expectation
	verdict  policy.Verdict
	failures []string
}

func (a *app) checkTable(ctx context.Context, named policy.Principal, path string, show func([]check)) error {
	rows, err := config.ReadExpectations(path)
	if err != nil {
		return err
	}
	l, err := a.lookOutQuietly(ctx, named)
	if err != nil {
		return err
	}
	defer l.close()
	checks := make([]check, len(rows))
	failed := 0
	for i, row := range rows {
		if checks[i], err = a.check(l, row); err != nil {
			return fmt.Errorf("%s: %w", row.Pos, err)
		}
		if len(checks[i].failures) > 0 {
			failed++
		}
	}
	show(checks)
	if failed > 0 {
		return &exitError{exitFailed, nil}
	}
	return nil
}

// check holds one row against the policy of whom it names.
func (a *app) check(l *lookout, row policy.Expectation) (check, error) {
	r := row.Request(l.file.People.Servers.Aliases)
	who := l.who
	if r.Principal != (policy.Principal{}) {
		var err error
		if who, err = a.person(l.file, r.Principal); err != nil {
			return check{}, err
		}
	}
	if _, err := l.server(r.Server); err != nil {
		return check{}, err
	}
	p := who.Policy
	if !who.Serves(r.Server) {
		p = policy.DenyAll(fmt.Sprintf("profile %q does not have server %q", who.Profile, r.Server))
	}
	r.Principal = who.Principal
	r.Definition = l.definition(r)
	c := check{Expectation: row}
	c.verdict, c.failures = row.Check(p, r)
	return c, nil
}

// definition is what the server's stored list says of a tool; nil for nothing.
func (l *lookout) definition(r policy.Request) []byte {
	if r.Kind != policy.Tool {
		return nil
	}
	e, err := l.aggregator.Explain(aggregator.Use{Kind: catalog.Tools, Server: r.Server, Name: r.Name})
	if err != nil {
		return nil
	}
	return e.Definition
}

func (a *app) printChecks(checks []check) {
	p := a.paint()
	failed := 0
	for _, c := range checks {
		if len(c.failures) > 0 {
			failed++
		}
		for _, failure := range c.failures {
			fmt.Fprintf(a.Stdout, "%s: %s: %s\n", p.bold(c.Pos.String()), c.subject(), p.red(printable(failure)))
		}
	}
	if failed == 0 {
		fmt.Fprintln(a.Stdout, p.green(fmt.Sprintf("all %s are so", plural(len(checks), "row", "rows"))))
		return
	}
	fmt.Fprintln(a.Stdout, p.dim(fmt.Sprintf("%d of %s not so", failed, plural(len(checks), "row", "rows"))))
}

// subject is what a row is about, in a few words.
func (c check) subject() string {
	for _, named := range []struct{ kind, name string }{{"tool", c.Tool}, {"prompt", c.Prompt}, {"resource", c.Resource}} {
		if named.name != "" {
			return fmt.Sprintf("%s %q of %q", named.kind, named.name, c.Server)
		}
	}
	return fmt.Sprintf("server %q", c.Server)
}

func (a *app) printChecksJSON(checks []check) {
	type line struct {
		File     string   `json:"file"`
		Line     int      `json:"line"`
		OK       bool     `json:"ok"`
		Level    string   `json:"level"`
		Ask      bool     `json:"ask"`
		Listed   bool     `json:"listed"`
		Reason   string   `json:"reason"`
		Failures []string `json:"failures,omitempty"`
	}
	lines := make([]line, len(checks))
	for i, c := range checks {
		v := c.verdict
		lines[i] = line{c.Pos.File, c.Pos.Line, len(c.failures) == 0, v.Level.String(), v.Ask, v.Listed(), v.Reason, c.failures}
	}
	encoder := json.NewEncoder(a.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(lines) // nobody is left to tell
}

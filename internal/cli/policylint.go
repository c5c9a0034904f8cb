package cli

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/spell"
	"github.com/weir-mcp/weir/policy"
)

func (a *app) policyLintCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Find rules that do nothing, or not what they seem to",
		Long: `Look at every policy of the configuration for rules that can never decide, for
patterns that match nothing any server has, and for grants that a deny always
beats. What servers have is taken from their stored lists; servers never listed
before are started and asked.

The exit code is 1 if there is anything to mend.`,
		Example: `  weir policy lint
  weir policy lint --json
  weir --config mcp.yaml.example policy lint`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return a.lint(cmd.Context(), a.printFindingsJSON)
			}
			return a.lint(cmd.Context(), a.printFindings)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	return cmd
}

func (a *app) lint(ctx context.Context, show func(policies int, findings []policy.Finding)) error {
	l, err := a.lookOut(ctx, policy.Principal{})
	if err != nil {
		return err
	}
	defer l.close()
	people, known := l.file.People, l.aggregator.Items()
	var findings []policy.Finding
	for _, p := range people.Policies {
		findings = append(findings, policy.Lint(p, people.Servers, known)...)
	}
	show(len(people.Policies), findings)
	if len(findings) > 0 {
		return &exitError{exitFailed, nil}
	}
	return nil
}

func (a *app) printFindings(policies int, findings []policy.Finding) {
	p := a.paint()
	for _, f := range findings {
		where := ""
		if f.Pos != (policy.Position{}) {
			where = p.bold(f.Pos.String()) + ": "
		}
		fmt.Fprintln(a.Stdout, where+printable(f.Text)+meant(f))
	}
	switch {
	case policies == 0:
		fmt.Fprintln(a.Stdout, p.yellow("there is no policy: every tool may be called"))
	case len(findings) == 0:
		fmt.Fprintln(a.Stdout, p.green(plural(policies, "policy", "policies")+": nothing to mend"))
	}
}

// meant is a hint at the name that was meant, or "".
func meant(f policy.Finding) string {
	if near := spell.Nearest(f.Word, f.Known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

func (a *app) printFindingsJSON(_ int, findings []policy.Finding) {
	type line struct {
		File string `json:"file,omitempty"`
		Line int    `json:"line,omitempty"`
		Rule int    `json:"rule,omitempty"`
		Text string `json:"text"`
	}
	lines := make([]line, len(findings))
	for i, f := range findings {
		lines[i] = line{f.Pos.File, f.Pos.Line, f.Rule, f.Text + meant(f)}
	}
	encoder := json.NewEncoder(a.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(lines) // nobody is left to tell
}

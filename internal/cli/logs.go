package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/policy"
)

// A logQuery is what of the audit log is wanted.
type logQuery struct {
	server, name, tool, host, principal glob
	denied, failed                      bool
	since                               moment
	last                                int
	follow, asJSON                      bool
}

func (a *app) logsCommand() *cobra.Command {
	var q logQuery
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Show what hosts asked for, and what became of it",
		Long: `Show the audit log: a line for each request of a host, the newest last, with what
the policy said of it and what became of it. It is read from the file that
mcp.yaml names (audit), and from those that it was rotated to.

GLOBs are patterns with * ? and [a-z], for the names that the servers use
themselves.`,
		Example: `  weir logs
  weir logs --denied --since 24h
  weir logs --follow --server github
  weir logs --tool 'delete_*' --last 0
  weir logs --json --since 1h | jq 'select(.duration_ms > 1000) | .name'`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.last < 0 {
				return usageError("--last: want a number of lines, 0 for all")
			}
			if !q.since.Time.IsZero() && !cmd.Flags().Changed("last") {
				q.last = 0
			}
			return a.logs(cmd.Context(), &q)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&q.follow, "follow", "f", false, "go on showing what comes, until interrupted")
	flags.Var(&q.server, "server", "only requests that `GLOB` names the server of")
	flags.Var(&q.tool, "tool", "only calls of the tools that `GLOB` names")
	flags.Var(&q.name, "name", "only requests for what `GLOB` names: tools, prompts, URIs, lists")
	flags.Var(&q.host, "host", "only requests of the hosts that `GLOB` names, such as claude*")
	flags.Var(&q.principal, "principal", "only requests of the keys that `GLOB` names")
	flags.BoolVar(&q.denied, "denied", false, "only what the policy has denied")
	flags.BoolVar(&q.failed, "failed", false, "only what has failed or was answered with an error")
	flags.Var(&q.since, "since", "only what is not older: a `TIME` such as 1h, 2026-11-22 or 2026-11-22T15:04:05Z")
	flags.IntVarP(&q.last, "last", "n", 50, "only the last `N` lines; 0 = all (with --since: all)")
	flags.BoolVar(&q.asJSON, "json", false, "print the lines as they stand in the file")
	return cmd
}

func (a *app) logs(ctx context.Context, q *logQuery) error {
	var settings config.Audit
	if file, err := a.load(); err == nil {
		settings = file.Audit
	} else {
		fmt.Fprintln(a.Stderr, a.errorPaint().yellow("warning:"), "the configuration cannot be used; this is the default audit log")
	}
	if settings.Off {
		return errors.New("there is no audit log: the configuration turns it off (audit.file)")
	}
	path, _, err := a.auditPlace(settings)
	if err != nil {
		return err
	}
	r := audit.NewReader(path)
	defer r.Close()
	show := a.showEntry()
	if q.asJSON {
		show = a.showLines
	}
	entries, err := q.read(ctx, r)
	if err != nil {
		return err
	}
	if err := show(entries); err != nil {
		return nil //nolint:nilerr // who reads has gone, as head does
	}
	if q.follow {
		return q.watch(ctx, r, show)
	}
	if r.Skipped > 0 {
		fmt.Fprintln(a.Stderr, a.errorPaint().yellow("warning:"), plural(r.Skipped, "line is", "lines are"), "not readable")
	}
	if len(entries) == 0 && !q.asJSON {
		fmt.Fprintln(a.Stderr, "nothing is recorded that fits, in", path)
	}
	return nil
}

// read returns the entries that are there and wanted.
func (q *logQuery) read(ctx context.Context, r *audit.Reader) ([]audit.Entry, error) {
	var wanted []audit.Entry
	for ctx.Err() == nil {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		if !q.wants(&e) {
			continue
		}
		if q.last > 0 && len(wanted) >= 2*q.last {
			wanted = append(wanted[:0], wanted[len(wanted)-q.last:]...)
		}
		wanted = append(wanted, e)
	}
	if q.last > 0 && len(wanted) > q.last {
		wanted = wanted[len(wanted)-q.last:]
	}
	return wanted, nil
}

// lookAgain is how often the file is looked at for more.
const lookAgain = 200 * time.Millisecond

// watch shows what comes until the command is interrupted, or who reads has gone.
func (q *logQuery) watch(ctx context.Context, r *audit.Reader, show func([]audit.Entry) error) error {
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
		entries, err := q.read(ctx, r)
		if err != nil {
			return err
		}
		if err := show(entries); err != nil {
			return nil //nolint:nilerr // as on a terminal that was closed
		}
	}
}

// wants reports whether an entry is asked for. That some were lost is of interest
// to everybody.
func (q *logQuery) wants(e *audit.Entry) bool {
	if e.Time.Before(q.since.Time) {
		return false
	}
	if e.Lost > 0 {
		return true
	}
	switch {
	case q.denied && q.failed:
		if e.Outcome != audit.Denied && !failed(e) {
			return false
		}
	case q.denied && e.Outcome != audit.Denied, q.failed && !failed(e):
		return false
	}
	return q.server.matches(e.Server) && q.name.matches(e.Name) && q.host.matches(e.Host) &&
		q.principal.matches(e.Principal) && (!q.tool.given || e.Kind == audit.KindTool && q.tool.matches(e.Name))
}

func failed(e *audit.Entry) bool { return e.Outcome == audit.Failed || e.Outcome == audit.Error }

// showLines prints entries as they stand in the file.
func (a *app) showLines(entries []audit.Entry) error {
	for _, e := range entries {
		if _, err := fmt.Fprintf(a.Stdout, "%s\n", e.Line); err != nil {
			return err
		}
	}
	return nil
}

// showEntry returns what prints entries as a table, part after part, in columns
// that the first part decides.
func (a *app) showEntry() func([]audit.Entry) error {
	p := a.paint()
	var widths []int
	return func(entries []audit.Entry) error {
		var text strings.Builder
		rows := make([][]cell, len(entries))
		for i := range entries {
			rows[i] = logRow(p, &entries[i])
		}
		if widths == nil {
			if len(rows) == 0 {
				return nil
			}
			var head []cell
			for _, title := range []string{"TIME", "HOST", "SERVER", "NAME", "VERDICT", "OUTCOME", "TOOK", "WHY"} {
				head = append(head, cell{title, p.dim})
			}
			rows = slices.Insert(rows, 0, head)
			widths = logWidths(rows, a.width())
		}
		for _, row := range rows {
			text.WriteString(strings.TrimRight(rowText(row, widths), " \n") + "\n")
		}
		_, err := io.WriteString(a.Stdout, text.String())
		return err
	}
}

// logWidths are columns in which most of what may come has room.
func logWidths(rows [][]cell, width int) []int {
	const widest = 40 // of a host and a name: a URI may be long
	for _, row := range rows {
		for _, i := range []int{1, 3} {
			row[i].text = oneLine(row[i].text, widest)
		}
	}
	widths := (&table{rows: rows}).columnWidths(width)
	for i, least := range []int{19, 12, 10, 24, 7, 9, 9, 12} {
		if i < len(widths)-1 || width == 0 {
			widths[i] = max(widths[i], least)
		}
	}
	if width == 0 {
		widths[len(widths)-1] = max(widths[len(widths)-1], 200) // nothing is cut where nothing must be
	}
	return widths
}

func logRow(p paint, e *audit.Entry) []cell {
	at := plain(e.Time.Local().Format("2006-01-02 15:04:05"))
	if e.Lost > 0 {
		return []cell{at, plain(""), plain(""), {plural(e.Lost, "record", "records") + " lost", p.red}, plain(""), {"lost", p.red}, plain(""), plain("")}
	}
	name := cmp.Or(e.Name, e.Method)
	if e.Kind != audit.KindTool && e.Name != "" {
		name = strings.TrimSpace(e.Kind + " " + name)
	}
	if e.Kind == audit.KindList && e.Outcome == audit.OK {
		name += fmt.Sprintf(" (%d)", e.Count)
	}
	return []cell{
		at, plain(e.Host), plain(e.Server),
		{name, p.bold},
		plain(e.Verdict),
		{e.Outcome, outcomeColour(p, e.Outcome)},
		plain(took(e)), plain(why(e)),
	}
}

func took(e *audit.Entry) string {
	return milliseconds(time.Duration(e.Milliseconds * float64(time.Millisecond)))
}

// why is what a person wants to know of a request that did not simply go well.
func why(e *audit.Entry) string {
	switch {
	case e.Outcome == audit.Denied, e.Verdict == "ask":
		return e.Rule
	case e.MaybeRan && e.Failure != "":
		return e.Failure + ", it may have run"
	case e.MaybeRan:
		return "it may have run"
	}
	return e.Failure
}

func outcomeColour(p paint, outcome string) func(string) string {
	switch outcome {
	case audit.OK:
		return p.green
	case audit.Denied, audit.Error, audit.Failed:
		return p.red
	}
	return p.yellow
}

// A glob is a flag that is a pattern. One that is not given matches everything.
type glob struct {
	pattern policy.Glob
	given   bool
}

// String implements pflag.Value.
func (g *glob) String() string { return g.pattern.String() }

// Set implements pflag.Value.
func (g *glob) Set(text string) (err error) {
	g.pattern, err = policy.ParseGlob(text)
	g.given = true
	return err
}

// Type implements pflag.Value.
func (g *glob) Type() string { return "glob" }

func (g *glob) matches(text string) bool { return !g.given || g.pattern.Match(text) }

// A moment is a flag that is a point in time, or how long ago that was.
type moment struct{ time.Time }

// String implements pflag.Value.
func (m *moment) String() string { return "" }

// Set implements pflag.Value.
func (m *moment) Set(text string) error {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		m.Time = time.Now().Add(-ago)
		return nil
	}
	for _, layout := range []string{time.DateOnly, time.DateTime, "2006-01-02T15:04:05", time.RFC3339} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			m.Time = at
			return nil
		}
	}
	return fmt.Errorf("%q is neither a duration (30m, 24h) nor a time (2026-11-22, 2026-11-22T15:04:05Z)", text)
}

// Type implements pflag.Value.
func (m *moment) Type() string { return "time" }

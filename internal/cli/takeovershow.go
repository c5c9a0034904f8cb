package cli

import (
	"fmt"
	"strings"

	"github.com/weir-mcp/weir/internal/hosts"
)

// print shows the plan as a whole: what becomes of each server, what mcp.yaml gets,
// and what changes in the files of hosts.
func (t *takeOver) print() error {
	for _, err := range t.failed {
		fmt.Fprintf(t.Stderr, "%s %v\n", t.errorPaint().red("weir:"), err)
	}
	t.told = len(t.failed)
	t.printTroubles()
	t.printServersFound()
	for _, c := range t.candidates(hosts.New) {
		t.printCandidate(c)
	}
	if t.agreed.Changes() {
		if err := t.printDraft(t.agreed); err != nil {
			return err
		}
		fmt.Fprintln(t.Stdout)
	}
	for _, c := range t.changes {
		t.printHostChange(c)
	}
	for _, c := range t.already {
		t.sayInAlready(c)
	}
	if len(t.changes) == 0 && len(t.failed) == 0 {
		fmt.Fprintln(t.Stdout, "There is nothing to take over.")
	}
	return nil
}

func (t *takeOver) printServersFound() {
	rows := table{head: []string{"HOST", "NAME", "BECOMES", "KIND", "NOTE"}}
	paint := t.paint()
	for _, c := range t.found {
		rows.rows = append(rows.rows, []cell{
			plain(hostName(c.File.Place)), plain(oneLine(c.Name, 32)), {c.As, paint.bold}, plain(kindOf(c)), plain(t.remark(c)),
		})
	}
	for _, s := range t.staying {
		c := &hosts.Candidate{Server: s.server, Verdict: hosts.Broken}
		rows.rows = append(rows.rows, []cell{
			plain(hostName(s.place)), plain(oneLine(s.server.Name, 32)), plain("-"), plain(kindOf(c)), plain("stays, see below"),
		})
	}
	if len(rows.rows) == 0 {
		return
	}
	rows.print(t.Stdout, paint, t.width())
	fmt.Fprintln(t.Stdout)
	for _, s := range t.staying {
		fmt.Fprintf(t.Stdout, "%s stays in %s: %s\n", paint.bold(oneLine(s.server.Name, 64)), hostName(s.place), printable(s.why))
	}
	if len(t.staying) > 0 {
		fmt.Fprintln(t.Stdout)
	}
	if name := t.identity.profile.text; name != "" && len(t.found) > 0 {
		fmt.Fprintf(t.Stdout, "The profile %q has all that weir takes over here.\n\n", name)
	}
}

// printWayBack says how all becomes as it was.
func (t *takeOver) printWayBack() {
	var ids []string
	for _, c := range t.changes {
		if len(c.taken) > 0 {
			ids = append(ids, c.host.ID)
		}
	}
	if len(ids) == 0 {
		return
	}
	way := fmt.Sprintf("weir uninstall %s gives hosts their servers back", strings.Join(ids, " "))
	if t.record != nil {
		way += "; then weir import --undo takes them out of mcp.yaml"
	}
	fmt.Fprintf(t.Stdout, "\nBack again: %s.\n", way)
}

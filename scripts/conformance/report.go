package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// A row is one scenario of a leg.
type row struct {
	leg, scenario   string
	direct, through []check
	differences     []difference
}

// A difference is a check that weir changes.
type difference struct{ check, direct, through, message string }

// compare returns the checks that do not come out the same.
func compare(direct, through []check) []difference {
	var found []difference
	a, b := byID(direct), byID(through)
	for _, id := range idsOf(direct, through) {
		if !slices.Equal(a[id], b[id]) {
			found = append(found, difference{id, strings.Join(a[id], " "), strings.Join(b[id], " "), messages(through, id)})
		}
	}
	return found
}

// faults returns the checks of a client that do not pass.
func faults(through []check) []difference {
	var found []difference
	statuses := byID(through)
	for _, id := range idsOf(through) {
		if slices.ContainsFunc(through, func(c check) bool { return c.ID == id && !c.passes() }) {
			found = append(found, difference{check: id, through: strings.Join(statuses[id], " "), message: messages(through, id)})
		}
	}
	if len(through) == 0 {
		found = append(found, difference{check: "scenario", message: "no check was made"})
	}
	return found
}

// byID is what came out of each check; one may be made more than once.
func byID(checks []check) map[string][]string {
	statuses := map[string][]string{}
	for _, c := range checks {
		statuses[c.ID] = append(statuses[c.ID], c.Status)
	}
	for _, s := range statuses {
		slices.Sort(s)
	}
	return statuses
}

func idsOf(lists ...[]check) []string {
	ids := map[string]bool{}
	for _, list := range lists {
		for _, c := range list {
			ids[c.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

func messages(checks []check, id string) string {
	var found []string
	for _, c := range checks {
		if c.ID == id && !c.passes() {
			found = append(found, cmp.Or(c.ErrorMessage, c.Description))
		}
	}
	return strings.Join(found, "; ")
}

// total is how many of the checks pass, "-" if none was made.
func total(checks []check) string {
	if len(checks) == 0 {
		return "-"
	}
	passed := 0
	for _, c := range checks {
		if c.passes() {
			passed++
		}
	}
	return fmt.Sprintf("%d/%d", passed, len(checks))
}

// report writes the table. The error says what is not as expected.
func report(out io.Writer, rows []row, expected baseline) error {
	var problems []string
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LEG\tSCENARIO\tDIRECT\tWEIR\tEXPECTED")
	for _, r := range rows {
		what := "the same"
		for _, d := range r.differences {
			e := expected.find(r, d.check)
			if e == nil {
				what = "NO"
				problems = append(problems, fmt.Sprintf("%s %s: %s: direct %q, through weir %q: %s",
					r.leg, r.scenario, d.check, d.direct, d.through, d.message))
				continue
			}
			e.met = true
			if what != "NO" {
				what = e.reason
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.leg, r.scenario, total(r.direct), total(r.through), what)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, e := range expected.stale(rows) {
		problems = append(problems, fmt.Sprintf("baseline.txt:%d: %s %s: this difference is gone", e.line, e.scenario, e.check))
	}
	if len(problems) == 0 {
		return nil
	}
	return errors.New("not as expected:\n" + strings.Join(problems, "\n"))
}

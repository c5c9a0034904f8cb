package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// What is between these marks of a page is written anew.
const (
	pageBegin = "<!-- figures: written by scripts/bench -->\n"
	pageEnd   = "<!-- end of figures -->\n"
)

func writePage(file string, findings []finding, e effort) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	written, err := withFigures(string(page), tables(findings)+conditions(e))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(written), 0o644)
}

// withFigures puts the figures between the marks of a page.
func withFigures(page, figures string) (string, error) {
	before, rest, found := strings.Cut(page, pageBegin)
	_, after, ended := strings.Cut(rest, pageEnd)
	if !found || !ended {
		return "", fmt.Errorf("want the lines %q and %q", strings.TrimSpace(pageBegin), strings.TrimSpace(pageEnd))
	}
	return before + pageBegin + "\n" + figures + "\n" + pageEnd + after, nil
}

// tables has what has a budget, and what has none, as two tables.
func tables(findings []finding) string {
	var budgeted, others strings.Builder
	for i := range findings {
		f := &findings[i]
		if f.detail {
			continue
		}
		b := &others
		if f.budget != (budget{}) {
			b = &budgeted
		}
		for _, s := range f.found {
			writeRow(b, f, s)
		}
	}
	const head = "| figure | of | value | reference | ratio | budget | met |\n|---|---|---:|---:|---:|---|---|\n"
	return head + budgeted.String() + "\nWithout a budget:\n\n" +
		"| figure | of | value | reference | ratio |\n|---|---|---:|---:|---:|\n" + others.String()
}

func writeRow(b *strings.Builder, f *finding, s series) {
	fmt.Fprintf(b, "| %s | %s | %s %s | %s %s | %.2f |", f.figure, s.of,
		amount(median(s.samples)*f.unit.scale), f.unit.word, amount(median(f.reference.samples)*f.unit.scale), f.unit.word, f.ratio(s))
	if f.budget != (budget{}) {
		fmt.Fprintf(b, " %s | %s |", f.budget, outcome(f, s))
	}
	b.WriteString("\n")
}

// outcome is for weir: budgets are not for others.
func outcome(f *finding, s series) string {
	switch {
	case s.of != subjectWeir:
		return ""
	case !f.counts():
		return fmt.Sprintf("not known: the reference is %.0f %% from itself", 100*f.apart)
	case f.budget.met(f.ratio(s)):
		return "yes"
	}
	return "**no**"
}

// enough is how many samples a page wants, to be believed.
const enough = 7

// conditions says where, of what and how often all of it was measured.
func conditions(e effort) string {
	said := fmt.Sprintf("\nMeasured on %s/%s, %d processors (%s), with %s, revision %s: medians of %d samples, of starts of %d.\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processorModel(), runtime.Version(), revision(), e.rounds, e.starts)
	if e.rounds < enough {
		said += "**So few samples only show that it works: none of these figures is to be believed.**\n"
	}
	return said
}

func processorModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "model not known"
	}
	for line := range strings.Lines(string(info)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "model not known"
}

// revision is that of this tree, with a word if the tree is another.
func revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "not known"
	}
	return strings.TrimSpace(string(out))
}

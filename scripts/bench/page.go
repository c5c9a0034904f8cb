package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
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

// tables has what has a budget, what has none, and how other gateways do, if
// any were measured.
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
			if !s.foreign {
				writeRow(b, f, s)
			}
		}
	}
	const head = "| figure | of | value | reference | ratio | budget | met |\n|---|---|---:|---:|---:|---|---|\n"
	return head + budgeted.String() + "\nWithout a budget:\n\n" +
		"| figure | of | value | reference | ratio |\n|---|---|---:|---:|---:|\n" + others.String() + field(findings)
}

// field is a table of ratios with a column for each gateway, of the figures
// that other gateways have; without any it is empty.
func field(findings []finding) string {
	names := []string{subjectWeir}
	for i := range findings {
		for _, s := range findings[i].found {
			if s.foreign && !slices.Contains(names, s.of) {
				names = append(names, s.of)
			}
		}
	}
	if len(names) == 1 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nBeside other gateways, as ratios to the same references:\n\n| figure | better is | %s |\n|---|---|%s\n",
		strings.Join(names, " | "), strings.Repeat("---:|", len(names)))
	for i := range findings {
		f := &findings[i]
		if f.detail || !slices.ContainsFunc(f.found, func(s series) bool { return s.foreign }) {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s |", f.figure, f.unit.better())
		for _, name := range names {
			writeRatio(&b, f, name)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func writeRatio(b *strings.Builder, f *finding, of string) {
	i := slices.IndexFunc(f.found, func(s series) bool { return s.of == of })
	if i < 0 {
		b.WriteString(" |")
		return
	}
	fmt.Fprintf(b, " %s |", ratioText(f.ratio(f.found[i])))
}

// ratioText has digits enough to tell gateways apart that are far from each
// other.
func ratioText(ratio float64) string {
	switch {
	case ratio >= 100:
		return amount(math.Round(ratio))
	case ratio >= 0.1:
		return fmt.Sprintf("%.2f", ratio)
	}
	return fmt.Sprintf("%.3f", ratio)
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

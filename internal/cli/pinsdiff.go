package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func (a *app) pinsDiffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff [SERVER | NAME]",
		Short: "Show what servers have changed",
		Long: `Show what servers have changed in the definitions of their tools and prompts and
in their instructions, member by member. What cannot be seen, such as control
characters and characters without width, is written as \u200b and the like.`,
		Example: `  weir pins diff
  weir pins diff github
  weir pins diff github__search_issues`,
		Args: atMostOne("SERVER or NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.diffPins(cmd.Context(), args) },
	}
}

func (a *app) diffPins(ctx context.Context, args []string) error {
	v, err := a.pinView(ctx)
	if err != nil {
		return err
	}
	chosen, err := v.choose(args)
	if err != nil {
		return err
	}
	shown := 0
	for _, p := range chosen.servers {
		for _, item := range p.items(chosen, pins.Changed) {
			shown++
			a.printChange(p, item)
		}
	}
	if shown == 0 {
		fmt.Fprintln(a.Stdout, "Nothing has changed since it was pinned.")
	}
	return a.unreadablePins(chosen)
}

// printChange shows a definition beside the one that was accepted last.
func (a *app) printChange(p *pinned, item pins.Item) {
	paint := a.paint()
	title := paint.bold(p.Name) + " " + item.Kind.String()
	if item.Name != "" {
		title += " " + paint.bold(approval.Visible(item.Name))
	}
	latest, before := p.latest(item.Key), []byte(nil)
	switch {
	case latest == nil:
		title += paint.dim(", not pinned")
	case latest.Approved:
		title += paint.dim(", accepted " + age(time.Since(latest.At)))
	default:
		title += paint.dim(", first seen " + age(time.Since(latest.At)))
	}
	fmt.Fprintln(a.Stdout, title)
	if latest != nil {
		before = latest.Definition
		if before == nil {
			fmt.Fprintf(a.Stdout, "  The definition of before was too large to keep, only its SHA-256 is known. All of the new one:\n")
		}
	}
	d := diffPrinter{out: a.Stdout, paint: paint}
	for _, difference := range pins.Differences(before, item.Raw) {
		d.print(difference)
	}
	fmt.Fprintln(a.Stdout)
}

// A diffPrinter shows differences to a person.
type diffPrinter struct {
	out   io.Writer
	paint paint
}

const diffIndent = "      "

func (d diffPrinter) print(x pins.Difference) {
	path := approval.Visible(x.Path)
	switch {
	case x.Old == nil && path != "":
		path += d.paint.dim(" (added)")
	case x.New == nil && path != "":
		path += d.paint.dim(" (removed)")
	}
	if path != "" {
		fmt.Fprintf(d.out, "  %s\n", path)
	}
	before, wasText := textOrShown(x.Old)
	after, isText := textOrShown(x.New)
	if x.Old != nil && x.New != nil && wasText != isText {
		before, after = shownLines(x.Old), shownLines(x.New)
	}
	for _, line := range pairWords(diffLines(before, after)) {
		d.line(line)
	}
}

// textOrShown is a value as lines: a text as it is read, anything else as JSON.
func textOrShown(raw []byte) (lines []string, isText bool) {
	if raw == nil {
		return nil, true
	}
	text, err := jsonrpc.String(raw)
	if err != nil {
		return shownLines(raw), false
	}
	lines = strings.Split(text, "\n")
	for i := range lines {
		lines[i] = approval.Visible(lines[i])
	}
	return lines, true
}

func shownLines(raw []byte) []string { return strings.Split(approval.Shown(raw, ""), "\n") }

// A diffLine is a line of one of two texts, or of both.
type diffLine struct {
	sign  byte // '-', '+', or ' ' for both
	words []diffWord
}

// A diffWord is a piece of a line. Odd ones are not in the other line.
type diffWord struct {
	text string
	odd  bool
}

func wholeLine(sign byte, text string) diffLine {
	return diffLine{sign: sign, words: []diffWord{{text: text}}}
}

// maxContext is how many lines of both texts are shown in a row.
const maxContext = 6

// diffLines puts two texts beside each other.
func diffLines(before, after []string) []diffLine {
	var all []diffLine
	compareSequences(before, after, func(old, fresh, both []string) {
		for _, line := range old {
			all = append(all, wholeLine('-', line))
		}
		for _, line := range fresh {
			all = append(all, wholeLine('+', line))
		}
		left := both
		if len(both) > maxContext {
			left = slices.Concat(both[:maxContext/2], []string{fmt.Sprintf("… %d lines that are the same", len(both)-maxContext)}, both[len(both)-maxContext/2:])
		}
		for _, line := range left {
			all = append(all, wholeLine(' ', line))
		}
	})
	return all
}

// pairWords finds the words that differ in a line that takes the place of one
// other line.
func pairWords(lines []diffLine) []diffLine {
	for i := range lines {
		isPair := lines[i].sign == '-' && i+1 < len(lines) && lines[i+1].sign == '+' &&
			(i == 0 || lines[i-1].sign != '-') && (i+2 == len(lines) || lines[i+2].sign != '+')
		if !isPair {
			continue
		}
		before, after := words(lines[i].words[0].text), words(lines[i+1].words[0].text)
		lines[i].words, lines[i+1].words = nil, nil
		compareSequences(before, after, func(old, fresh, both []string) {
			lines[i].add(old, true)
			lines[i+1].add(fresh, true)
			lines[i].add(both, false)
			lines[i+1].add(both, false)
		})
	}
	return lines
}

func (l *diffLine) add(words []string, odd bool) {
	if len(words) > 0 {
		l.words = append(l.words, diffWord{strings.Join(words, ""), odd})
	}
}

// words cuts a line behind each space.
func words(line string) []string { return strings.SplitAfter(line, " ") }

func (d diffPrinter) line(l diffLine) {
	colour := d.paint.dim
	switch l.sign {
	case '-':
		colour = d.paint.red
	case '+':
		colour = d.paint.green
	}
	text := diffIndent + colour(string(l.sign)) + " "
	for _, w := range l.words {
		if w.odd {
			text += d.paint.reverse(colour, w.text)
			continue
		}
		text += colour(w.text)
	}
	fmt.Fprintln(d.out, strings.TrimRight(text, " "))
}

// reverse marks a coloured text.
func (p paint) reverse(colour func(string) string, text string) string {
	if !p.on {
		return text
	}
	return "\x1b[7m" + colour(text)
}

// maxCompared bounds what comparing two sequences may cost: where the product of
// what is left of them is more, they share nothing.
const maxCompared = 4 << 20

// compareSequences tells, from the start to the end, what is in one sequence only
// and then what is in both.
func compareSequences(before, after []string, tell func(old, fresh, both []string)) {
	head := 0
	for head < min(len(before), len(after)) && before[head] == after[head] {
		head++
	}
	if head > 0 {
		tell(nil, nil, before[:head])
		before, after = before[head:], after[head:]
	}
	tail := 0
	for tail < min(len(before), len(after)) && before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	rest := before[len(before)-tail:]
	before, after = before[:len(before)-tail], after[:len(after)-tail]
	if len(before)*len(after) > maxCompared {
		tell(before, after, rest)
		return
	}
	shared := longestShared(before, after)
	i, j := 0, 0
	for _, s := range shared {
		tell(before[i:s.before], after[j:s.after], before[s.before:s.before+s.length])
		i, j = s.before+s.length, s.after+s.length
	}
	if i < len(before) || j < len(after) || len(rest) > 0 {
		tell(before[i:], after[j:], rest)
	}
}

// A match is a run that is in both sequences.
type match struct{ before, after, length int }

// longestShared returns the runs of a longest common subsequence.
func longestShared(before, after []string) (runs []match) {
	width := len(after) + 1
	lengths := make([]int32, (len(before)+1)*width) // of the best from there on
	for i := len(before) - 1; i >= 0; i-- {
		for j := len(after) - 1; j >= 0; j-- {
			if before[i] == after[j] {
				lengths[i*width+j] = lengths[(i+1)*width+j+1] + 1
				continue
			}
			lengths[i*width+j] = max(lengths[(i+1)*width+j], lengths[i*width+j+1])
		}
	}
	for i, j := 0, 0; i < len(before) && j < len(after); {
		switch {
		case before[i] == after[j]:
			if n := len(runs); n > 0 && runs[n-1].before+runs[n-1].length == i && runs[n-1].after+runs[n-1].length == j {
				runs[n-1].length++
			} else {
				runs = append(runs, match{i, j, 1})
			}
			i, j = i+1, j+1
		case lengths[(i+1)*width+j] >= lengths[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return runs
}

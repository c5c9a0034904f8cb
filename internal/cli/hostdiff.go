package cli

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/weir-mcp/weir/aggregator/redact"
)

// printHostChange shows what is to be done in a host: lines that go and lines that
// come. What looks like a secret is not shown.
func (a *app) printHostChange(c *hostChange) {
	p := a.paint()
	what := ""
	switch {
	case c.after == nil:
		what = " (weir made it: it goes)"
	case c.file.isNew:
		what = " (new)"
	}
	fmt.Fprintf(a.Stdout, "%s %s%s\n", p.bold(c.host.Title), printable(c.file.Path), what)
	if c.file.real != c.file.Path {
		fmt.Fprintf(a.Stdout, "  which is %s\n", printable(c.file.real))
	}
	changedRegions(c.file.text, c.after, func(gone, come []string) {
		for _, line := range c.linesToShow(gone) {
			fmt.Fprintln(a.Stdout, p.red("  - "+line))
		}
		for _, line := range c.linesToShow(come) {
			fmt.Fprintln(a.Stdout, p.green("  + "+line))
		}
	})
	if c.own != nil {
		fmt.Fprintf(a.Stdout, "  by: %s\n", strings.Join(quotedWords(c.own), " "))
	}
	if c.aside != "" {
		fmt.Fprintf(a.Stdout, "  %s %s\n", p.dim("note:"), c.aside)
	}
}

// changedRegions tells the lines that go and come, from the start to the end. Where
// one long line became another one, they are what has changed of it.
func changedRegions(before, after []byte, tell func(gone, come []string)) {
	compareSequences(linesOf(before), linesOf(after), func(gone, come, _ []string) {
		if len(gone) == 1 && len(come) == 1 {
			gone, come = changedPart(gone[0], come[0])
		}
		if len(gone)+len(come) > 0 {
			tell(gone, come)
		}
	})
}

// maxWholeLine is how long a line may be that is shown whole where only a part of
// it has changed: a file in one line has all of the host's servers in it.
const maxWholeLine = 100

func changedPart(before, after string) (gone, come []string) {
	if max(len(before), len(after)) <= maxWholeLine {
		return []string{before}, []string{after}
	}
	head := 0
	for head < min(len(before), len(after)) && before[head] == after[head] {
		head++
	}
	tail := 0
	for tail < min(len(before), len(after))-head && before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	part := func(line string) []string {
		if len(line) == head+tail {
			return nil
		}
		return []string{"…" + line[head:len(line)-tail] + "…"}
	}
	return part(before), part(after)
}

func linesOf(text []byte) (lines []string) {
	for line := range bytes.Lines(text) {
		lines = append(lines, strings.TrimRight(string(line), "\r\n"))
	}
	return lines
}

// shortestHidden is how long a text is that is searched for as it is: shorter ones
// stand elsewhere too.
const shortestHidden = 4

// linesToShow are lines of a file as a terminal may have them. They are searched for
// secrets together, since one tells of the next.
func (c *hostChange) linesToShow(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	text := withoutControls(strings.Join(lines, "\n"))
	for _, secret := range c.secrets {
		if len(secret) >= shortestHidden {
			text = strings.ReplaceAll(text, secret, "…")
			text = strings.ReplaceAll(text, strings.Trim(quoted(secret), `"`), "…")
		}
	}
	if r, err := redact.New(redact.All, redact.SecretKeys); err == nil {
		text = r.Text(text)
	}
	return strings.Split(text, "\n")
}

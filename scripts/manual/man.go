package main

import (
	"strings"

	"github.com/weir-mcp/weir/internal/cli"
)

// manName is that of a command's page: man weir-policy-check.
func manName(name string) string { return strings.ReplaceAll(typed(name), " ", "-") }

func commandPage(c cli.Page, all []cli.Page) []byte {
	var b strings.Builder
	head(&b, manName(c.Name), "1")
	section(&b, "NAME")
	b.WriteString(roff(manName(c.Name)) + ` \- ` + roff(c.Short) + "\n")
	section(&b, "SYNOPSIS")
	b.WriteString(".B " + roff(c.Usage) + "\n")
	section(&b, "DESCRIPTION")
	body(&b, c.Text)
	if c.Try != "" {
		section(&b, "EXAMPLES")
		asItStands(&b, piecesOf(c.Try)[0].lines)
	}
	if c.Flags != "" {
		section(&b, "OPTIONS")
		asItStands(&b, piecesOf(c.Flags)[0].lines)
	}
	section(&b, "OPTIONS OF ALL COMMANDS")
	asItStands(&b, piecesOf(c.Also)[0].lines)
	if also := relatives(c, all); len(also) > 0 {
		section(&b, "SEE ALSO")
		b.WriteString(roff(strings.Join(also, ", ")) + "\n")
	}
	return []byte(b.String())
}

func topicPage(topic cli.Page) []byte {
	var b strings.Builder
	head(&b, "weir-"+topic.Name, "7")
	section(&b, "NAME")
	b.WriteString(roff("weir-"+topic.Name) + ` \- what "weir help ` + roff(topic.Name) + "\" explains\n")
	section(&b, "DESCRIPTION")
	body(&b, topic.Text)
	section(&b, "SEE ALSO")
	b.WriteString("weir(1)\n")
	return []byte(b.String())
}

// relatives are the pages of the command above, and of those right below.
func relatives(c cli.Page, all []cli.Page) (names []string) {
	for _, other := range all {
		if isRightBelow(c, other) || isRightBelow(other, c) {
			names = append(names, manName(other.Name)+"(1)")
		}
	}
	return names
}

func isRightBelow(above, below cli.Page) bool {
	at := max(strings.LastIndex(below.Name, " "), 0)
	return below.Name != "" && below.Name[:at] == above.Name
}

func head(b *strings.Builder, name, section string) {
	b.WriteString(".\\\" Written by scripts/manual.\n.TH \"" + roff(strings.ToUpper(name)) + "\" \"" + section + "\" \"\" \"weir\" \"weir\"\n")
}

func section(b *strings.Builder, name string) { b.WriteString(".SH " + name + "\n") }

func body(b *strings.Builder, text string) {
	for _, p := range piecesOf(text) {
		switch p.kind {
		case paragraph:
			b.WriteString(".PP\n" + roffLines(p.lines))
		case heading:
			b.WriteString(".SS " + roff(strings.Join(p.lines, " ")) + "\n")
		case block:
			asItStands(b, p.lines)
		}
	}
}

// asItStands writes lines that are not filled.
func asItStands(b *strings.Builder, lines []string) {
	b.WriteString(".PP\n.RS 4\n.nf\n" + roffLines(lines) + ".fi\n.RE\n")
}

// roffLines writes lines so that none is taken for a request.
func roffLines(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		line = roff(line)
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") || line == "" {
			b.WriteString(`\&`)
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

var special = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`)

func roff(text string) string { return special.Replace(text) }

package main

import (
	"strings"

	"github.com/weir-mcp/weir/internal/cli"
)

// reference is one page with all commands and topics.
func reference(commands, topics []cli.Page) []byte {
	var b strings.Builder
	b.WriteString("# Reference\n\nWhat `weir --help` and `weir help` say. Written by `go run ./scripts/manual`.\n\n## Commands\n\n")
	for _, c := range commands {
		b.WriteString("- [" + typed(c.Name) + "](#" + anchor(typed(c.Name)) + "): " + escaped(c.Short) + "\n")
	}
	b.WriteString("\n## Topics\n\n")
	for _, topic := range topics {
		b.WriteString("- [weir help " + topic.Name + "](#" + anchor("weir help "+topic.Name) + ")\n")
	}
	for _, c := range commands {
		b.WriteString("\n## " + typed(c.Name) + "\n\n")
		fence(&b, c.Usage)
		prose(&b, c.Text)
		if c.Try != "" {
			b.WriteString("\n")
			fence(&b, strings.Join(piecesOf(c.Try)[0].lines, "\n"))
		}
		if c.Flags != "" {
			b.WriteString("\n")
			fence(&b, c.Flags)
		}
	}
	b.WriteString("\n## Flags of all commands\n\n")
	fence(&b, commands[0].Also)
	for _, topic := range topics {
		b.WriteString("\n## weir help " + topic.Name + "\n")
		prose(&b, topic.Text)
	}
	return []byte(b.String())
}

// typed is the name as it is typed.
func typed(name string) string { return strings.TrimSpace("weir " + name) }

// anchor is how Markdown's readers name a heading.
func anchor(heading string) string { return strings.ReplaceAll(heading, " ", "-") }

// prose writes a text, each piece with an empty line before it.
func prose(b *strings.Builder, text string) {
	for _, p := range piecesOf(text) {
		b.WriteString("\n")
		switch p.kind {
		case paragraph:
			b.WriteString(escaped(strings.Join(p.lines, "\n")) + "\n")
		case heading:
			b.WriteString("### " + escaped(strings.Join(p.lines, " ")) + "\n")
		case block:
			fence(b, strings.Join(p.lines, "\n"))
		}
	}
}

func fence(b *strings.Builder, text string) {
	b.WriteString("```\n" + strings.TrimRight(text, "\n") + "\n```\n")
}

var markdown = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "<", `\<`, ">", `\>`, "[", `\[`, "]", `\]`, "#", `\#`, "|", `\|`,
)

func escaped(text string) string { return markdown.Replace(text) }

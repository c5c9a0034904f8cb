package cli

import (
	"fmt"

	"github.com/weir-mcp/weir/internal/formats"
)

// printDefinitions writes the tools as a model API takes them, and tells on
// stderr what could not be kept.
func (a *app) printDefinitions(style formats.Style, tools []listedTool) {
	definitions, notes := style.Define(formatTools(tools))
	_, _ = a.Stdout.Write(style.API.Document(definitions)) // nobody is left to tell
	for _, d := range definitions {
		for _, n := range d.Notes {
			a.note(d.Tool + " " + n)
		}
	}
	for _, n := range notes {
		a.note(n)
	}
}

func (a *app) note(text string) {
	fmt.Fprintln(a.Stderr, a.errorPaint().yellow("note:"), printable(text))
}

func formatTools(tools []listedTool) []formats.Tool {
	all := make([]formats.Tool, len(tools))
	for i, t := range tools {
		all[i] = formats.NewTool(t.Raw)
	}
	return all
}

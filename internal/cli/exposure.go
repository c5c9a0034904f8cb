package cli

import (
	"fmt"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/internal/config"
)

// tellExposure tells that hosts are not shown all of so many tools in their lists.
func (a *app) tellExposure(file *config.File, tools int) {
	if text := exposureNote(file.Expose, file.MaxTools, tools); text != "" {
		fmt.Fprintln(a.Stderr, a.errorPaint().yellow("hosts:"), text)
	}
}

// exposureNote is what hosts see of so many tools; "" where that is all of them.
func exposureNote(exposure aggregator.Exposure, most, tools int) string {
	const find = "weir__find_tools finds them, and they can be called by name"
	switch {
	case exposure == aggregator.ExposeSearch:
		return "no tool of a server is in their lists (expose: search): " + find
	case exposure == aggregator.ExposeAuto && most == 0 && tools > aggregator.LeastRoom:
		return fmt.Sprintf("those that bear fewer than %d tools (Cursor 40, VS Code 128, others 100) have none of a server's in their lists (expose: auto): ", tools) + find
	case most == 0 || tools <= most:
		return ""
	case exposure == aggregator.ExposeAuto:
		return fmt.Sprintf("no tool of a server is in their lists, since there are more than %d (max_tools): ", most) + find
	}
	return fmt.Sprintf("not all of these are in their lists, which end at %d (max_tools): ", most) + find
}

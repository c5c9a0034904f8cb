package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// A Page is what the manual says of a command, or of a topic. Its texts are as
// --help shows them: paragraphs, and indented what is typed or shown.
type Page struct {
	Name  string // as it is typed behind "weir help"; "" for weir itself
	Short string // one line; of commands only
	Text  string
	Usage string // of commands only, as the next ones
	Try   string // examples
	Flags string // its own, a table
	Also  string // those of all commands, likewise
}

// Manual returns the pages of all commands, each before those below it, and of the
// topics of "weir help".
func Manual() (commands, explained []Page, err error) {
	root := (&app{}).rootCommand()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	commands = pagesOf(root)
	for _, name := range topics {
		text, err := topicTexts.ReadFile(topicFile(name))
		if err != nil {
			return nil, nil, err
		}
		explained = append(explained, Page{Name: name, Text: string(text)})
	}
	return commands, explained, nil
}

func pagesOf(cmd *cobra.Command) []Page {
	cmd.InitDefaultHelpFlag()
	pages := []Page{pageOf(cmd)}
	for _, below := range cmd.Commands() {
		if below.IsAvailableCommand() || below.Name() == "help" {
			pages = slices.Concat(pages, pagesOf(below))
		}
	}
	return pages
}

func pageOf(cmd *cobra.Command) Page {
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	return Page{
		Name: name, Short: cmd.Short, Text: text, Usage: cmd.UseLine(), Try: cmd.Example,
		Flags: cmd.LocalNonPersistentFlags().FlagUsages(), Also: cmd.Root().PersistentFlags().FlagUsages(),
	}
}

package cli

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/spell"
)

//go:embed topics/*.txt
var topicTexts embed.FS

// topics are what "weir help" explains beside the commands.
var topics = []string{"config", "policy", "auth", "hosts", "names"}

// helpCommand takes the place of cobra's: a topic comes before a command of the
// same name, which its own --help explains.
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [TOPIC | COMMAND]",
		Short: "Explain a topic or a command",
		Long: `Explain a command, or one of the topics ` + listed(topics) + `.

  config  the file: where it is, what stands in it, how it is changed
  policy  who may see and call what
  auth    logins, tokens and other secrets
  hosts   where an assistant wants its entry, and how much it bears
  names   how tools are named, and why a name looks as it does`,
		Example: `  weir help policy
  weir help call`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return explainable(cmd.Root()), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.help(cmd.Root(), args) },
	}
}

// help prints a topic, or the help of a command.
func (a *app) help(root *cobra.Command, words []string) error {
	if len(words) == 1 && slices.Contains(topics, words[0]) {
		return a.printTopic(root, words[0])
	}
	cmd, rest, err := root.Find(words)
	if err == nil && len(rest) == 0 {
		cmd.InitDefaultHelpFlag()
		return cmd.Help()
	}
	if near := spell.Nearest(words[0], explainable(root)); near != "" {
		return usageError("nothing is known of %q; did you mean %q?", strings.Join(words, " "), "weir help "+near)
	}
	return usageError("nothing is known of %q (see: weir help help)", strings.Join(words, " "))
}

func (a *app) printTopic(root *cobra.Command, name string) error {
	text, err := topicTexts.ReadFile(topicFile(name))
	if err != nil {
		return fmt.Errorf("reading the topic: %w", err)
	}
	paint := a.paint()
	for line := range strings.Lines(string(text)) {
		if isHeading(line) {
			line = paint.bold(strings.TrimSuffix(line, "\n")) + "\n"
		}
		fmt.Fprint(a.Stdout, line)
	}
	if cmd, _, err := root.Find([]string{name}); err == nil && cmd != root {
		fmt.Fprintf(a.Stdout, "\nThe command of this name: weir %s --help\n", name)
	}
	return nil
}

func topicFile(name string) string { return "topics/" + name + ".txt" }

// isHeading reports whether a line of a topic begins with a word in capitals, at
// its very beginning.
func isHeading(line string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	return len(word) > 1 && strings.HasPrefix(line, word) && strings.ToUpper(word) == word && strings.ToLower(word) != word
}

// explainable are the topics, and the commands that have no topic of their name.
func explainable(root *cobra.Command) []string {
	names := slices.Clone(topics)
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() && !slices.Contains(names, cmd.Name()) {
			names = append(names, cmd.Name())
		}
	}
	return names
}

// listed writes words as a sentence lists them.
func listed(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

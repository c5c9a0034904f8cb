package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// notCommands are what stands as a command in the documents and is none, with the
// reason.
var notCommands = map[string]string{
	"weir asks:": "it is what a host shows",
}

// TestCommandsOfDocuments: each command of weir in the documents' shell snippets
// and in the examples of its help is one, with flags that it has and as many arguments as it takes; a folder that go
// runs is there. In running text the flags and the command itself are checked: its
// arguments may be words for what is to stand there.
func TestCommandsOfDocuments(t *testing.T) {
	newHome(t)
	checked := map[string]int{}
	for _, name := range documents(t) {
		for _, s := range snippetsOf(t, name) {
			if !slices.Contains([]string{"", "sh", "console"}, s.language) {
				continue
			}
			for _, c := range s.commands() {
				checked["snippets"]++
				if err := checkCommand(c, true); err != nil {
					t.Errorf("%s: %s: %v", filepath.Base(name), strings.Join(c, " "), err)
				}
			}
		}
		for _, c := range inlineCommands(t, name) {
			checked["text"]++
			if err := checkCommand(c, false); err != nil {
				t.Errorf("%s: in the text: %s: %v", filepath.Base(name), strings.Join(c, " "), err)
			}
		}
	}
	eachCommand((&app{}).rootCommand(), func(cmd *cobra.Command) {
		for _, c := range (snippet{"sh", remark.ReplaceAllString(cmd.Example, "$1")}).commands() {
			checked["examples"]++
			if err := checkCommand(c, true); err != nil {
				t.Errorf("the help of %s: %s: %v", cmd.CommandPath(), strings.Join(c, " "), err)
			}
		}
	})
	if checked["snippets"] < 60 || checked["text"] < 70 || checked["examples"] < 100 {
		t.Errorf("got %v commands, want those of all documents: has the way they are marked changed?", checked)
	}
}

// remark is what stands beside an example, behind several blanks.
var remark = regexp.MustCompile(`(?m)(\S) {2,}\S.*$`)

func eachCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, sub := range cmd.Commands() {
		eachCommand(sub, do)
	}
}

// TestWrongCommandsAreFound: the checks of the test above can fail.
func TestWrongCommandsAreFound(t *testing.T) {
	for _, line := range []string{
		"weir serv", "weir servers --liv", "weir servers now", "weir policy explain", "weir add x", "weir tools --format", "go run ./scripts/nothing",
	} {
		commands := snippet{"sh", "A=b " + line + " | jq . # weir nothing\n"}.commands()
		if len(commands) != 1 {
			t.Fatalf("%s: got %q, want one command", line, commands)
		}
		if line != "weir add x" && checkCommand(commands[0], true) == nil { // what add wants is seen when it runs
			t.Errorf("%s: got no error", line)
		}
	}
	got := fmt.Sprint(snippet{"console", "$ weir call a 'b c' \\\n  d=\"e f\" < g > h && weir x\nweir no\n$ eval $(weir y)\n"}.commands())
	if want := "[[weir call a b c d=e f] [weir x] [weir y]]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// commands are the commands of weir and of go in a snippet, as words. In the record
// of a terminal they stand behind "$ ".
func (s snippet) commands() (all [][]string) {
	text := strings.ReplaceAll(s.text, "\\\n", " ")
	for line := range strings.Lines(text) {
		command, isPrompted := strings.CutPrefix(line, "$ ")
		if s.language != "sh" && !isPrompted {
			continue
		}
		for _, words := range shellCommands(command) {
			if words = slices.DeleteFunc(words, isAssignment); len(words) > 0 && (words[0] == "weir" || strings.HasPrefix(strings.Join(words, " "), "go run ")) {
				all = append(all, words)
			}
		}
	}
	return all
}

var assignment = regexp.MustCompile(`^[A-Z_]+=`)

func isAssignment(word string) bool { return assignment.MatchString(word) }

// shellCommands takes a line of a shell apart, as far as documents need it. What is
// read from or written to is left out.
func shellCommands(line string) (all [][]string) {
	var words []string
	var word strings.Builder
	open, skip, quote := false, false, rune(0)
	endWord := func() {
		if open && !skip {
			words = append(words, word.String())
		}
		skip = skip && !open
		open = false
		word.Reset()
	}
	endCommand := func() {
		endWord()
		if len(words) > 0 {
			all = append(all, words)
		}
		words, skip = nil, false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, open = r, true
		case r == '#' && !open:
			endCommand()
			return all
		case strings.ContainsRune("|&;()\n", r):
			endCommand()
		case r == '<' || r == '>':
			if word.String() == "2" {
				open = false // its errors
			}
			endWord()
			skip = true
		case r == ' ' || r == '\t':
			endWord()
		default:
			open = true
			word.WriteRune(r)
		}
	}
	endCommand()
	return all
}

var inlineCode = regexp.MustCompile("`(weir [^`\n]+)`")

// inlineCommands are those in the text of a document.
func inlineCommands(t *testing.T, name string) (all [][]string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range inlineCode.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
		for _, words := range shellCommands(strings.ReplaceAll(m[1], `\|`, "|")) {
			if words[0] == "weir" {
				all = append(all, words)
			}
		}
	}
	return all
}

// checkCommand says what is wrong with a command; nil if nothing is.
func checkCommand(words []string, withArguments bool) error {
	if words[0] == "go" {
		_, err := os.Stat(filepath.Join("..", "..", words[slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, ".") })]))
		return err
	}
	if _, none := notCommands[strings.Join(words, " ")]; none {
		return nil
	}
	a := &app{Process: Process{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard}}
	root := a.rootCommand()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(words[1:])
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	err = cmd.ParseFlags(rest)
	if _, unfinished := errors.AsType[*pflag.ValueRequiredError](err); err != nil && (withArguments || !unfinished) {
		return err
	}
	args := cmd.Flags().Args()
	if cmd.HasSubCommands() && len(args) > 0 && !slices.Contains([]string{"…", "COMMAND"}, args[0]) {
		return fmt.Errorf("there is no command %q", args[0])
	}
	if !withArguments {
		return nil
	}
	return cmd.ValidateArgs(args)
}

// TestExceptionsAreNeeded: what is excepted stands in a document.
func TestExceptionsAreNeeded(t *testing.T) {
	found := map[string]bool{}
	for _, name := range documents(t) {
		for _, s := range snippetsOf(t, name) {
			for _, c := range s.commands() {
				found[strings.Join(c, " ")] = true
			}
		}
		for _, c := range inlineCommands(t, name) {
			found[strings.Join(c, " ")] = true
		}
	}
	for _, c := range slices.Sorted(maps.Keys(notCommands)) {
		if !found[c] {
			t.Errorf("%q stands in no document", c)
		}
	}
}

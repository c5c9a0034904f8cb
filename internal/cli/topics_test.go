package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/internal/config"
)

// TestTopics prints each topic as a person sees it: within little more than 80
// columns, with the command of the same name where there is one.
func TestTopics(t *testing.T) {
	newHome(t)
	commands := map[string]bool{"policy": true, "auth": true}
	for _, topic := range topics {
		t.Run(topic, func(t *testing.T) {
			run := weir(t, "help", topic)
			run.wants(t, exitOK)
			if got := strings.Contains(run.stdout, "weir "+topic+" --help"); got != commands[topic] {
				t.Errorf("a command of this name is named: %v, want %v", got, commands[topic])
			}
			for i, line := range strings.Split(run.stdout, "\n") {
				if len(line) > 88 {
					t.Errorf("line %d has %d characters", i+1, len(line))
				}
			}
		})
	}
	entries, err := topicTexts.ReadDir("topics")
	if err != nil || len(entries) != len(topics) {
		t.Errorf("got %d texts (%v), want one for each of %v", len(entries), err, topics)
	}
}

// TestHelpOf finds topics before commands, and says what was perhaps meant.
func TestHelpOf(t *testing.T) {
	newHome(t)
	for _, test := range []struct {
		words []string
		code  int
		want  string
	}{
		{nil, exitOK, "weir help TOPIC"},
		{[]string{"call"}, exitOK, "Call a tool by the name"},
		{[]string{"auth", "secret"}, exitOK, "into the keyring"},
		{[]string{"policy", "explain"}, exitOK, "weir policy explain"},
		{[]string{"polcy"}, exitUsage, `did you mean "weir help policy"?`},
		{[]string{"qqqqqqqq"}, exitUsage, "weir help help"},
	} {
		weir(t, append([]string{"help"}, test.words...)...).wants(t, test.code, test.want)
	}
	got := weir(t, "__complete", "help", "").stdout
	for _, name := range []string{"policy\n", "names\n", "call\n"} {
		if strings.Count(got, name) != 1 {
			t.Errorf("got %q, want %q once", got, name)
		}
	}
}

// TestTopicsAreTrue loads the configurations that topics show, and looks for the
// commands that they name.
func TestTopicsAreTrue(t *testing.T) {
	home := newHome(t)
	t.Setenv("GITHUB_TOKEN", "x")
	configurations := 0
	for _, topic := range topics {
		text, err := topicTexts.ReadFile("topics/" + topic + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range regexp.MustCompile(`(?m)(^    .*\n)+`).FindAllString(string(text), -1) {
			if strings.HasPrefix(block, "    servers:") {
				configurations++
				checkConfiguration(t, filepath.Join(home, fmt.Sprintf("%s%d.yaml", topic, i)), block)
			}
		}
		for _, words := range regexp.MustCompile(`(?m)^    weir ((?:[a-z]+ ?)+)`).FindAllStringSubmatch(string(text), -1) {
			named := strings.Fields(words[1])
			root := (&app{}).rootCommand()
			if cmd, _, err := root.Find(named); err != nil || cmd == root {
				t.Errorf("%s: there is no command %q", topic, words[1])
			}
		}
	}
	if configurations < 3 {
		t.Errorf("got %d configurations, want at least 3: has the way they are set changed?", configurations)
	}
}

func checkConfiguration(t *testing.T, path, block string) {
	t.Helper()
	text := regexp.MustCompile(`(?m)^    `).ReplaceAllString(block, "")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := config.Load(config.Options{Path: path})
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	for _, warning := range file.Warnings {
		t.Errorf("%s in:\n%s", warning, text)
	}
	for _, server := range file.Servers {
		if server.Broken != nil {
			t.Errorf("server %q: %v", server.Name, server.Broken)
		}
	}
}

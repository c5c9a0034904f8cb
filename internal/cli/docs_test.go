package cli

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/hosts"
)

// TestSnippetsLoad loads every piece of configuration that the documents show.
func TestSnippetsLoad(t *testing.T) {
	home := newHome(t)
	t.Setenv("GITHUB_TOKEN", "x")
	if err := os.MkdirAll(filepath.Join(home, ".config", "weir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".config", "weir", "env"), []byte("KEY=value\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	snippets := 0
	for _, name := range documents(t) {
		for i, s := range snippetsOf(t, name) {
			if s.language != "yaml" && s.language != "json" {
				continue
			}
			snippets++
			t.Run(fmt.Sprintf("%s %d", filepath.Base(name), i+1), func(t *testing.T) { s.check(t) })
		}
	}
	if snippets < 10 {
		t.Errorf("got %d snippets, want at least 10: has the way they are marked changed?", snippets)
	}
}

// TestExpectationsHold holds the configurations that the documents show to the
// tables of expectations behind them.
func TestExpectationsHold(t *testing.T) {
	newHome(t)
	tables := 0
	for _, name := range documents(t) {
		configuration := ""
		for i, s := range snippetsOf(t, name) {
			switch s.language {
			case "yaml":
				configuration = s.text
			case "expectations":
				tables++
				t.Run(fmt.Sprintf("%s %d", filepath.Base(name), i+1), func(t *testing.T) {
					weir(t, "--config", writeConfig(t, configuration), "policy", "check", writeTable(t, s.text)).wants(t, exitOK, "are so")
				})
			}
		}
	}
	if tables < 5 {
		t.Errorf("got %d tables, want at least 5: has the way they are marked changed?", tables)
	}
}

func documents(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	return append(names, filepath.Join("..", "..", "README.md"))
}

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

type snippet struct{ language, text string }

func snippetsOf(t *testing.T, name string) (all []snippet) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		all = append(all, snippet{m[1], m[2]})
	}
	return all
}

// check loads a configuration. An entry for a host must be one that weir would
// recognise as itself; one for a host whose files it does not read must be JSON.
func (s snippet) check(t *testing.T) {
	if s.language == "json" && !strings.Contains(s.text, "ervers\"") || strings.Contains(s.text, "context_servers") {
		if !json.Valid([]byte(s.text)) {
			t.Errorf("not JSON: %s", s.text)
		}
		return
	}
	path := filepath.Join(t.TempDir(), "mcp."+s.language)
	if err := os.WriteFile(path, []byte(s.text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := config.Load(config.Options{Path: path})
	if err != nil {
		t.Fatalf("%v in:\n%s", err, s.text)
	}
	isEntry := strings.Contains(s.text, "/path/to/weir")
	for _, warning := range file.Warnings {
		if !isEntry || !strings.Contains(warning, "starts weir itself") {
			t.Errorf("%s in:\n%s", warning, s.text)
		}
	}
	if isEntry && len(file.Warnings) != 1 {
		t.Errorf("got %d warnings, want one that the entry starts weir:\n%s", len(file.Warnings), s.text)
	}
	for _, server := range file.Servers {
		if server.Broken != nil {
			t.Errorf("server %q: %v", server.Name, server.Broken)
		}
	}
}

// TestHostsOfTheReadme: for each host that weir knows, the README has the entry to write
// by hand, and a program that reads it there starts weir.
func TestHostsOfTheReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hosts.All() {
		t.Run(h.ID, func(t *testing.T) {
			_, about, there := strings.Cut(string(text), "**"+h.Title+"**")
			m := fence.FindStringSubmatch(about)
			if !there || m == nil {
				t.Fatalf("there is no entry for %s", h.Title)
			}
			entry := m[2]
			if m[1] == "sh" {
				words := shellCommands(entry)[0]
				entry = words[slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "{") })]
			}
			f, err := hosts.Machine{OS: "linux", Home: "/home/me"}.ReadPasted([]byte(entry), "weir")
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Servers) != 1 || !f.Servers[0].StartsWeir {
				t.Errorf("got %+v, want weir", f.Servers)
			}
			if !strings.Contains(string(text), "| `weir install "+h.ID+"` |") {
				t.Errorf("the README does not show how to install weir in %s", h.Title)
			}
		})
	}
}

// TestLinksLead follows the links of the documents to files beside them, and to
// headings.
func TestLinksLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^) ]+)\)|(?:src|srcset|href)="([^"]+)"`)
	followed := 0
	for _, name := range append(documents(t), filepath.Join("..", "..", "CHANGELOG.md")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to := m[1] + m[2]
			if strings.Contains(to, "://") {
				continue
			}
			followed++
			if err := follow(t, name, to); err != nil {
				t.Errorf("%s: link to %s: %v", filepath.Base(name), to, err)
			}
		}
	}
	if followed < 120 {
		t.Errorf("followed %d links, want those of all documents", followed)
	}
	for _, wrong := range []string{"docs/nothing.md", "docs/policy.md#nothing", "#nothing"} {
		if follow(t, filepath.Join("..", "..", "README.md"), wrong) == nil {
			t.Errorf("%s leads somewhere", wrong)
		}
	}
}

// follow goes from a document where a link leads.
func follow(t *testing.T, from, to string) error {
	t.Helper()
	path, anchor, _ := strings.Cut(to, "#")
	target := from
	if path != "" {
		target = filepath.Join(filepath.Dir(from), filepath.FromSlash(path))
	}
	if _, err := os.Stat(target); err != nil {
		return err
	}
	if anchor != "" && filepath.Ext(target) == ".md" && !slices.Contains(anchors(t, target), anchor) {
		return fmt.Errorf("%s has no such heading", filepath.Base(target))
	}
	return nil
}

var (
	heading     = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	linkText    = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are those of the headings of a document, as GitHub makes them.
func anchors(t *testing.T, name string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
		words := notInAnchor.ReplaceAllString(strings.ToLower(linkText.ReplaceAllString(m[1], "$1")), "")
		anchor := strings.ReplaceAll(strings.TrimSpace(words), " ", "-")
		if n := count[anchor]; n > 0 {
			all = append(all, fmt.Sprintf("%s-%d", anchor, n))
		} else {
			all = append(all, anchor)
		}
		count[anchor]++
	}
	return all
}

// TestPicturesAreDrawn: each picture is whole.
func TestPicturesAreDrawn(t *testing.T) {
	pictures, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.svg"))
	if err != nil || len(pictures) < 5 {
		t.Fatalf("got %q, %v, want the pictures of the documents", pictures, err)
	}
	for _, name := range pictures {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(text, new(struct {
			XMLName xml.Name `xml:"svg"`
		})); err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
	}
}

// TestFormatsDocument runs the commands that docs/formats.md shows. Lines of "…"
// stand for any.
func TestFormatsDocument(t *testing.T) {
	newHome(t)
	t.Setenv("WEIR_CONFIG", writeConfig(t, "servers: {demo: {command: WEIR, args: [demo-server]}}\npolicy: {default: execute}\n"))
	commands := 0
	for _, s := range snippetsOf(t, filepath.Join("..", "..", "docs", "formats.md")) {
		if s.language != "console" {
			continue
		}
		for _, block := range strings.Split(s.text, "$ weir ")[1:] {
			commands++
			command, want, _ := strings.Cut(block, "\n")
			t.Run(strings.Join(strings.Fields(command)[:2], " "), func(t *testing.T) {
				words, argument, _ := strings.Cut(command, " '")
				args := strings.Fields(words)
				if argument != "" {
					args = append(args, strings.TrimSuffix(argument, "'"))
				}
				got := weir(t, args...)
				checkLines(t, got.stdout+got.stderr, want)
			})
		}
	}
	if commands < 5 {
		t.Errorf("got %d commands, want all that are there", commands)
	}
}

// checkLines checks that a text has the lines of want, one after the other, with
// others between them only where want has "…".
func checkLines(t *testing.T, text, want string) {
	t.Helper()
	var pattern strings.Builder
	for line := range strings.Lines(want) {
		if line == "…\n" {
			pattern.WriteString("(?s:.*)")
		} else {
			pattern.WriteString(regexp.QuoteMeta(line))
		}
	}
	if !regexp.MustCompile("^" + pattern.String() + "$").MatchString(text) {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
}

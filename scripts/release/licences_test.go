package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRecognise: a licence is known by all of its words, and by nothing else.
func TestRecognise(t *testing.T) {
	apache := readFile(t, "../../LICENSE")
	bsd := readFile(t, filepath.Join(goVariable(t, "GOROOT"), "LICENSE"))
	for _, tt := range []struct{ name, text, want string }{
		{"Apache", apache, "Apache-2.0"},
		{"Apache, of somebody", strings.Replace(apache, "[yyyy] [name of copyright owner]", "2016 Somebody", 1), "Apache-2.0"},
		{"Apache without its appendix", apache[:strings.Index(apache, "   APPENDIX")], "Apache-2.0"},
		{"Apache and more", apache + "\nExcept on Sundays.\n", ""},
		{"Apache, one word less", strings.Replace(apache, "irrevocable", "", 1), ""},
		{"BSD", bsd, "BSD-3-Clause"},
		{"BSD, wrapped elsewhere", strings.Join(strings.Split(bsd, "\n\n")[1:], " "), "BSD-3-Clause"},
		{"BSD with a fourth clause", strings.Replace(bsd, "THIS SOFTWARE", "   * All advertising must mention us.\n\nTHIS SOFTWARE", 1), ""},
		{"BSD and Apache", bsd + apache, ""},
		{"words", "You may use this.", ""},
		{"nothing", "", ""},
	} {
		if got := recognise(tt.text); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestLinkedLicences: of the modules that weir has in it, those that are sure, and
// some that must not be.
func TestLinkedLicences(t *testing.T) {
	want := map[string]string{
		"cel.dev/cel-go":                     "", // Apache, and BSD for one file of it
		"github.com/godbus/dbus/v5":          "BSD-2-Clause",
		"github.com/google/renameio/v2":      "Apache-2.0",
		"github.com/gorilla/websocket":       "BSD-2-Clause",
		"github.com/mattn/go-isatty":         "MIT",
		"github.com/pelletier/go-toml/v2":    "MIT",
		"github.com/spf13/cobra":             "Apache-2.0",
		"github.com/spf13/pflag":             "BSD-3-Clause",
		"github.com/yosida95/uritemplate/v3": "BSD-3-Clause",
		"github.com/zalando/go-keyring":      "MIT",
		"golang.org/x/sys":                   "BSD-3-Clause",
		"gopkg.in/yaml.v3":                   "", // MIT for some files, Apache for others
	}
	got := map[string]string{}
	for path := range want {
		where, err := output(exec.Command("go", "list", "-m", "-f", "{{.Version}} {{.Dir}}", path))
		if err != nil {
			t.Fatal(err)
		}
		version, folder, _ := strings.Cut(where, " ")
		if folder == "" {
			t.Fatalf("%s is not in the module cache", path)
		}
		m, err := readModule(moduleKey{path, version}, folder)
		if err != nil {
			t.Fatal(err)
		}
		got[path] = m.licence
		if path == "github.com/zalando/go-keyring" && len(m.notices) != 2 {
			t.Errorf("the licence of what go-keyring has taken in is missing: got %d", len(m.notices))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := readModule(moduleKey{"example.com/none", "v1"}, t.TempDir()); err == nil || !strings.Contains(err.Error(), "has no licence") {
		t.Errorf("got %v for a module without a licence", err)
	}
}

func goVariable(t *testing.T, name string) string {
	t.Helper()
	value, err := output(exec.Command("go", "env", name))
	if err != nil {
		t.Fatal(fmt.Errorf("go env: %w", err))
	}
	return value
}

package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator"
)

// TestReloadOfTheSame: what has not changed is not taken for another server, with
// every key that there is, wherever in the file it stands now.
func TestReloadOfTheSame(t *testing.T) {
	newHome(t)
	text, err := os.ReadFile(filepath.Join("..", "..", "mcp.yaml.example"))
	if err != nil {
		t.Fatal(err)
	}
	full := `
  everything:
    command: x
    args: ["${file:/nowhere}", "~/y"]
    env: {A: b}
    inherit_env: [PATH]
    cwd: /tmp
    timeout: 1m
    tools: {include: ["a*"], exclude: [b]}
    tags: [t]
    description: d
    pin: block
    trust_annotations: true
    sampling: deny
    overrides: {a: {name: z, description: w, arguments: {fixed: {q: 1}, default: {r: [2]}, hide: [s]}}}
    rate_limit: 60/m
    max_concurrent: 3
    enabled: false
`
	path := writeConfig(t, strings.Replace(string(text), "\n  demo:", full+"  demo:", 1))
	a := &app{Process: Process{Environ: os.Environ(), Stderr: os.Stderr}, configFlag: path}
	config := func() aggregator.Config {
		file, err := a.load()
		if err != nil {
			t.Fatal(err)
		}
		cfg := a.aggregatorConfig(file, zerolog.Nop())
		cfg.Store = openStore(t.Context(), zerolog.Nop())
		return cfg
	}
	weir := aggregator.New(config())
	defer weir.Close()
	if n := len(weir.Status()); n < 2 {
		t.Fatalf("got %d servers", n)
	}
	changes, err := weir.Reconfigure(config())
	if err != nil || !reflect.DeepEqual(changes, aggregator.Changes{}) {
		t.Errorf("got %+v, %v, want no change", changes, err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.ReplaceAll("# a comment\n\n"+string(before), "description: d", "description: another")
	if edited = strings.Replace(edited, "timeout: 1m", "timeout: 60s", 1); strings.Count(edited, "another") == 0 {
		t.Fatal("the example is not as it was")
	}
	if err := os.WriteFile(path, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	changes, err = weir.Reconfigure(config())
	if err != nil || !reflect.DeepEqual(changes, aggregator.Changes{}) {
		t.Errorf("moved and described otherwise: got %+v, %v, want no change", changes, err)
	}
}

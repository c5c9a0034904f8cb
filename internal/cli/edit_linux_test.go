package cli

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
)

// TestChangeIsAskedFor: on a terminal a change is written after a yes, and not
// after anything else.
func TestChangeIsAskedFor(t *testing.T) {
	newHome(t)
	config := writeConfig(t, twoServers)
	read := func() string {
		data, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	before := read()
	for _, answer := range []string{"\n", "y\n", "\x04"} {
		code, seen := newTerminal(t).dialog(t, []string{"--config", config, "disable", "desk"}, `Type "yes"`, answer)
		if code != exitOK || read() != before {
			t.Errorf("%q: got %d, and the file is changed or not: %v\n%s", answer, code, read() != before, seen)
		}
	}
	code, seen := newTerminal(t).dialog(t, []string{"--config", config, "disable", "desk"}, `{enabled: false, command`, "", `Type "yes"`, "yes\n", "Written.")
	if code != exitOK || !strings.Contains(read(), "desk: {enabled: false, command") {
		t.Errorf("yes: got %d\n%s\n%s", code, seen, read())
	}
}

// TestAddAsksAboutSecrets: on a terminal a secret that was written out is asked
// about, one that stands as "-" is asked for, and both before the file is changed.
func TestAddAsksAboutSecrets(t *testing.T) {
	newHome(t)
	keyring.MockInit()
	config := writeConfig(t, twoServers)
	const secret = "ghp_9876543210abcdefghijABCDEFGHIJ012345" // another than in the file
	code, seen := newTerminal(t).dialog(t,
		[]string{"--config", config, "add", "x", "https://x.example/mcp", "--no-try", "--header", "X-Api-Key=" + secret, "--header", "X-Other=-"},
		"The secret for weir/x/X-Other (it is not shown): ", "typed\n",
		`Type "yes" to move 1 secret into the keyring`, "yes\n",
		`${keyring:weir/x/X-Api-Key}`, "",
		`Type "yes" to write it`, "yes\n", "Written.")
	text, err := os.ReadFile(config)
	if code != exitOK || err != nil || !strings.Contains(string(text), `X-Other: "${keyring:weir/x/X-Other}"`) || strings.Contains(string(text), secret) {
		t.Errorf("got %d, %v\n%s\n%s", code, err, seen, text)
	}
	for account, want := range map[string]string{"x/X-Api-Key": secret, "x/X-Other": "typed"} {
		if got, err := keyring.Get("weir", account); got != want || err != nil {
			t.Errorf("%s: got %q, %v", account, got, err)
		}
	}
}

// TestRunningWeirTakesTheChange: who changes the file is told of the weir that
// runs, and that weir of the change.
func TestRunningWeirTakesTheChange(t *testing.T) {
	newHome(t)
	config := writeConfig(t, oneServer)
	c := startServing(t, "--config", config)
	if _, err := c.host.initialize(t.Context()); err != nil {
		t.Fatal(c.explain(err))
	}
	listed := func() bool {
		tools, err := c.host.listTools(t.Context())
		if err != nil {
			t.Fatal(c.explain(err))
		}
		return slices.ContainsFunc(tools, func(tool listedTool) bool { return tool.Name == "desk__echo" })
	}
	limit := time.Now().Add(20 * time.Second)
	for listed(); !strings.Contains(weir(t, "servers", "--live").stdout, "desk"); {
		if time.Now().After(limit) {
			t.Fatal("the weir that runs does not make itself known")
		}
	}
	weir(t, "--config", config, "disable", "desk", "--yes").
		wants(t, exitOK, "1 running weir takes it over by itself: that of weir-cli "+version)
	for listed() {
		if time.Now().After(limit) {
			t.Fatal("the weir that runs has not taken the change over", c.stderr.String())
		}
	}
}

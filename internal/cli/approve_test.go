package cli

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/upstream/state"
)

func TestApproveList(t *testing.T) {
	newHome(t)
	weir(t, "approve", "--list").wants(t, exitOK, "Nothing waits for your approval.")
	weir(t, "approve", "--revoke", "--list").wants(t, exitOK, "Nothing is approved.")
	if got := weir(t, "approve", "--list", "--json"); got.stdout != "[]\n" {
		t.Errorf("got %q", got.stdout)
	}
	weir(t, "approve", "--json").wants(t, exitUsage, "--json goes with --list")

	folder, err := state.UserFolder(os.Getenv)
	if err != nil {
		t.Skip(err)
	}
	store := approval.NewStore(folder)
	c, err := approval.NewCall(approval.Subject{Server: "files", Name: "a\x1b", Arguments: []byte(`{"n":1E400}`), Why: "r"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.NewSession().Wait(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	weir(t, "approve", "--list").wants(t, exitOK, `a\u001b`, `"n": 1E400`)
	var lines []map[string]json.RawMessage
	if err := json.Unmarshal([]byte(weir(t, "approve", "--list", "--json").stdout), &lines); err != nil || len(lines) != 1 {
		t.Fatalf("got %v, %v", lines, err)
	}
	var keys []string
	for _, key := range []string{"server", "name", "arguments", "because", "asked", "expires", "id", "session"} {
		if lines[0][key] != nil {
			keys = append(keys, key)
		}
	}
	if diff := cmp.Diff([]string{"server", "name", "arguments", "because", "asked", "expires"}, keys); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}

	if err := os.WriteFile(store.Path(), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	weir(t, "approve", "--list").wants(t, exitFailed, "the approvals cannot be read", store.Path())
}

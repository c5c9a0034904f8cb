package cli

import (
	"strings"
	"testing"

	"github.com/zalando/go-keyring"
)

// TestAuthSecretOnTerminal types a secret that is not shown.
func TestAuthSecretOnTerminal(t *testing.T) {
	newHome(t)
	keyring.MockInit()
	code, seen := newTerminal(t).dialog(t, []string{"auth", "secret", "set", "weir/typed"},
		"(it is not shown): ", "planted\n", "It is in the keyring")
	if code != exitOK || strings.Contains(seen, "planted") {
		t.Errorf("got code %d:\n%s", code, seen)
	}
	if got, err := keyring.Get("weir", "typed"); got != "planted" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

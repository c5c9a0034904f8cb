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
	code, _ = newTerminal(t).dialog(t, []string{"auth", "secret", "set", "weir/other"}, "(it is not shown): ", "plan\x03", "interrupted")
	if _, err := keyring.Get("weir", "other"); code != exitFailed || err == nil {
		t.Errorf("got code %d, %v, want nothing to be kept", code, err)
	}
}

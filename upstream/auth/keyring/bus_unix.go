//go:build !windows && !darwin

package keyring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const busVariable = "DBUS_SESSION_BUS_ADDRESS"

// findBus makes sure that the environment of this process names the session bus.
// Without a name there the bus library would start a bus, which outlives weir and
// has no keyring. It takes the name from the environment alone, so that is where
// it is put.
func findBus(getenv func(string) string) error {
	address := busAddress(getenv)
	if address == "" {
		return fmt.Errorf("no session bus is known; set %s for weir, if there is one", busVariable)
	}
	if os.Getenv(busVariable) == address {
		return nil
	}
	if err := os.Setenv(busVariable, address); err != nil {
		return errors.New("the address of the session bus is none")
	}
	return nil
}

// busAddress is where the session bus is: as the environment says, else where
// systemd has it; "" if nothing is there.
func busAddress(getenv func(string) string) string {
	if address := getenv(busVariable); address != "" && !strings.HasPrefix(address, "autolaunch:") {
		return address
	}
	for _, dir := range []string{getenv("XDG_RUNTIME_DIR"), filepath.Join("/run/user", strconv.Itoa(os.Getuid()))} {
		path := filepath.Join(dir, "bus")
		if info, err := os.Stat(path); filepath.IsAbs(dir) && err == nil && info.Mode()&os.ModeSocket != 0 {
			return "unix:path=" + escapeAddress(path)
		}
	}
	return ""
}

// escapeAddress writes a value of a bus address (D-Bus specification, server
// addresses).
func escapeAddress(value string) string {
	var b strings.Builder
	for i := range len(value) {
		switch c := value[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(`-_/\*.`, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

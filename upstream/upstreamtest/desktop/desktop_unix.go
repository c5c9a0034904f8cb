//go:build !windows && !darwin

package desktop

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A Desktop is a session bus with a keyring that is unlocked.
type Desktop struct {
	Environ []string // what a program on it has besides its own variables, as KEY=value
}

// Start starts a desktop that keeps its files in dir, whose name is to be short. It
// ends with the test. Where the programs for it are not installed the test is
// skipped.
func Start(t testing.TB, dir string) *Desktop {
	t.Helper()
	for _, program := range []string{"dbus-daemon", "gnome-keyring-daemon", "secret-tool", "gdbus"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian: dbus gnome-keyring libsecret-tools libglib2.0-bin)", program)
		}
	}
	address := "unix:path=" + filepath.Join(dir, "bus")
	d := &Desktop{Environ: []string{
		"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "DISPLAY=", "WAYLAND_DISPLAY=",
		"DBUS_SESSION_BUS_ADDRESS=" + address,
	}}
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, address), 0o600); err != nil {
		t.Fatal(err)
	}
	out := d.start(t, "", "dbus-daemon", "--nofork", "--nopidfile", "--print-address=1", "--config-file="+config)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("no address of the bus: %v", err)
	}
	d.start(t, "password\n", "gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
	d.Run(t, "", "gdbus", "wait", "--session", "--timeout=20", "org.freedesktop.secrets")
	return d
}

// busConfig is a bus that starts nothing by itself.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
`

// Lock locks the keyring, which nobody is there to unlock again.
func (d *Desktop) Lock(t testing.TB) {
	t.Helper()
	d.Run(t, "", "gdbus", "call", "--session", "--dest", "org.freedesktop.secrets", "--object-path", "/org/freedesktop/secrets",
		"--method", "org.freedesktop.Secret.Service.Lock", "['/org/freedesktop/secrets/collection/login']")
}

// Run runs a program that must end well.
func (d *Desktop) Run(t testing.TB, input, program string, args ...string) {
	t.Helper()
	if out, err := d.command(t.Context(), input, program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", program, err, out)
	}
}

// start starts a program that ends with the test.
func (d *Desktop) start(t testing.TB, input, program string, args ...string) (out io.Reader) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	cmd := d.command(ctx, input, program, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("%s cannot be started here: %v", program, err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	return out
}

func (d *Desktop) command(ctx context.Context, input, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), d.Environ...)
	cmd.Stdin = strings.NewReader(input)
	return cmd
}

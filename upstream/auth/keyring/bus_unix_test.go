//go:build !windows && !darwin

package keyring

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gnome "github.com/weir-mcp/weir/upstream/upstreamtest/desktop"
)

func TestBusAddress(t *testing.T) {
	dir := t.TempDir()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	odd := filepath.Join(t.TempDir(), "a b,c=d")
	if err := os.Mkdir(odd, 0o700); err != nil {
		t.Fatal(err)
	}
	other, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(odd, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	plain := t.TempDir()
	if err := os.WriteFile(filepath.Join(plain, "bus"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	usual := busAddress(func(string) string { return "" }) // where this machine has one
	for _, tt := range []struct{ bus, runtime, want string }{
		{"unix:path=/x", dir, "unix:path=/x"},
		{"", dir, "unix:path=" + dir + "/bus"},
		{"autolaunch:", dir, "unix:path=" + dir + "/bus"},
		{"autolaunch:scope=*user", dir, "unix:path=" + dir + "/bus"},
		{"", odd, "unix:path=" + filepath.Dir(odd) + "/a%20b%2cc%3dd/bus"},
		{"", plain, usual},
		{"", "relative", usual},
		{"", "", usual},
	} {
		got := busAddress(func(key string) string {
			return map[string]string{busVariable: tt.bus, "XDG_RUNTIME_DIR": tt.runtime}[key]
		})
		if got != tt.want {
			t.Errorf("%q, %q: got %q, want %q", tt.bus, tt.runtime, got, tt.want)
		}
	}
}

// TestNoBusIsStarted would find a dbus-launch that has run.
func TestNoBusIsStarted(t *testing.T) {
	if busAddress(func(string) string { return "" }) != "" {
		t.Skip("there is a session bus in the usual place")
	}
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	if err := os.WriteFile(filepath.Join(dir, "dbus-launch"), []byte("#!/bin/sh\ntouch "+ran+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv(busVariable, "")
	t.Setenv("XDG_RUNTIME_DIR", dir)
	_, err := System(os.Getenv).Get(t.Context(), "weir", "test")
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), busVariable) {
		t.Errorf("got %v, want %v that says what to set", err, ErrUnavailable)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("dbus-launch was run")
	}
}

// TestSystem is with the keyring of GNOME, on a bus of its own.
func TestSystem(t *testing.T) {
	dir := t.TempDir()
	d := gnome.Start(t, dir)
	for _, variable := range d.Environ {
		key, value, _ := strings.Cut(variable, "=")
		t.Setenv(key, value)
	}
	r := System(func(key string) string { return map[string]string{"XDG_RUNTIME_DIR": dir}[key] })
	if _, err := r.Get(t.Context(), "weir-test", "a/b"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("got %v, want %v", err, ErrNotFound)
	}
	for _, secret := range []string{"hunter2", "another\nwith ü", strings.Repeat("x", MaxSecret)} {
		if err := r.Set(t.Context(), "weir-test", "a/b", secret); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Get(t.Context(), "weir-test", "a/b"); got != secret || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, secret)
		}
	}
	d.Run(t, "hunter3", "secret-tool", "store", "--label=x", "service", "weir-test", "username", "told")
	if got, err := r.Get(t.Context(), "weir-test", "told"); got != "hunter3" || err != nil {
		t.Errorf("got %q, %v, want what secret-tool has stored", got, err)
	}
	if err := r.Delete(t.Context(), "weir-test", "a/b"); err != nil {
		t.Error(err)
	}
	if err := r.Delete(t.Context(), "weir-test", "a/b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want %v", err, ErrNotFound)
	}

	// A user who locks the keyring is not there to unlock it again.
	d.Lock(t)
	if _, err := r.Get(t.Context(), "weir-test", "told"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want %v", err, ErrUnavailable)
	}
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// tryOut runs what a user of this machine gets, from the archive and from the bundle.
func (j *job) tryOut(ctx context.Context, r *release, work string) error {
	here, err := own(r.binaries)
	if err != nil {
		return err
	}
	archive := filepath.Join(work, "archive")
	if err := unpackTo(archive, filepath.Join(j.out, here.archive(r.version)), here.unpack, r.time); err != nil {
		return err
	}
	if err := r.tryProgram(ctx, filepath.Join(archive, here.folder(r.version), here.program()), work); err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		return nil // the others have the same program in the bundle
	}
	bundle := filepath.Join(work, "bundle")
	if err := unpackTo(bundle, filepath.Join(j.out, bundleName(r.version)), unzipped, r.time); err != nil {
		return err
	}
	return r.tryProgram(ctx, filepath.Join(bundle, filepath.FromSlash(launcherName)), work)
}

// unpackTo unpacks an archive below a folder of our own.
func unpackTo(folder, archive string, unpack func([]byte, time.Time) ([]entry, error), at time.Time) error {
	packed, err := os.ReadFile(archive)
	if err != nil {
		return err
	}
	entries, err := unpack(packed, at)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(folder, filepath.FromSlash(e.name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, e.data, e.mode); err != nil {
			return err
		}
	}
	return nil
}

// tryProgram: a program knows what it is, and does what it shows people first.
func (r *release) tryProgram(ctx context.Context, path, work string) error {
	says, err := run(ctx, path, work, "version")
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("weir %s (%.12s) ", r.version, r.commit); !strings.HasPrefix(says+" ", want) {
		return fmt.Errorf("weir version says %q, want %q", says, want)
	}
	_, err = run(ctx, path, work, "demo")
	return err
}

// run runs a program for a user who has nothing yet, with a home below a folder for work.
func run(ctx context.Context, path, work string, args ...string) (string, error) {
	home := filepath.Join(work, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = home, homeEnvironment(home)
	return output(cmd)
}

// homeEnvironment is that of a user with this home.
func homeEnvironment(home string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT")}
	for _, name := range []string{"HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "TMPDIR", "TEMP", "TMP"} {
		env = append(env, name+"="+home)
	}
	return env
}

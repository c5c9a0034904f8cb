//go:build linux

package process_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/process"
)

// script writes an executable shell script.
func script(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	script(t, dir+"/own/both", "")
	script(t, dir+"/login/both", "")
	script(t, dir+"/login/npx", "")
	script(t, dir+"/relative/only", "")
	if err := os.WriteFile(dir+"/own/plain", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	own := dir + "/own:relative:" + dir + "/missing"
	env := []string{"PATH=" + own, "A=b"}
	loginEnv := []string{"PATH=" + dir + "/login:/x:" + own, "A=b"}
	const (
		prints  = "echo 'welcome PATH=/no'; PATH=%s/login:/x; export PATH; eval \"$2\"; echo bye\n"
		noFlags = "case $1 in *i*) exit 1;; esac\n"
		leaves  = "sleep 600 &\n"
	)
	tests := []struct {
		name, command, shell string
		program              string
		env                  []string
		err                  string
		is                   error
	}{
		{"on the own PATH", "both", prints, dir + "/own/both", env, "", nil},
		{"on the login PATH", "npx", prints, dir + "/login/npx", loginEnv, "", nil},
		{"a shell that is not interactive", "npx", noFlags + prints, dir + "/login/npx", loginEnv, "", nil},
		{"a shell that leaves something behind", "npx", leaves + prints, dir + "/login/npx", loginEnv, "", nil},
		{"a shell that fails", "npx", "exit 1", "", nil, `finding "npx": no such program`, exec.ErrNotFound},
		{"nowhere", "none", prints, "", nil, `finding "none": no such program`, exec.ErrNotFound},
		{"in a relative folder of PATH", "only", prints, "", nil, `finding "only": no such program`, exec.ErrNotFound},
		{"not executable", "plain", prints, "", nil, `finding "plain": not executable`, fs.ErrPermission},
		{"by its path", dir + "/login/npx", "", dir + "/login/npx", env, "", nil},
		{"by a wrong path", dir + "/none", "", "", nil, `finding "` + dir + `/none": no such program`, fs.ErrNotExist},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			shell := filepath.Join(t.TempDir(), "shell")
			script(t, shell, strings.ReplaceAll(tt.shell, "%s", dir))
			f := process.NewFinder(guard(t), []string{"SHELL=" + shell, "PATH=/usr/bin:/bin"})
			program, got, err := f.Find(t.Context(), tt.command, env)
			if text := errorText(err); text != tt.err || tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			if program != tt.program {
				t.Errorf("got program %q, want %q", program, tt.program)
			}
			if diff := cmp.Diff(tt.env, got); diff != "" {
				t.Errorf("environment (-want +got)\n%s", diff)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestLoginShellLearnsNothingOfWeir: no more than servers does.
func TestLoginShellLearnsNothingOfWeir(t *testing.T) {
	dir := t.TempDir()
	script(t, dir+"/shell", "env >"+dir+"/env")
	own := []string{"SHELL=" + dir + "/shell", "PATH=/usr/bin:/bin", "WEIR_KEY=secret", "WEIR_PROFILE=work", "A=b"}
	_, _, err := process.NewFinder(guard(t), own).Find(t.Context(), "npx", []string{"PATH=" + dir})
	if !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v, want that there is no such program", err)
	}
	got, err := os.ReadFile(dir + "/env")
	if err != nil || !strings.Contains(string(got), "A=b") || strings.Contains(string(got), "WEIR_KEY") || strings.Contains(string(got), "WEIR_PROFILE") {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestFindAsksOnce(t *testing.T) {
	dir := t.TempDir()
	script(t, dir+"/bin/npx", "")
	script(t, dir+"/shell", "echo asked >>"+dir+"/log; PATH="+dir+"/bin; export PATH; eval \"$2\"")
	f := process.NewFinder(guard(t), []string{"SHELL=" + dir + "/shell"})
	var finds sync.WaitGroup
	for range 8 {
		finds.Go(func() {
			if program, _, err := f.Find(t.Context(), "npx", nil); err != nil || program != dir+"/bin/npx" {
				t.Errorf("got %q, %v", program, err)
			}
		})
	}
	finds.Wait()
	if log, err := os.ReadFile(dir + "/log"); err != nil || string(log) != "asked\n" {
		t.Errorf("got log %q, %v, want one question", log, err)
	}
}

func TestFindGivesUpWaiting(t *testing.T) {
	dir := t.TempDir()
	script(t, dir+"/shell", "case $1 in *i*) read answer <"+dir+"/fifo;; esac; exit 1")
	if out, err := exec.Command("mkfifo", dir+"/fifo").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f := process.NewFinder(guard(t), []string{"SHELL=" + dir + "/shell", "PATH=/usr/bin:/bin"})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("host has gone"))
	_, _, err := f.Find(ctx, "npx", nil)
	if want := `finding "npx": asking the login shell for its PATH: host has gone`; errorText(err) != want {
		t.Errorf("got error %v, want %v", err, want)
	}
	if err := os.WriteFile(dir+"/fifo", []byte("go\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Find(t.Context(), "npx", nil); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got error %v, want %v", err, exec.ErrNotFound)
	}
}

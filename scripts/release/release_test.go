package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRelease makes a release for this machine, from two clones of one commit at
// different places: the bytes are the same, all that belongs into them is there, and
// nothing is left anywhere else.
func TestRelease(t *testing.T) {
	root := newSmallWeir(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	before := filesOf(t, root)
	dist := t.TempDir()
	got := testJob(t, root, filepath.Join(dist, "dist")).release(t)

	archive := here.archive(testVersion)
	want := []string{sumsName, registryName, archive, billName(testVersion), bundleName(testVersion)}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("the files: -want +got:\n%s", diff)
	}
	entries, err := here.unpack([]byte(got[archive]), commitTime(t, root))
	if err != nil {
		t.Fatal(err)
	}
	wantEntries := map[string]string{
		here.program(): "-rwxr-xr-x", thirdPartyName: "-rw-r--r--", "LICENSE": "-rw-r--r--", "README.md": "-rw-r--r--", "CHANGELOG.md": "-rw-r--r--",
		"mcp.yaml.example": "-rw-r--r--", "man/weir.1": "-rw-r--r--", "man/weir-config.7": "-rw-r--r--", "completions/weir.bash": "-rw-r--r--",
		"completions/_weir": "-rw-r--r--", "completions/weir.fish": "-rw-r--r--", "completions/weir.ps1": "-rw-r--r--",
	}
	gotEntries := map[string]string{}
	for _, e := range entries {
		gotEntries[strings.TrimPrefix(e.name, here.folder(testVersion)+"/")] = e.mode.String()
		switch {
		case strings.HasSuffix(e.name, thirdPartyName) && (!strings.Contains(string(e.data), "github.com/yosida95/uritemplate/v3 v3.0.2: LICENSE") || !strings.Contains(string(e.data), "std 1.")):
			t.Errorf("got conditions of %.500s", e.data)
		case strings.HasSuffix(e.name, "/_weir") && string(e.data) != "# completion for zsh\n":
			t.Errorf("got completions %q", e.data)
		}
	}
	if diff := cmp.Diff(wantEntries, gotEntries); diff != "" {
		t.Errorf("the archive: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(before, filesOf(t, root)); diff != "" {
		t.Errorf("the source has changed: -before +after:\n%s", diff)
	}
	if left := filesOf(t, temp); len(left) > 0 {
		t.Errorf("temp files left: %q", slices.Sorted(maps.Keys(left)))
	}
	verifyAsUsersDo(t, filepath.Join(dist, "dist"))

	clone := filepath.Join(t.TempDir(), "somewhere", "else")
	mustGit(t, root, "clone", "-q", root, clone)
	t.Setenv("GOFLAGS", "-tags=other") // and with habits of its own
	again := testJob(t, clone, filepath.Join(dist, "again")).release(t)
	for name := range got {
		if got[name] != again[name] {
			t.Errorf("%s differs from one clone to the next", name)
		}
	}
}

func commitTime(t *testing.T, root string) (at time.Time) {
	t.Helper()
	s, err := lookAtSource(t.Context(), root, testVersion)
	if err != nil {
		t.Fatal(err)
	}
	return s.time
}

// verifyAsUsersDo does what docs/releasing.md tells users.
func verifyAsUsersDo(t *testing.T, out string) {
	t.Helper()
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Log(err)
		return
	}
	cmd := exec.Command("sha256sum", "--strict", "-c", sumsName)
	cmd.Dir = out
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, text)
	}
}

// TestRefusals: what cannot become a release is said before anything is built, and
// nothing is written.
func TestRefusals(t *testing.T) {
	root := newSmallWeir(t)
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, j *job)
		want  string
	}{
		{"a version with a v", func(_ *testing.T, j *job) { j.version = "v1.0.0" }, `"v1.0.0" is no version of a release: want one such as 0.1.0`},
		{"half a version", func(_ *testing.T, j *job) { j.version = "1.0" }, `"1.0" is no version`},
		{"a version with a zero before", func(_ *testing.T, j *job) { j.version = "1.02.0" }, `"1.02.0" is no version`},
		{"a version with build metadata", func(_ *testing.T, j *job) { j.version = "1.0.0+1" }, `"1.0.0+1" is no version`},
		{"a version with a path", func(_ *testing.T, j *job) { j.version = "1.0.0-/../x" }, "is no version"},
		{"a folder that is there", func(t *testing.T, j *job) { write(t, filepath.Join(j.out, "a"), "mine") }, "is there already: remove it, or name another folder by -out"},
		{"a folder nowhere", func(_ *testing.T, j *job) { j.out = filepath.Join(j.out, "a", "b") }, "is no folder: make it"},
		{"a file beside the commit", func(t *testing.T, j *job) { write(t, filepath.Join(j.root, "new"), "x") }, "commit this, or take it away:\n?? new"},
		{"a changed file", func(t *testing.T, j *job) { write(t, filepath.Join(j.root, "README.md"), "x") }, "README.md"},
		{"a tag elsewhere", func(t *testing.T, j *job) {
			mustGit(t, j.root, "tag", "v"+testVersion)
			write(t, filepath.Join(j.root, "README.md"), "x")
			commit(t, j.root)
		}, "the tag v" + testVersion + " is at "},
		{"no time", func(t *testing.T, _ *job) { t.Setenv("SOURCE_DATE_EPOCH", "yesterday") }, `$SOURCE_DATE_EPOCH is "yesterday": want seconds since 1970`},
		{"a time before zip", func(t *testing.T, _ *job) { t.Setenv("SOURCE_DATE_EPOCH", "0") }, `$SOURCE_DATE_EPOCH is "0"`},
		{"no repository", func(t *testing.T, j *job) { j.root = t.TempDir() }, "is not the top of a clone"},
		{"a linked work tree", func(t *testing.T, j *job) {
			linked := filepath.Join(t.TempDir(), "linked")
			mustGit(t, j.root, "worktree", "add", "-q", linked)
			j.root = linked
		}, "is not the top of a clone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clone := filepath.Join(t.TempDir(), "clone")
			mustGit(t, root, "clone", "-q", root, clone)
			around := t.TempDir()
			j := testJob(t, clone, filepath.Join(around, "dist"))
			tt.spoil(t, j)
			before := filesOf(t, around)
			err := j.do(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if diff := cmp.Diff(before, filesOf(t, around)); diff != "" {
				t.Errorf("files have changed: -before +after:\n%s", diff)
			}
		})
	}
}

// TestNothingHalf: a release that fails a check is not there.
func TestNothingHalf(t *testing.T) {
	for _, tt := range []struct{ name, file, from, to, want string }{
		{"a program that does not work", "main.go", `uritemplate.MustNew("{a}")`, `uritemplate.MustNew("{a}"); os.Exit(3)`, "demo: exit status 3"},
		{"a program that does not build", "main.go", "package main", "package", "building for " + here.String()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := newSmallWeir(t)
			write(t, filepath.Join(root, tt.file), strings.Replace(smallWeir[tt.file], tt.from, tt.to, 1))
			commit(t, root)
			j := testJob(t, root, filepath.Join(t.TempDir(), "dist"))
			if err := j.do(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if _, err := os.Lstat(j.out); err == nil {
				t.Errorf("the folder is there")
			}
		})
	}
}

// TestTryProgram: a program that says something else than it should, or fails, is not
// published.
func TestTryProgram(t *testing.T) {
	if here.os == "windows" {
		t.Skip("the programs of this test are scripts")
	}
	r := fakeRelease(t)
	good := fmt.Sprintf("echo 'weir %s (%.12s) go1.26'", r.version, r.commit)
	for _, tt := range []struct{ name, script, want string }{
		{"good", good, ""},
		{"another version", "echo 'weir 0.1.0 (cccccccccccc) go1.26'", `weir version says "weir 0.1.0`},
		{"another commit", fmt.Sprintf("echo 'weir %s (dddddddddddd) go1.26'", r.version), "weir version says"},
		{"no demo", `[ "$1" = version ] || exit 3; ` + good, "demo: exit status 3"},
	} {
		program := filepath.Join(t.TempDir(), "weir")
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+tt.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		err := r.tryProgram(t.Context(), program, t.TempDir())
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestManyProcesses: several append and rotate at once. Every line is whole,
// there once, and behind those that its own process has written before.
func TestManyProcesses(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that others have open is not renamed there")
	}
	const processes, count = 6, 4000
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	var running sync.WaitGroup
	for p := range processes {
		running.Go(func() {
			size := 256 << 10 // of some 330 bytes per line: up to 30 rotations
			cmd := exec.CommandContext(t.Context(), os.Args[0], "append", path, fmt.Sprint(p), fmt.Sprint(count), fmt.Sprint(size))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	running.Wait()
	all, skipped := entries(t, path)
	if len(all) != processes*count || skipped != 0 {
		t.Errorf("got %d lines, %d skipped, want %d and 0", len(all), skipped, processes*count)
	}
	seen := map[string]bool{}
	for _, e := range all {
		if seen[e.Name] {
			t.Fatalf("%q stands there twice", e.Name)
		}
		seen[e.Name] = true
	}
	if n := len(Files(path)); n < 3 {
		t.Errorf("got %d files, want several", n)
	}
}

func write(t testing.TB, f *file, lines string) {
	t.Helper()
	if n, err := f.write([]byte(lines)); err != nil || n != strings.LastIndex(lines, "\n")+1 {
		t.Errorf("got %d, %v", n, err)
	}
}

// content is what stands in a file, with "-" for one that is not there.
func content(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "-"
	}
	return string(data)
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	one, two := newFile(Config{Path: path, MaxSize: 10, Keep: 2}), newFile(Config{Path: path, MaxSize: 10, Keep: 2})
	defer one.close()
	defer two.close()
	write(t, one, "0123456789\n")
	write(t, two, "b\n") // finds it too long
	write(t, one, "c\n") // finds that it has been renamed
	write(t, one, "d456789\n")
	write(t, two, "e\n")
	write(t, two, "f456789\n")
	write(t, two, "g\n")
	var got []string
	for _, name := range []string{path + ".3", path + ".2", path + ".1", path} {
		got = append(got, content(name))
	}
	if diff := cmp.Diff([]string{"-", "b\nc\nd456789\n", "e\nf456789\n", "g\n"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestRotationHeldUp: who cannot rotate goes on in the file that is there.
func TestRotationHeldUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.MkdirAll(filepath.Join(path+".1", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := newFile(Config{Path: path, MaxSize: 10, Keep: 1})
	defer f.close()
	for range 5 {
		write(t, f, "01234\n")
	}
	if got := content(path); got != strings.Repeat("01234\n", 5) {
		t.Errorf("got %q", got)
	}
}

// TestFileIsReplaced: a user may remove the file, or put another in its place.
func TestFileIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f := newFile(Config{Path: path})
	defer f.close()
	write(t, f, "a\n")
	if err := os.Remove(path); err != nil {
		t.Skip(err)
	}
	write(t, f, "b\n")
	if got := content(path); got != "b\n" {
		t.Errorf("got %q", got)
	}
	other := path + "other"
	if err := os.WriteFile(other, []byte("half a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	write(t, f, "c\n")
	if got := content(path); got != "half a\nc\n" {
		t.Errorf("got %q, want the half line ended", got)
	}
}

func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{"a folder": dir, "below a file": filepath.Join(dir, "f", "x")} {
		if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		f := newFile(Config{Path: path})
		if n, err := f.write([]byte("a\n")); n != 0 || err == nil {
			t.Errorf("%s: got %d, %v", name, n, err)
		}
	}
}

func line(name string) string {
	return `{"time":"2026-11-22T11:00:00.007Z","name":"` + name + `","outcome":"ok"}`
}

// TestReaderSkips what is no line of weir's.
func TestReaderSkips(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	nested := strings.Replace(line("nested"), `"outcome"`, `"arguments":{"a":{"time":"x"}},"outcome"`, 1)
	text := strings.Join([]string{
		line("a"), "", "no JSON", "{}", `[1]`, `{"time":"2026-11-22T11:00:00Z"}`,
		line("torn")[:20] + line("b"), nested, nested[:60] + nested, strings.Repeat("x", 3*maxLine), line("c"),
		`{"time":"2026-11-22T11:00:00Z","lost":3}`, line("without an end"),
	}, "\n")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all, skipped := entries(t, path)
	if diff := cmp.Diff([]string{"a", "b", "nested", "nested", "c", "lost 3"}, names(all)); diff != "" || skipped != 5 {
		t.Errorf("%d skipped, want 5; -want +got\n%s", skipped, diff)
	}
}

// TestReaderFollows what is written, from file to file.
func TestReaderFollows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	r := NewReader(path)
	defer r.Close()
	next := func(want ...string) {
		t.Helper()
		var got []string
		for {
			e, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	next()
	f := newFile(Config{Path: path, MaxSize: 150, Keep: 5})
	defer f.close()
	write(t, f, line("a")+"\n")
	next("a")
	next()
	half := []byte(line("b"))
	write(t, f, string(half[:30]))
	next()
	write(t, f, string(half[30:])+"\n")
	next("b")
	if runtime.GOOS == "windows" {
		return // the reader keeps the file from being renamed
	}
	for _, name := range []string{"c", "d", "e", "f", "g"} {
		write(t, f, line(name)+"\n")
	}
	if n := len(Files(path)); n < 3 {
		t.Fatalf("got %d files, want several", n)
	}
	next("c", "d", "e", "f", "g")
	write(t, f, line("h")+"\n")
	next("h")
	// The reader's file is gone before it looks again.
	f.keep = 1
	for i := range 6 {
		write(t, f, line(fmt.Sprint(i))+"\n")
	}
	for i := 2; i < 9; i++ {
		_ = os.Remove(rotated(path, i))
	}
	e, err := r.Next()
	if err != nil || !bytes.Contains(e.Line, []byte(`"outcome":"ok"`)) {
		t.Errorf("got %s, %v", e.Line, err)
	}
}

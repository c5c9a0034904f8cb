package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// check reads all that was written again, and runs what runs here.
func (j *job) check(ctx context.Context, r *release, work string) error {
	if err := checkSums(j.out); err != nil {
		return err
	}
	paths, err := ownPaths(ctx, r.source, work)
	if err != nil {
		return err
	}
	for _, target := range j.targets {
		name := target.archive(r.version)
		if err := r.checkArchive(filepath.Join(j.out, name), target, paths); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := r.checkBundle(filepath.Join(j.out, bundleName(r.version))); err != nil {
		return fmt.Errorf("%s: %w", bundleName(r.version), err)
	}
	if err := r.checkRegistration(j.out); err != nil {
		return fmt.Errorf("%s: %w", registryName, err)
	}
	return j.tryOut(ctx, r, work)
}

// checkSums holds the files of a folder against its sums. There are no others.
func checkSums(out string) error {
	text, err := os.ReadFile(filepath.Join(out, sumsName))
	if err != nil {
		return err
	}
	want := []string{sumsName}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		data, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			return err
		}
		if !ok || fmt.Sprintf("%x", sha256.Sum256(data)) != sum {
			return fmt.Errorf("%s has another sum than %s says", name, sumsName)
		}
		want = append(want, name)
	}
	files, err := os.ReadDir(out)
	if err != nil {
		return err
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("there are the files %q, but sums of %q", got, want)
	}
	return nil
}

// ownPaths are those of this machine, which no binary may tell.
func ownPaths(ctx context.Context, s *source, work string) ([]string, error) {
	paths := []string{s.root, work}
	for _, name := range []string{"GOROOT", "GOMODCACHE", "GOCACHE"} {
		path, err := output(exec.CommandContext(ctx, "go", "env", name))
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

func (r *release) checkArchive(path string, p platform, paths []string) error {
	packed, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	entries, err := p.unpack(packed, r.time)
	if err != nil {
		return err
	}
	program := p.folder(r.version) + "/" + p.program()
	for _, e := range entries {
		mode := plain
		if e.name == program {
			mode = executable
		}
		if e.mode != mode {
			return fmt.Errorf("%s has mode %v, want %v", e.name, e.mode, mode)
		}
		if len(e.data) == 0 {
			return fmt.Errorf("%s is empty", e.name)
		}
	}
	if err := r.checkNames(entries, p); err != nil {
		return err
	}
	i := slices.IndexFunc(entries, func(e entry) bool { return e.name == program })
	return r.checkBinary(entries[i].data, p, paths)
}

// checkNames: nothing is missing, and nothing is there twice.
func (r *release) checkNames(entries []entry, p platform) error {
	pages, err := r.manual()
	if err != nil {
		return err
	}
	want := append(slices.Clone(documents), p.program(), thirdPartyName)
	for _, e := range pages {
		want = append(want, e.name)
	}
	for _, name := range completionNames {
		want = append(want, "completions/"+name)
	}
	for i := range want {
		want[i] = p.folder(r.version) + "/" + want[i]
	}
	slices.Sort(want)
	var got []string
	for _, e := range entries {
		got = append(got, e.name)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("there are %q, want %q", got, want)
	}
	return nil
}

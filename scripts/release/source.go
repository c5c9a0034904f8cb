package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A source is what a release is made of: one commit, and nothing beside it.
type source struct {
	root    string
	version string
	commit  string
	tagged  bool      // the commit has the version's tag
	time    time.Time // of all files that are made
}

// versions are those of semantic versioning, without build metadata: registries and
// Go take those for the same version.
var versions = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?$`)

func lookAtSource(ctx context.Context, root, version string) (*source, error) {
	if !versions.MatchString(version) {
		return nil, fmt.Errorf("%q is no version of a release: want one such as 0.1.0 or 1.0.0-rc.1, without a v", version)
	}
	if info, err := os.Stat(filepath.Join(root, ".git")); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is not the top of a clone: Go puts the commit into binaries only there (no linked work tree); release from one", root)
	}
	s := &source{root: root, version: version}
	changes, err := git(ctx, root, "status", "--porcelain")
	if err != nil {
		return nil, err
	}
	if changes != "" {
		return nil, fmt.Errorf("the work tree is not as the commit is; commit this, or take it away:\n%s", changes)
	}
	if s.commit, err = git(ctx, root, "rev-parse", "HEAD"); err != nil {
		return nil, err
	}
	if err := s.readTag(ctx); err != nil {
		return nil, err
	}
	return s, s.readTime(ctx)
}

// readTag finds the version's tag, which must be at this commit if it is anywhere.
func (s *source) readTag(ctx context.Context) error {
	name := "v" + s.version
	there, err := git(ctx, s.root, "tag", "--list", name)
	if err != nil || there == "" {
		return err
	}
	commit, err := git(ctx, s.root, "rev-parse", "refs/tags/"+name+"^{commit}")
	if err != nil {
		return err
	}
	if commit != s.commit {
		return fmt.Errorf("the tag %s is at %.12s, but %.12s is checked out: git checkout %[1]s, or release another version", name, commit, s.commit)
	}
	s.tagged = true
	return nil
}

func (s *source) readTime(ctx context.Context) error {
	seconds, from := os.Getenv("SOURCE_DATE_EPOCH"), "$SOURCE_DATE_EPOCH"
	if seconds == "" {
		var err error
		if seconds, err = git(ctx, s.root, "log", "-1", "--format=%ct"); err != nil {
			return err
		}
		from = "the commit's time"
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	// The years that zip can tell.
	if at := time.Unix(n, 0).UTC(); err == nil && at.Year() >= 1980 && at.Year() < 2107 {
		s.time = at
		return nil
	}
	return fmt.Errorf("%s is %q: want seconds since 1970, of a year from 1980 to 2106", from, seconds)
}

// read returns a file of the commit; the work tree is as that is.
func (s *source) read(name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(name)))
	if err != nil {
		return nil, fmt.Errorf("a release has the file %s: %w", name, err)
	}
	return data, nil
}

func git(ctx context.Context, root string, args ...string) (string, error) {
	return output(exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...))
}

// output runs a command to its end and returns what it prints, or what it complains of.
func output(cmd *exec.Cmd) (string, error) {
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err == nil {
		return strings.TrimSpace(string(out)), nil
	}
	what := strings.Join(cmd.Args, " ")
	if complaints.Len() > 0 {
		return "", fmt.Errorf("%s: %w: %s", what, err, bytes.TrimSpace(complaints.Bytes()))
	}
	return "", fmt.Errorf("%s: %w", what, err)
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A suite is one version of the conformance suite.
type suite struct {
	name, pkg string
	all       []string // the arguments for all server scenarios of a revision, with %s for it
	one       []string // the same for one that is named
	forced    []string // for a client scenario
	list      []string // for a list of client scenarios
	former    []string // the same for a revision of which there is only what a later one lacks
}

var suites = []suite{
	{
		name: "0.2", pkg: "@modelcontextprotocol/conformance",
		all: []string{"--requirements", "%s"}, one: []string{"--spec-version", "%s"},
		forced: []string{"--spec-version", "%s", "--force"}, list: []string{"--requirements", "%s"},
		former: []string{"--client", "--spec-version", "%s"},
	},
	{name: "0.1", pkg: "conformance-0.1", all: []string{"--suite", "all"}, list: []string{"--client"}},
}

// with fills in the revision.
func with(args []string, revision string) []string {
	filled := slices.Clone(args)
	for i := range filled {
		filled[i] = strings.ReplaceAll(filled[i], "%s", revision)
	}
	return filled
}

// command is the suite's command line.
func (s suite) command(ctx context.Context, w *workshop, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "node", append([]string{filepath.Join(w.npm, "conformance.mjs"), s.pkg}, args...)...)
}

// A check is one line of a score.
type check struct {
	ID           string `json:"id"`
	Status       string `json:"status"`
	ErrorMessage string `json:"errorMessage"`
	Description  string `json:"description"` // of what came out, where there is no message
}

// passes reports whether there is nothing against a check.
func (c check) passes() bool { return c.Status == "SUCCESS" || c.Status == "SKIPPED" }

// scores are the checks of each scenario.
type scores map[string][]check

// scoreServer has the suite score the server at url.
func (s suite) scoreServer(ctx context.Context, w *workshop, revision, url, dir string) (scores, error) {
	args := append([]string{"server", "--url", url, "-o", dir}, with(s.all, revision)...)
	if w.scenario != "" {
		args = append([]string{"server", "--url", url, "-o", dir, "--scenario", w.scenario}, with(s.one, revision)...)
	}
	if err := s.runInto(ctx, w, dir, args, nil); err != nil {
		return nil, err
	}
	return readScores(dir)
}

// scoreClient has the suite score a client in one scenario.
func (s suite) scoreClient(ctx context.Context, w *workshop, revision, scenario, client, dir string, env []string) ([]check, error) {
	args := append([]string{"client", "--command", client, "--scenario", scenario, "-o", dir}, with(s.forced, revision)...)
	err := s.runInto(ctx, w, dir, args, env)
	failed, isExit := errors.AsType[*exec.ExitError](err)
	if err != nil && !isExit {
		return nil, err
	}
	found, err := readScores(dir)
	if err != nil {
		return nil, err
	}
	checks := found[scenario]
	if failed != nil && !slices.ContainsFunc(checks, func(c check) bool { return !c.passes() }) {
		checks = append(checks, check{ID: "client-exit", Status: "FAILURE", ErrorMessage: lastLines(filepath.Join(dir, "suite.txt"))})
	}
	return checks, nil
}

// runInto runs the suite and leaves what it says in dir. For servers, that
// scenarios fail is no error.
func (s suite) runInto(ctx context.Context, w *workshop, dir string, args, env []string) error {
	log, err := os.Create(filepath.Join(dir, "suite.txt"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.command(ctx, w, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	err = cmd.Run()
	if _, failed := errors.AsType[*exec.ExitError](err); failed && args[0] == "server" && ctx.Err() == nil {
		return nil
	}
	return err
}

func lastLines(file string) string {
	const most = 1000
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text[max(0, len(text)-most):]))
}

// resultFolder is the name of the folder that the suite makes for a scenario.
var resultFolder = regexp.MustCompile(`^(?:server-)?(.+)-\d{4}-\d\d-\d\dT[0-9-]+Z$`)

// readScores reads all that the suite has left in dir. The names of scenarios
// about authorization hold a slash.
func readScores(dir string) (scores, error) {
	found := scores{}
	err := errors.Join(found.read(dir, ""), found.read(dir, authScenario))
	return found, err
}

// read reads the scores of the scenarios whose names begin so. A scenario that has
// left no checks has not come to its end.
func (s scores) read(dir, prefix string) error {
	entries, err := os.ReadDir(filepath.Join(dir, prefix))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := resultFolder.FindStringSubmatch(entry.Name())
		if name == nil {
			continue
		}
		checks, err := readChecks(filepath.Join(dir, prefix, entry.Name(), "checks.json"))
		if err != nil {
			return err
		}
		s[prefix+name[1]] = checks
	}
	return nil
}

func readChecks(file string) ([]check, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return []check{{ID: "scenario", Status: "FAILURE", ErrorMessage: "did not come to its end"}}, nil
	}
	if err != nil {
		return nil, err
	}
	var checks []check
	if err := json.Unmarshal(text, &checks); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return slices.DeleteFunc(checks, func(c check) bool { return c.Status == "INFO" }), nil
}

// listed is a line of a scenario in the suite's lists. Those that are run but
// not scored say what role they are for.
var listed = regexp.MustCompile(`^ +- (\S+)(?: \[(.*)\])?$`)

// clientScenarios lists the scenarios for clients of a revision.
func (s suite) clientScenarios(ctx context.Context, w *workshop, revision string) ([]string, error) {
	args := s.list
	if revision == formerRevision {
		args = s.former
	}
	out, err := output(s.command(ctx, w, append([]string{"list"}, with(args, revision)...)...))
	if err != nil {
		return nil, err
	}
	var names []string
	isClients := false
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		found := listed.FindStringSubmatch(line)
		switch {
		case found == nil && strings.HasSuffix(line, ":") && !strings.HasPrefix(line, " "):
			isClients = strings.HasPrefix(line, "Client")
		case found == nil:
		case isClients || found[2] == "client":
			names = append(names, found[1])
		}
	}
	if w.scenario != "" {
		names = slices.DeleteFunc(names, func(name string) bool { return name != w.scenario })
	}
	return names, nil
}

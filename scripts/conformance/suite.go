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
}

var suites = []suite{
	{
		name: "0.2", pkg: "@modelcontextprotocol/conformance",
		all: []string{"--requirements", "%s"}, one: []string{"--spec-version", "%s"},
		forced: []string{"--spec-version", "%s", "--force"}, list: []string{"--requirements", "%s"},
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

// readScores reads all that the suite has left in dir. A scenario that has left
// no checks has not come to its end.
func readScores(dir string) (scores, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	found := scores{}
	for _, entry := range entries {
		name := resultFolder.FindStringSubmatch(entry.Name())
		if name == nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name(), "checks.json"))
		if errors.Is(err, os.ErrNotExist) {
			found[name[1]] = []check{{ID: "scenario", Status: "FAILURE", ErrorMessage: "did not come to its end"}}
			continue
		}
		if err != nil {
			return nil, err
		}
		var checks []check
		if err := json.Unmarshal(text, &checks); err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		found[name[1]] = slices.DeleteFunc(checks, func(c check) bool { return c.Status == "INFO" })
	}
	return found, nil
}

// listed is a line of a scenario in the suite's lists. Those that are run but
// not scored say what role they are for.
var listed = regexp.MustCompile(`^ +- (\S+)(?: \[(.*)\])?$`)

// clientScenarios lists the scenarios for clients of a revision, but those about
// authorization.
func (s suite) clientScenarios(ctx context.Context, w *workshop, revision string) ([]string, error) {
	out, err := output(s.command(ctx, w, append([]string{"list"}, with(s.list, revision)...)...))
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
		case found == nil || strings.HasPrefix(found[1], "auth/"):
		case isClients || found[2] == "client":
			names = append(names, found[1])
		}
	}
	if w.scenario != "" {
		names = slices.DeleteFunc(names, func(name string) bool { return name != w.scenario })
	}
	return names, nil
}

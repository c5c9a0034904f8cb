package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A leg is one role of weir, in one version of the suite, at one revision, with
// one peer.
type leg struct {
	role     string // of weir: server or client
	suite    suite
	revision string
	peer     string
	via      string // how weir reaches the peer: http or stdio
}

func (l leg) name() string {
	return l.role + "/" + l.suite.name + "/" + l.revision + "/" + l.peer + "/" + l.via
}

// folder is where the leg leaves its results.
func (l leg) folder(part string) []string {
	return []string{l.role, l.suite.name, l.revision, l.peer, l.via, part}
}

// run scores the peer and weir, and returns their rows.
func (l leg) run(ctx context.Context, w *workshop) ([]row, error) {
	if l.role == "client" {
		return l.runClient(ctx, w)
	}
	return l.runServer(ctx, w)
}

// runAndRetry runs the leg, and scenarios again that the baseline says may fail on
// a busy machine.
func (l leg) runAndRetry(ctx context.Context, w *workshop, expected baseline) ([]row, error) {
	rows, err := l.run(ctx, w)
	for i := range rows {
		for try := 1; try <= retries && expected.wantsRetry(rows[i]); try++ {
			again, err := l.run(ctx, w.only(rows[i].scenario, try))
			if err != nil {
				return nil, err
			}
			if len(again) != 1 {
				return nil, fmt.Errorf("%s alone: got %d scenarios", rows[i].scenario, len(again))
			}
			rows[i] = again[0]
		}
	}
	return rows, err
}

// formerRevision is one of which servers are still met: only what clients do about
// its way of authorization is tested.
const formerRevision = "2025-03-26"

func allLegs() []leg {
	var legs []leg
	for _, s := range suites {
		revisions := []string{"2025-11-25", "2026-07-28"}
		if s.name == "0.1" {
			revisions = revisions[:1]
		}
		for _, revision := range revisions {
			legs = append(
				legs,
				leg{"server", s, revision, "go-sdk", "http"},
				leg{"server", s, revision, "go-sdk", "stdio"},
				leg{"server", s, revision, "mcp-go", "http"},
				leg{"client", s, revision, "go-sdk", "http"},
			)
		}
		if s.former != nil {
			legs = append(legs, leg{"client", s, formerRevision, "go-sdk", "http"})
		}
	}
	return legs
}

func (l leg) runServer(ctx context.Context, w *workshop) ([]row, error) {
	direct, err := l.scoreDirect(ctx, w)
	if err != nil {
		return nil, err
	}
	dir, err := w.folder(l.folder("weir")...)
	if err != nil {
		return nil, err
	}
	through, err := withServer(ctx, w, l, dir, func(url string) (scores, error) {
		return withBridge(ctx, w, dir, l.upstream(w, url), func(url string) (scores, error) {
			return l.suite.scoreServer(ctx, w, l.revision, url, dir)
		})
	})
	if err != nil {
		return nil, err
	}
	names := maps.Clone(direct)
	maps.Copy(names, through)
	var rows []row
	for _, name := range slices.Sorted(maps.Keys(names)) {
		rows = append(rows, row{
			leg: l.name(), scenario: name, direct: direct[name], through: through[name],
			differences: compare(direct[name], through[name]),
		})
	}
	return rows, nil
}

// scoreDirect scores the peer without weir, once for all legs that need it.
func (l leg) scoreDirect(ctx context.Context, w *workshop) (scores, error) {
	l.via = "http"
	if found, done := w.direct[l.name()]; done {
		return found, nil
	}
	dir, err := w.folder(l.folder("direct")...)
	if err != nil {
		return nil, err
	}
	found, err := withServer(ctx, w, l, dir, func(url string) (scores, error) {
		return l.suite.scoreServer(ctx, w, l.revision, url, dir)
	})
	if err == nil {
		w.direct[l.name()] = found
	}
	return found, err
}

// runClient scores the reference only where weir does not pass: all that it can
// say then is whether anybody could.
func (l leg) runClient(ctx context.Context, w *workshop) ([]row, error) {
	scenarios, err := l.suite.clientScenarios(ctx, w, l.revision)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, scenario := range scenarios {
		dir, err := w.folder(l.folder(filepath.Join("weir", scenario))...)
		if err != nil {
			return nil, err
		}
		env := []string{envWeir + "=" + w.programs["weir"], envDir + "=" + dir}
		through, err := l.suite.scoreClient(ctx, w, l.revision, scenario, self+" "+hostCommand, dir, env)
		if err != nil {
			return nil, err
		}
		r := row{leg: l.name(), scenario: scenario, through: through, differences: faults(through)}
		if r.differences != nil {
			if r.direct, err = l.scoreReference(ctx, w, scenario); err != nil {
				return nil, err
			}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (l leg) scoreReference(ctx context.Context, w *workshop, scenario string) ([]check, error) {
	dir, err := w.folder(l.folder(filepath.Join("direct", scenario))...)
	if err != nil {
		return nil, err
	}
	return l.suite.scoreClient(ctx, w, l.revision, scenario, w.programs["go-sdk-client"], dir, nil)
}

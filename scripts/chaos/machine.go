package main

import (
	"errors"
	"fmt"
	"io"
	random "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/weir-mcp/weir/scripts/rig"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A machine runs rounds. Each has a world of its own, so that it depends on
// nothing but its seed, and several may run at once.
type machine struct {
	weir       []string // the command; required
	relay      string   // a program that is a relay when told so; required
	transports []rig.Transport
	steps      int         // of each host in a round
	log        io.Writer   // of what happens; nil for nobody
	mounts     *rig.Mounts // nil where there are none: no disk gets full then, and no name comes to be known
}

func (m *machine) hurts(t rig.Transport) bool {
	return len(m.transports) == 0 || slices.Contains(m.transports, t)
}

// A roundError is what was wrong in a round.
type roundError struct {
	seed  uint64
	wrong []string
	tail  []string // what had happened last
}

func (e *roundError) Error() string {
	return fmt.Sprintf("seed %d:\n  %s", e.seed, strings.Join(e.wrong, "\n  "))
}

// round plays one round. The error is a [*roundError] where weir has broken its
// word.
func (m *machine) round(seed uint64) (err error) {
	dir, err := os.MkdirTemp("", "chaos")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	j := &journal{out: m.log}
	j.note("world", "seed %d, %d steps, transports %v", seed, m.steps, m.transports)
	w, err := newWorld(m, j, dir, random.New(random.NewPCG(seed, 0)))
	if err != nil {
		return err
	}
	players, err := w.players(seed)
	if err == nil {
		err = w.play(players)
	}
	for _, p := range players {
		if p.process != nil {
			p.process.Kill() // it has ended, unless something is wrong
			<-p.process.Ended()
		}
	}
	err = errors.Join(err, w.close())
	if err != nil {
		j.violated("world", "%v", err)
	}
	for _, p := range players {
		p.judge()
	}
	if err := w.seeRaces(); err != nil {
		return err
	}
	if wrong := j.violations(); len(wrong) > 0 {
		for _, p := range players {
			p.keepStderr(j)
		}
		return &roundError{seed: seed, wrong: wrong, tail: j.tail()}
	}
	return nil
}

// players are the hosts: of each era, and one whose weir stands before another.
func (w *world) players(seed uint64) ([]*player, error) {
	parts := []struct {
		name, version string
		chained       bool
	}{
		{"legacy", upstreamtest.Legacy, false},
		{"modern", upstreamtest.Modern, false},
		{"chained", "2024-11-05", true},
	}
	var players []*player
	for i, part := range parts {
		p := &player{
			host: &host{
				w: w, name: part.name, version: part.version, command: slices.Clip(w.machine.weir),
				config: filepath.Join(w.dir, part.name+".yaml"),
			},
			random: random.New(random.NewPCG(seed, uint64(i)+1)), direct: !part.chained,
		}
		p.file = p.config
		if part.chained {
			if err := w.chain(p); err != nil {
				return nil, err
			}
		}
		players = append(players, p)
	}
	return players, nil
}

// play has all hosts play their parts at once. All then end theirs together, with
// the world healed. Figures are taken while nobody calls.
func (w *world) play(players []*player) error {
	starts := make([]figures, len(players))
	err := atOnce(players,
		func(_ int, p *player) error {
			if err := p.begin(); err != nil {
				return err
			}
			_, err := p.visit()
			return err
		},
		func(i int, p *player) (err error) {
			starts[i], err = p.takeFigures()
			return err
		},
		func(_ int, p *player) error { return errors.Join(p.followEach(), p.callDead()) },
		func(_ int, p *player) error { return p.play(w.machine.steps) },
	)
	w.journal.note("world", "all servers are well from now on")
	if err := errors.Join(err, w.heal()); err != nil {
		return err
	}
	return atOnce(players,
		func(_ int, p *player) error { return p.finish() },
		func(i int, p *player) error { return p.compare(starts[i]) },
		func(_ int, p *player) error { return p.leave() },
		func(_ int, p *player) error {
			p.checkLives()
			return nil
		},
	)
}

// atOnce has all players do one thing after the other, each when all have done the
// one before.
func atOnce(players []*player, things ...func(i int, p *player) error) error {
	for _, do := range things {
		errs := make([]error, len(players))
		var all sync.WaitGroup
		for i, p := range players {
			all.Go(func() { errs[i] = do(i, p) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
	return nil
}

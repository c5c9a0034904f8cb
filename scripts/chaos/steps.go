package main

import (
	"errors"
	"fmt"
	random "math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/weir-mcp/weir/scripts/rig"
)

// A player plays the part of one host: steps drawn from the seed, so that the
// same seed has each host do the same. How the hosts and what they cause fall
// together is the system's doing.
type player struct {
	*host
	random *random.Rand
	direct bool // its weir has the servers themselves

	file   string // the configuration that has the servers
	saved  int    // how often
	marked int    // the latest that can be read

	lives []*rig.Process // that have ended, with what they may have left
}

// steps are what a host does, each as often as its weight says.
var steps = []struct {
	weight int
	do     func(*player) error
}{
	{30, (*player).burst},
	{12, (*player).callWell},
	{6, (*player).overtake},
	{10, (*player).cancelSome},
	{8, (*player).askUser},
	{6, (*player).list},
	{5, (*player).settle},
	{5, (*player).changeLists},
	{6, (*player).followWell},
	{5, (*player).followIll},
	{3, (*player).hearAgain},
	{4, (*player).fillPipes},
	{3, (*player).stopReading},
	{20, (*player).hurt},
	{12, (*player).healAll},
	{4, (*player).damageFiles},
	{2, (*player).shutDisk},
	{3, (*player).fillDisk},
	{4, (*player).reload},
	{4, (*player).hurtInner},
	{2, (*player).killWeir},
	{2, (*player).endWeir},
}

// play takes so many steps.
func (p *player) play(n int) error {
	total := 0
	for _, step := range steps {
		total += step.weight
	}
	for range n {
		at := p.random.IntN(total)
		for _, step := range steps {
			if at -= step.weight; at < 0 {
				if err := step.do(p); err != nil {
					return err
				}
				break
			}
		}
	}
	return nil
}

func pick[T any](r *random.Rand, all []T) T { return all[r.IntN(len(all))] }

// burst calls this and that, and waits for none of it.
func (p *player) burst() error {
	for range 1 + p.random.IntN(12) {
		s := pick(p.random, p.w.servers)
		pad := 0
		if p.random.IntN(8) == 0 {
			pad = 1 << p.random.IntN(17)
		}
		if _, err := p.call(s, pick(p.random, deedsOf(s.transport, s.faulty)), pad); err != nil {
			return err
		}
	}
	return nil
}

// callWell calls servers that are well, and waits, whatever the others do.
func (p *player) callWell() error {
	var made []*request
	for range 1 + p.random.IntN(4) {
		r, err := p.call(pick(p.random, p.w.well()), pick(p.random, goodDeeds), 0)
		if err != nil {
			return err
		}
		made = append(made, r)
	}
	return p.awaitAll(made)
}

func (p *player) awaitAll(made []*request) error {
	for _, r := range made {
		what := "the answer to " + r.task.token + " (" + r.server.name + ": " + string(r.task.do) + ")"
		if err := p.await(what, func() bool { return r.answer != nil }); err != nil {
			return err
		}
	}
	return nil
}

// overtake has a server hold calls back until others, of other servers and of
// its own, are answered. So no call waits for another, however long that takes.
func (p *player) overtake() error {
	s := pick(p.random, p.w.well())
	var held, made []*request
	for range 1 + p.random.IntN(8) {
		r, err := p.call(s, gated, 0)
		if err != nil {
			return err
		}
		held = append(held, r)
	}
	for _, other := range []*server{s, pick(p.random, p.w.well()), pick(p.random, p.w.well())} {
		r, err := p.call(other, plain, 0)
		if err != nil {
			return err
		}
		made = append(made, r)
	}
	if err := p.awaitAll(made); err != nil {
		return err
	}
	for _, r := range held {
		close(s.gate(r.task.token))
	}
	return p.awaitAll(held)
}

// cancelSome takes back some of what is not answered.
func (p *player) cancelSome() error {
	for _, r := range p.pending() {
		if p.random.IntN(3) == 0 {
			if err := p.cancel(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// askUser has servers ask the user, several at once.
func (p *player) askUser() error {
	if !p.asksUsers() {
		return nil
	}
	var made []*request
	for range 1 + p.random.IntN(3) {
		r, err := p.call(pick(p.random, p.w.well()), asks, 0)
		if err != nil {
			return err
		}
		made = append(made, r)
	}
	return p.awaitAll(made)
}

// list has the tools listed, and looks whether each server's list is whole.
func (p *player) list() error {
	_, err := p.versions()
	return err
}

// versions lists the tools and returns which version of its list each server
// has; what is not listed is not in it.
func (p *player) versions() (map[string]int, error) {
	versions := map[string]int{}
	tools, err := p.listTools()
	if err != nil {
		return nil, err
	}
	p.seeMark(tools)
	for _, s := range p.w.servers {
		var names []string
		for _, name := range tools {
			if own, ok := strings.CutPrefix(name, p.prefix+s.name+"__"); ok {
				names = append(names, own)
			}
		}
		version, whole := versionOf(names)
		if !whole {
			p.w.journal.violated(p.name, "the list of %s is torn: %q", s.name, names)
		}
		if len(names) > 0 {
			versions[s.name] = version
		}
	}
	return versions, nil
}

// versionOf is the version that these names are all of.
func versionOf(names []string) (version int, whole bool) {
	if len(names) == 0 {
		return 0, true
	}
	for _, name := range names {
		if _, err := fmt.Sscanf(name, "v%d_", &version); err == nil {
			break
		}
	}
	return version, slices.Equal(names, toolsOf(version))
}

// changeLists has a server list other tools.
func (p *player) changeLists() error {
	s := pick(p.random, p.w.living())
	p.w.journal.note(p.name, "changes the list of %s", s.name)
	s.change()
	return nil
}

// fillPipes calls a server that does not read, with more than pipes hold.
func (p *player) fillPipes() error {
	ill := p.w.ill()
	if len(ill) == 0 {
		return nil
	}
	s := pick(p.random, ill)
	p.w.journal.note(p.name, "deafens %s", s.name)
	s.Deafen()
	for range 8 {
		if _, err := p.call(s, plain, 100_000); err != nil {
			return err
		}
	}
	return p.callWell()
}

// stopReading has the host read nothing for a while, though it asks for more than
// pipes hold. All of it is answered when it reads on.
func (p *player) stopReading() error {
	p.w.journal.note(p.name, "stops reading")
	p.ear.Lock()
	var made []*request
	for range 10 + p.random.IntN(20) {
		r, err := p.call(pick(p.random, p.w.well()), large, 0)
		if err != nil {
			p.ear.Unlock()
			return err
		}
		made = append(made, r)
	}
	for _, t := range p.followed() {
		t.server.news.update(t.uri)
	}
	<-time.After(time.Duration(50+p.random.IntN(200)) * time.Millisecond) // until pipes are full
	p.w.journal.note(p.name, "reads on")
	p.ear.Unlock()
	return p.awaitAll(made)
}

// callDead calls each server that cannot be reached yet, or ever.
func (p *player) callDead() error {
	for _, s := range p.w.servers {
		if s.dead || s.unnamed.Load() {
			if _, err := p.call(s, plain, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// A hurt is a fault of a whole server.
type hurt struct {
	name string
	do   func()
}

// hurt has a fault befall a whole server.
func (p *player) hurt() error {
	ill := p.w.ill()
	if len(ill) == 0 {
		return nil
	}
	s := pick(p.random, ill)
	hurts := []hurt{
		{"kills", s.Kill},
		{"kills", s.Kill},
		{"resets", s.Reset},
		{"resets", s.Reset},
		{"freezes", s.Freeze},
		{"deafens", s.Deafen},
		{"has connections refused by", func() { s.Refuse(true) }},
		{"has its sessions forgotten by", s.scripted.Forget},
		{"has its subscriptions ended by", s.news.endStreams},
		{"spoils the certificate of", func() { s.spoiled.Store(true) }},
	}
	if s.tokens != nil && p.random.IntN(2) == 0 {
		hurts = append(hurts[:0], hurt{"revokes the tokens of", s.tokens.revoke}, hurt{"has no tokens given by", func() { s.tokens.withhold(true) }})
	}
	h := pick(p.random, hurts)
	p.w.journal.note(p.name, "%s %s", h.name, s.name)
	h.do()
	return nil
}

func (p *player) healAll() error {
	p.w.journal.note(p.name, "heals all servers")
	return p.w.heal()
}

// killWeir ends weir without grace and starts it anew.
func (p *player) killWeir() error {
	p.w.journal.note(p.name, "kills its weir")
	p.lose(syscall.SIGKILL)
	return p.begin()
}

// endWeir ends weir as hosts do, with whatever is under way, and starts it anew.
func (p *player) endWeir() error {
	p.w.journal.note(p.name, "ends its weir")
	if err := p.end(); err != nil {
		return err
	}
	return p.begin()
}

// begin starts weir with the whole configuration: a broken one is none to start
// with.
func (p *player) begin() error {
	if err := p.saveWhole(); err != nil {
		return err
	}
	if err := p.start(); err != nil {
		return err
	}
	_, err := p.versions()
	return err
}

// end closes weir's input and waits for its end.
func (p *player) end() error {
	p.mu.Lock()
	p.leaving = true
	p.mu.Unlock()
	p.process.CloseInput()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-p.process.Ended():
	case <-timeout.C:
		p.process.Signal(syscall.SIGQUIT)
		return errors.New(p.name + ": weir has not ended with its input")
	}
	p.forsake()
	p.lives = append(p.lives, p.process)
	if err := p.process.Outcome(); err != nil {
		p.w.journal.violated(p.name, "weir ended with %v", err)
	}
	return nil
}

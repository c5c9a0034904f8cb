package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/weir-mcp/weir/scripts/rig"
)

// This file is how a configuration is changed while weir runs. Each one that can
// be read has a tool of weir's own whose name tells which it is: what is listed
// tells then which one is in effect.

// mark is the tool of the nth configuration, as it is listed.
func (p *player) mark() string { return fmt.Sprintf("%stools__mark%d", p.prefix, p.marked) }

// The ways to save a file. What weir is told of is a link to it.
const (
	replacing = iota // by another file
	inPlace          // in two pieces
	switching        // the link, to another file
	anew             // after it was removed
	ways
)

// save writes the file in one of the ways.
func (p *player) save(text string, way int) error {
	p.saved++
	target, err := filepath.EvalSymlinks(p.file)
	if err != nil {
		return err
	}
	switch way {
	case inPlace:
		f, err := os.OpenFile(target, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		for _, part := range []string{text[:len(text)/2], text[len(text)/2:]} {
			if _, err := f.WriteString(part); err != nil {
				return err
			}
		}
		return nil
	case switching:
		next := fmt.Sprintf("%s.%d", p.file, p.saved)
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			return err
		}
		return p.link(next)
	case anew:
		if err := os.Remove(target); err != nil {
			return err
		}
		return os.WriteFile(target, []byte(text), 0o600)
	}
	return replaceFile(target, text)
}

// link has what weir is told of lead to another file.
func (p *player) link(target string) error {
	link := p.file + ".link"
	if err := os.Symlink(target, link); err != nil {
		return err
	}
	return os.Rename(link, p.file)
}

// configure makes the next configuration one that can be read, and says how it
// differs from the last.
func (p *player) configure(want func(*server) (wanted bool, further string)) string {
	p.marked++
	return p.w.configuration(want) + fmt.Sprintf("tools: {mark%d: {description: a mark, command: [nothing]}}\n", p.marked)
}

// saveWhole writes the configuration of all servers, for a weir that is to start.
func (p *player) saveWhole() error {
	if _, err := os.Lstat(p.file); err != nil {
		if err := p.link(p.file + ".0"); err != nil {
			return err
		}
		if err := os.WriteFile(p.file+".0", nil, 0o600); err != nil {
			return err
		}
	}
	return p.save(p.configure(everyServer), replacing)
}

func everyServer(*server) (wanted bool, further string) { return true, "" }

// reload has weir read another configuration while it runs: without some of the
// servers that are ill, with others of them changed, or one that cannot be read.
// Half of the time nobody but the file tells it so.
func (p *player) reload() error {
	how, way := p.random.IntN(4), p.random.IntN(ways)
	p.w.journal.note(p.name, "has its configuration changed (%d, %d)", how, way)
	// One that cannot be read is none to start with.
	if alone, err := p.wake(); err != nil || alone {
		return err
	}
	text, salt := "", p.random.Uint64()
	var lost []*topic
	switch how {
	case 0:
		text = "servers: {broken: ["
	case 1:
	default:
		for _, t := range p.followed() {
			if wanted, _ := p.varied(t.server, salt); !wanted {
				p.drop(t) // with its server
				lost = append(lost, t)
			}
		}
		text = p.configure(func(s *server) (bool, string) { return p.varied(s, salt) })
	}
	if err := p.save(text, way); err != nil {
		return err
	}
	if p.random.IntN(2) == 0 {
		p.hangUp()
	}
	if how < 2 {
		return p.list() // nothing has changed
	}
	return errors.Join(p.awaitMark(), p.hearLast(lost))
}

// hearLast sees that the host hears a last word of what it followed and is not
// there any more. Of what a weir behind the host's has not yet followed again since
// its own start, that cannot say it.
func (p *player) hearLast(lost []*topic) error {
	if !p.direct {
		return nil
	}
	end := time.Now().Add(patience)
	for _, t := range lost {
		if !p.awaitUntil(end, func() bool { return t.words > 0 }) {
			p.w.journal.violated(p.name, "%s has left, and of %s nothing was told", t.server.name, t.uri)
		}
	}
	return nil
}

// wake has the weir run that stands behind the host's, which it need not before it
// is used. It reports whether that is let alone for longer than anybody would wait.
func (p *player) wake() (alone bool, err error) {
	if p.direct {
		return false, nil
	}
	return p.use(p.w.well()[0])
}

// hangUp has SIGHUP tell the weir that has the servers of its configuration.
func (p *player) hangUp() {
	if p.direct {
		p.process.Signal(syscall.SIGHUP)
		return
	}
	for _, r := range p.inner() {
		r.Signal(syscall.SIGHUP)
	}
}

// awaitMark waits until the latest configuration is in effect. The host lists when
// it is told to.
func (p *player) awaitMark() error {
	if alone, err := p.wake(); err != nil || alone {
		return err
	}
	for end := time.Now().Add(patience); ; {
		told := p.toldOfChanges()
		tools, err := p.listTools()
		if err != nil || slices.Contains(tools, p.mark()) {
			return err
		}
		if !p.awaitUntil(end, func() bool { return p.changes > told }) {
			tools, err := p.listTools()
			p.w.journal.violated(p.name, "the configuration of %s is saved, and not told of; listed are %q", p.mark(), marksIn(tools, p.prefix))
			return err
		}
	}
}

// seeMark looks whether the latest configuration is in effect, and no other. A list
// that was kept may be of an earlier one, where another weir stands between.
func (p *player) seeMark(tools []string) {
	if got := marksIn(tools, p.prefix); p.direct && !slices.Equal(got, []string{p.mark()}) {
		p.w.journal.violated(p.name, "listed are %q, want %s", got, p.mark())
	}
}

func marksIn(tools []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(tools), func(name string) bool { return !strings.HasPrefix(name, prefix+"tools__mark") })
}

// varied is how a server stands in a configuration, by a salt.
func (p *player) varied(s *server, salt uint64) (wanted bool, further string) {
	if !s.faulty {
		return true, ""
	}
	at := slices.Index(p.w.servers, s) * 2
	switch salt >> at & 3 {
	case 0:
		return false, ""
	case 1:
		if s.transport == rig.Stdio {
			return true, fmt.Sprintf("env: {SALT: %q}", fmt.Sprint(salt))
		}
		return true, fmt.Sprintf("headers: {X-Salt: %q}", fmt.Sprint(salt))
	}
	return true, ""
}

// restoreConfig has weir take the whole configuration again.
func (p *player) restoreConfig() error {
	if err := p.save(p.configure(everyServer), p.random.IntN(ways)); err != nil {
		return err
	}
	if p.random.IntN(2) == 0 {
		// One that has only just been started would end by it.
		if alone, err := p.wake(); err != nil || alone {
			return err
		}
		p.hangUp()
	}
	return p.awaitMark()
}

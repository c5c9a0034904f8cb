package aggregator

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/pins"
)

// A Rehearsal is what a host would be answered that begins now.
type Rehearsal struct {
	Lines [][]byte // as they would be written, with their ends

	lives map[string]ListLife
}

// A ListLife says how long a list is good that a host is told ("ttlMs",
// 2026-07-28, caching).
type ListLife struct {
	Until time.Time     // zero: it is the same whenever it is told
	Most  time.Duration // however far Until is
}

// Life returns how long the answer to a method is good, of those that answer
// with a list.
func (r *Rehearsal) Life(method string) (life ListLife, known bool) {
	life, known = r.lives[method]
	return life, known
}

// ErrNotStored is the error of Rehearse where a start would wait for servers.
var ErrNotStored = errors.New("there are servers whose lists are not stored")

// ErrUnfinished is the error of Rehearse where an answer is so large that it was
// not written in the time that a session takes to end.
var ErrUnfinished = errors.New("the answers were not written in time")

// A transcript is what a rehearsing session writes: until it has ended, though it may
// still write then.
type transcript struct {
	mu    sync.Mutex
	text  []byte
	ended bool
}

// Write implements io.Writer.
func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return 0, io.ErrClosedPipe
	}
	t.text = append(t.text, p...)
	return len(p), nil
}

// end returns what was written. Nothing is written from then on.
func (t *transcript) end() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	return t.text
}

// Rehearse finds out what a start would answer to these first lines of a host, by
// a weir that is made for it and goes as far as the stored lists: no server is
// started or asked, and what is of Audit, Telemetry and Log is not told. cfg.Admin is never
// called. The lines should ask for nothing but lists and what weir itself answers.
func Rehearse(cfg Config, lines [][]byte) (*Rehearsal, error) {
	cfg.Audit, cfg.Telemetry, cfg.Answered, cfg.Log = nil, nil, nil, zerolog.Nop()
	a := New(cfg)
	defer a.Close()
	a.rehearsing = true
	a.cancel() // so it begins nothing
	var out transcript
	in := append(bytes.Join(lines, []byte{'\n'}), '\n')
	if err := a.Serve(context.Background(), bytes.NewReader(in), &out); err != nil {
		return nil, err
	}
	if !a.listsAreIn() {
		return nil, ErrNotStored
	}
	r := &Rehearsal{lives: make(map[string]ListLife, catalog.Kinds)}
	text := out.end()
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return nil, ErrUnfinished
	}
	for line := range bytes.Lines(text) {
		r.Lines = append(r.Lines, line)
	}
	for k := range catalog.Kind(catalog.Kinds) {
		until, most := a.view.Load().snapshot.Life(k)
		r.lives[listMethods[k]] = ListLife{until, most}
	}
	return r, nil
}

// rehearse ends the opening of a weir that only rehearses. A list that would wait
// for servers is answered without them, and it is known that it was.
func (a *Aggregator) rehearse(untried []*server) {
	if len(untried) == 0 {
		close(a.whole)
	}
}

// Files are those that a first list depends on: the stored lists of the servers,
// and the pins of those where they block. They need not be there; each is replaced
// whole and never written to. An error is that nothing is stored, or pinned.
func (c *Config) Files() ([]string, error) {
	if !c.Store.Usable() || c.Pins == nil {
		return nil, ErrNotStored
	}
	paths := make([]string, 0, 2*len(c.Servers))
	for i := range c.Servers {
		s := &c.Servers[i]
		paths = append(paths, c.Store.Path(catalog.Key{Server: s.Name, Identity: s.Identity}))
		if s.Pin == pins.Block {
			paths = append(paths, c.Pins.Path(s.Name))
		}
	}
	return paths, nil
}

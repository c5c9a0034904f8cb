package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/prelude"
	"github.com/weir-mcp/weir/internal/prelude/keep"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// rehearsalTime is how long nothing must have changed before the next start is
// rehearsed: what a host asks first is over by then, and what it looks for in
// another place, too.
const rehearsalTime = time.Second

// maxTries is how often in a row it is tried to rehearse while something changes.
const maxTries = 5

// A prompter sees to it that the next start with this host has a record to answer
// from (package prelude).
type prompter struct {
	r     *reloader
	store *catalog.Store
	input *prelude.Input
	known int // requests that a record has answered this time
	due   *time.Timer

	// Of run alone.
	lines [][]byte // of the host; nil until they were looked at
	tries int      // in a row that came to nothing yet
}

// newPrompter returns the prompter for a host.
func (r *reloader) newPrompter(played *prelude.Performance, input *prelude.Input, store *catalog.Store) *prompter {
	return &prompter{
		r: r, store: store, input: input, known: played.Answered(), due: time.NewTimer(rehearsalTime),
	}
}

// again has the next start rehearsed once more. It does not wait; a nil prompter
// does nothing.
func (p *prompter) again() {
	if p != nil {
		p.due.Reset(rehearsalTime)
	}
}

// run rehearses whenever it is due, until ctx ends. A nil prompter has nothing to do.
func (p *prompter) run(ctx context.Context) {
	if p == nil {
		return
	}
	defer p.due.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.due.C:
			if !p.look() {
				return
			}
		}
	}
}

// look rehearses if there is anything to rehearse. It reports false if there never
// will be.
func (p *prompter) look() bool {
	if p.lines == nil {
		heard := p.input.Heard()
		if len(heard) == 0 {
			p.again() // the host takes its time
			return true
		}
		p.input.Enough()
		if p.lines = openingLines(heard); len(p.lines) == 0 {
			return false
		}
		if p.known == requests(p.lines) {
			return true // a record has answered all of it, so it is good
		}
	}
	err := p.r.rehearse(p.store, p.lines, time.Now())
	p.r.log.Debug().Err(err).Msg("rehearsed the next start")
	if p.tries++; !errors.Is(err, errUnsettled) || p.tries == maxTries {
		p.tries = 0
	} else {
		p.again()
	}
	return true
}

// openings are what a prelude can answer: what hosts ask before anything else.
var openings = map[string]bool{
	"initialize": true, "server/discover": true, "notifications/initialized": true,
	"tools/list": true, "prompts/list": true, "resources/list": true, "resources/templates/list": true,
}

// maxOpening is how many lines are rehearsed.
const maxOpening = 16

// openingLines are the first of these lines that a prelude can answer.
func openingLines(lines [][]byte) [][]byte {
	for i, line := range lines {
		if i == maxOpening || !isOpening(line) {
			return lines[:i]
		}
	}
	return lines
}

func isOpening(line []byte) bool {
	var m jsonrpc.Message
	return m.Parse(line) == nil && (m.Kind == jsonrpc.Request || m.Kind == jsonrpc.Notification) && openings[string(m.Method)]
}

func requests(lines [][]byte) (n int) {
	for _, line := range lines {
		var m jsonrpc.Message
		if m.Parse(line) == nil && m.Kind == jsonrpc.Request {
			n++
		}
	}
	return n
}

var (
	// errUnsettled is that something is being changed just now.
	errUnsettled = errors.New("something has changed just now")
	errNoRecord  = errors.New("a start like this cannot be recorded")
)

// rehearse does what a start would do with these lines of a host, and records it. Of
// what was replaced shortly before now it makes no record.
func (r *reloader) rehearse(store *catalog.Store, lines [][]byte, now time.Time) error {
	start, err := prelude.NewStart(r.app.start())
	if err != nil {
		return err
	}
	record, err := r.record(start, store, lines, now)
	if err != nil {
		keep.Forget(start, lines[0])
		return err
	}
	return keep.Record(start, record)
}

// start is how this process was started.
func (a *app) start() prelude.Process {
	p := prelude.This()
	p.Args = a.Args
	return p
}

// record rehearses a start and takes note of all that it is made of. What is there
// before it is read, and is the same behind, is what was read.
func (r *reloader) record(start *prelude.Start, store *catalog.Store, lines [][]byte, now time.Time) (*prelude.Record, error) {
	if r.app.identity.piped != nil {
		return nil, errNoRecord // it cannot be read again
	}
	record := &prelude.Record{Made: time.Now()}
	file, sources, err := r.app.loadWithSources()
	if err != nil {
		return nil, err
	}
	cfg := r.app.servedConfig(file, zerolog.Nop())
	if cfg.Notice != "" {
		return nil, errNoRecord // it is quick enough
	}
	cfg.Store, cfg.Admin = store, administrator{r}
	cfg.Auth = r.app.newKeeper(nil, zerolog.Nop())
	defer cfg.Auth.Close()

	in := &record.Inputs
	if err := r.app.takeIn(start, in, sources); err != nil {
		return nil, err
	}
	paths, err := cfg.Files()
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if err := in.Replaced(path); err != nil {
			return nil, err
		}
	}
	if !in.Settled(now) {
		return nil, errUnsettled
	}
	rehearsal, err := aggregator.Rehearse(cfg, lines)
	if err != nil {
		return nil, err
	}
	if record.Answers, err = answersOf(rehearsal, lines); err != nil {
		return nil, err
	}
	if !start.Hold(in) {
		return nil, errUnsettled
	}
	return record, nil
}

// takeIn takes note of what the configuration was made of.
func (a *app) takeIn(start *prelude.Start, in *prelude.Inputs, sources *config.Sources) error {
	same := sources.Again(func(path string, limit int64, data []byte, err error) bool {
		return start.Read(in, path, limit, data, err) == nil
	})
	if !same {
		return errUnsettled
	}
	for _, name := range sources.Variables() {
		start.LookedUp(in, name)
	}
	if a.readsRelative() {
		folder, err := os.Getwd()
		if err != nil {
			return err
		}
		in.Folder = folder
	}
	return nil
}

// readsRelative reports whether a path that this run was given begins in the
// working folder.
func (a *app) readsRelative() bool {
	relative := func(path string) bool { return path != "" && !filepath.IsAbs(path) && !strings.HasPrefix(path, "~") }
	config := a.configFlag
	if config == "" {
		config = a.getenv("WEIR_CONFIG")
	}
	return relative(config) || relative(a.identity.keyFile.text)
}

// notices tell a host that a list has changed (2025-11-25, tools, prompts and
// resources).
var notices = map[string]string{
	"tools/list":               "notifications/tools/list_changed",
	"prompts/list":             "notifications/prompts/list_changed",
	"resources/list":           "notifications/resources/list_changed",
	"resources/templates/list": "notifications/resources/list_changed",
}

// answersOf brings together what a host asks and what it is answered.
func answersOf(rehearsal *aggregator.Rehearsal, lines [][]byte) ([]prelude.Answer, error) {
	replies := make(map[string][]byte, len(rehearsal.Lines))
	for _, line := range rehearsal.Lines {
		var m jsonrpc.Message
		if err := m.Parse(line); err != nil {
			return nil, err
		}
		if m.Kind == jsonrpc.Response {
			replies[string(m.ID)] = line
		}
	}
	var answers []prelude.Answer
	legacy := false
	for _, line := range lines {
		var m jsonrpc.Message
		if err := m.Parse(line); err != nil {
			return nil, err
		}
		answer := prelude.Answer{Line: line}
		if m.Kind == jsonrpc.Request {
			reply, answered := replies[string(m.ID)]
			if !answered {
				return answers, nil // what comes behind is another matter
			}
			answer.Reply = reply
			legacy = legacy || string(m.Method) == "initialize"
			if notice := notices[string(m.Method)]; notice != "" && legacy {
				answer.Notice = []byte(`{"jsonrpc":"2.0","method":"` + notice + `"}` + "\n")
			}
			if err := locate(&answer, &m, rehearsal); err != nil {
				return nil, err
			}
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// locate finds what differs from start to start.
func locate(answer *prelude.Answer, m *jsonrpc.Message, rehearsal *aggregator.Rehearsal) error {
	var reply jsonrpc.Message
	if err := reply.Parse(answer.Reply); err != nil {
		return err
	}
	answer.ID = spanOf(answer.Line, m.ID)
	answer.ReplyID = spanOf(answer.Reply, reply.ID)
	life, isList := rehearsal.Life(string(m.Method))
	lifetime := jsonrpc.Find(reply.Fields, "ttlMs")
	if isList && lifetime != nil && !life.Until.IsZero() {
		answer.Lifetime = prelude.Lifetime{Span: spanOf(answer.Reply, lifetime), Until: life.Until, Most: life.Most}
	}
	return nil
}

// spanOf is where a part of a line stands that aliases it.
func spanOf(line, part []byte) prelude.Span {
	before, _ := jsonrpc.Cut(line, part)
	return prelude.Span{At: len(before), Len: len(part)}
}

// play puts the session behind what its host was told before.
func (s *stdio) play(played *prelude.Performance) *prelude.Input {
	in := played.Input(s.in)
	s.in, s.out = in, played.Output(s.out)
	return in
}

package aggregator

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/upstream"
)

// This file counts what becomes of requests, for each server. What the audit log
// is told is counted too; so that the two agree.

// Figures are what has become of requests since weir was started. It is a value of
// its own.
type Figures struct {
	Server string // "" where it is all of them, or those for none

	OK        uint64 // answered
	Errors    uint64 // answered with an error, or with a result that says isError
	Denied    uint64 // by the policy
	Refused   uint64 // by weir for another reason: no proper request, no approval, a limit
	Unknown   uint64 // for what nobody has
	Asked     uint64 // answered with a question; the host goes on with another request
	Cancelled uint64 // by the host, or the host is gone

	// Failed are those without an answer, by the kind of failure. TimedOut is
	// upstream.KindTimeout of it.
	Failed map[upstream.Kind]uint64

	InFlight int           // that are being worked on now
	Oldest   time.Duration // how long the oldest of these takes already

	RequestBytes  uint64 // of what hosts sent
	ResponseBytes uint64 // of what they were answered

	// Durations are of the requests with an answer and of those that failed: from
	// the host's request on, so that what a person took to approve one is in it.
	Durations Durations

	Questions uint64 // that the server asked the host
	Listings  uint64 // how often the server was asked for its lists

	Connections upstream.Tally

	LastFailure LastFailure // the zero value: there was none
}

// LastFailure is the failure that came last, of those without an answer.
type LastFailure struct {
	At   time.Time
	Kind upstream.Kind
	Text string // as hosts may see it
}

// Calls is how many requests have ended, one way or the other.
func (f *Figures) Calls() uint64 {
	return f.OK + f.Errors + f.Denied + f.Refused + f.Unknown + f.Asked + f.Cancelled + f.Failures()
}

// Failures is how many requests had no answer.
func (f *Figures) Failures() uint64 {
	var all uint64
	for _, n := range f.Failed {
		all += n
	}
	return all
}

// TimedOut is how many requests had no answer in time.
func (f *Figures) TimedOut() uint64 { return f.Failed[upstream.KindTimeout] }

// words are the figures in short, with a comma before; "" if there was no request
// yet.
func (f *Figures) words() string {
	var b strings.Builder
	if calls := f.Calls(); calls > 0 {
		fmt.Fprintf(&b, ", %d calls (%d failed, %d errors", calls, f.Failures(), f.Errors)
		if f.Durations.Count > 0 {
			fmt.Fprintf(&b, "; half within %v, 99 %% within %v", rough(f.Durations.Quantile(0.5)), rough(f.Durations.Quantile(0.99)))
		}
		b.WriteByte(')')
	}
	if f.InFlight > 0 {
		fmt.Fprintf(&b, ", %d in flight for up to %v", f.InFlight, rough(f.Oldest))
	}
	return b.String()
}

// rough is a time with no more digits than it is worth.
func rough(d time.Duration) time.Duration {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond)
	case d < time.Second:
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}

// add counts the figures of another server too.
func (f *Figures) add(other *Figures) {
	f.OK += other.OK
	f.Errors += other.Errors
	f.Denied += other.Denied
	f.Refused += other.Refused
	f.Unknown += other.Unknown
	f.Asked += other.Asked
	f.Cancelled += other.Cancelled
	for kind, n := range other.Failed {
		if f.Failed == nil {
			f.Failed = make(map[upstream.Kind]uint64)
		}
		f.Failed[kind] += n
	}
	f.InFlight += other.InFlight
	f.Oldest = max(f.Oldest, other.Oldest)
	f.RequestBytes += other.RequestBytes
	f.ResponseBytes += other.ResponseBytes
	f.Durations.add(&other.Durations)
	f.Questions += other.Questions
	f.Listings += other.Listings
	f.Connections.Add(other.Connections)
	if other.LastFailure.At.After(f.LastFailure.At) {
		f.LastFailure = other.LastFailure
	}
}

// A tally counts the requests for one server, or for none. It is safe for
// concurrent use, and counting a request that was answered takes no lock. The
// zero tally has counted nothing.
type tally struct {
	ok, errors, denied, refused, unknown, asked, cancelled atomic.Uint64

	requestBytes, responseBytes atomic.Uint64
	durations                   histogram
	questions, listings         atomic.Uint64

	mu          sync.Mutex
	failed      map[upstream.Kind]uint64 // guarded by mu
	last        LastFailure              // guarded by mu
	connections upstream.Tally           // guarded by mu; of those that had the name before
}

// count takes what the audit log is told of.
func (t *tally) count(r *audit.Record) {
	if isQuestion(r.Kind) {
		t.questions.Add(1)
		return
	}
	t.requestBytes.Add(uint64(r.RequestBytes))
	t.responseBytes.Add(uint64(r.ResponseBytes))
	switch r.Outcome {
	case audit.OK:
		t.ok.Add(1)
		t.durations.note(r.Duration)
	case audit.Error:
		t.errors.Add(1)
		t.durations.note(r.Duration)
	case audit.Failed:
		t.durations.note(r.Duration)
		t.fail(upstream.Kind(r.Failure))
	case audit.Denied:
		t.denied.Add(1)
	case audit.Unknown:
		t.unknown.Add(1)
	case audit.Asked:
		t.asked.Add(1)
	case audit.Cancelled:
		t.cancelled.Add(1)
	default:
		t.refused.Add(1)
	}
}

func isQuestion(kind string) bool {
	switch kind {
	case audit.KindSampling, audit.KindElicitation, audit.KindRoots:
		return true
	}
	return false
}

func (t *tally) fail(kind upstream.Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		t.failed = make(map[upstream.Kind]uint64)
	}
	t.failed[kind]++
}

// noteFailure remembers a failure as hosts may see it.
func (t *tally) noteFailure(kind upstream.Kind, err error) {
	last := LastFailure{At: time.Now(), Kind: kind, Text: publicReason(err)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = last
}

// inherit goes on with what was counted for a server that another one takes the
// name of.
func (t *tally) inherit(connections upstream.Tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.connections.Add(connections)
}

// figures is what was counted so far.
func (t *tally) figures(server string) Figures {
	f := Figures{
		Server: server,
		OK:     t.ok.Load(), Errors: t.errors.Load(), Denied: t.denied.Load(), Refused: t.refused.Load(),
		Unknown: t.unknown.Load(), Asked: t.asked.Load(), Cancelled: t.cancelled.Load(),
		RequestBytes: t.requestBytes.Load(), ResponseBytes: t.responseBytes.Load(), Durations: t.durations.durations(),
		Questions: t.questions.Load(), Listings: t.listings.Load(),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f.Failed, f.LastFailure, f.Connections = maps.Clone(t.failed), t.last, t.connections
	return f
}

// tallyOf is what counts the requests for a server; nil stands for those that are
// for none.
func (a *Aggregator) tallyOf(s *server) *tally {
	if s == nil {
		return &a.unserved
	}
	return s.tally
}

// Figures returns what was counted for every server, in the order of the
// configuration, and for all of them, with the requests for none, such as lists.
// A server that is configured otherwise goes on with the figures of its name; those
// of one that is removed are gone.
func (a *Aggregator) Figures() (servers []Figures, all Figures) {
	w := a.world.Load()
	busy := a.busy()
	servers = make([]Figures, len(w.servers))
	for i, s := range w.servers {
		servers[i] = s.figures(busy[s.tally])
	}
	all = a.unserved.figures("")
	for i := range servers {
		all.add(&servers[i])
	}
	return servers, all
}

func (s *server) figures(now load) Figures {
	f := s.tally.figures(s.Name)
	f.Connections.Add(s.up.Tally())
	f.InFlight = now.inFlight
	if !now.oldest.IsZero() {
		f.Oldest = time.Since(now.oldest)
	}
	return f
}

// A load is what is being worked on.
type load struct {
	inFlight int
	oldest   time.Time // when the first of it came
}

// busy is what each server works on now. To look costs nothing but while somebody
// looks.
func (a *Aggregator) busy() map[*tally]load {
	busy := make(map[*tally]load)
	for _, s := range a.sessionList() {
		s.load(busy)
	}
	return busy
}

func (s *session) load(busy map[*tally]load) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.calls.all() {
		if c.server == nil {
			continue
		}
		l := busy[c.server.tally]
		l.inFlight++
		if l.oldest.IsZero() || c.told.begun.Before(l.oldest) {
			l.oldest = c.told.begun
		}
		busy[c.server.tally] = l
	}
}

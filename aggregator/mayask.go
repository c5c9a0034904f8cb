package aggregator

import (
	"crypto/sha256"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is what a server may ask of the host at all, however it asks. What
// it may not is not declared to it, and refused as if the host could not answer.

// Questions is what the user lets a server ask of hosts that can answer. The zero
// Questions let it ask all.
type Questions struct {
	NoSampling    bool
	NoElicitation bool
	NoRoots       bool

	Sampling SamplingLimits
}

// SamplingLimits bound the work that a server may give to the host's model. What
// is zero is no limit.
type SamplingLimits struct {
	Rate      Rate
	MaxBytes  int // of the params of one request
	MaxTokens int // that one request may want to have written
}

// A Rate is so many in so much time, all of them at once if need be. The zero Rate
// is no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

func (r Rate) String() string { return fmt.Sprintf("%d in %v", r.Count, r.Per) }

const samplingMethod = "sampling/createMessage"

// withheld are the capabilities that the server is not told of.
func (q *Questions) withheld() (names []string) {
	for _, c := range q.capabilities() {
		if c.denied {
			names = append(names, c.name)
		}
	}
	return names
}

type askedCapability struct {
	name, method string
	denied       bool
}

func (q *Questions) capabilities() [3]askedCapability {
	return [...]askedCapability{
		{"sampling", samplingMethod, q.NoSampling},
		{"elicitation", "elicitation/create", q.NoElicitation},
		{"roots", "roots/list", q.NoRoots},
	}
}

// denied returns the capability that the server would need for a question and must
// not use; "" if it may ask.
func (q *Questions) denied(method string) string {
	for _, c := range q.capabilities() {
		if c.denied && c.method == method {
			return c.name
		}
	}
	return ""
}

// restricted reports whether there is anything that the server may not ask.
func (q *Questions) restricted() bool { return *q != Questions{} }

// An unasked is why a question of a server is not put to the host.
type unasked struct {
	code    int    // the error that the server gets
	message string // in it
	cause   error  // of a call that ends with it, for the host; nil for what the host lacks
}

// mayAsk says why a question must not be put to a host that has declared this, or
// nil. size is that of the params in bytes.
func (s *server) mayAsk(d *declared, method string, params []jsonrpc.Member, size int) *unasked {
	if name := s.Questions.denied(method); name != "" {
		s.a.log.Info().Str("upstream", s.Name).Str("method", method).Msg("question denied by the configuration")
		return &unasked{codeMethodNotFound, lacks + name, s.deniedQuestion(name)}
	}
	if code, why := d.refusal(method, params); code != 0 {
		return &unasked{code: code, message: why}
	}
	if method == samplingMethod {
		return s.overLimits(params, size)
	}
	return nil
}

// deniedQuestion is the failure of a call by a question that the configuration
// denies.
func (s *server) deniedQuestion(capability string) error {
	return upstream.AuthorizationError{Fault: &upstream.Fault{
		Server: s.Name, MaybeExecuted: true,
		Text: "the server asks for " + capability + ", which weir's configuration denies to it",
		Hint: "The call is not finished and will not be. Only the user can change that.",
	}}
}

// overLimits says which limit a request for sampling is over, or nil. One that is
// over none counts.
func (s *server) overLimits(params []jsonrpc.Member, size int) *unasked {
	limits := &s.Questions.Sampling
	code, why := codeInvalidParams, ""
	var after time.Duration
	switch {
	case *limits == SamplingLimits{}:
		return nil
	case limits.MaxBytes > 0 && size > limits.MaxBytes:
		why = fmt.Sprintf("a sampling request of %d bytes is over the limit of %d", size, limits.MaxBytes)
	case limits.MaxTokens > 0:
		why = tooManyTokens(params, limits.MaxTokens)
	}
	if why == "" {
		if after = s.samplings.take(limits.Rate, time.Now()); after == 0 {
			return nil
		}
		code = codeInternal
		why = fmt.Sprintf("more sampling requests than %v; the next may be in %.0f s", limits.Rate, math.Ceil(after.Seconds()))
	}
	s.samplings.tell(s.a.log.With().Str("upstream", s.Name).Logger(), why)
	return &unasked{code, why, upstream.RateLimitError{Fault: &upstream.Fault{
		Server: s.Name, MaybeExecuted: true, RetryAfter: after,
		Text: "the server asks for more than weir's configuration lets it: " + why,
		Hint: "The call is not finished and will not be.",
	}}}
}

var samplingMembers = names("maxTokens")

// tooManyTokens says what is wrong with the maxTokens of a request, which every
// request needs (2025-11-25, sampling), or "". It must be readable in one way.
func tooManyTokens(params []jsonrpc.Member, limit int) string {
	if why := ambiguous(params, samplingMembers); why != "" {
		return why + " in a sampling request"
	}
	wanted, err := strconv.ParseFloat(string(jsonrpc.Find(params, "maxTokens")), 64)
	switch {
	case err != nil:
		return "a sampling request needs the number maxTokens"
	case wanted > float64(limit):
		return fmt.Sprintf("maxTokens is over the limit of %d", limit)
	}
	return ""
}

// An allowance is what is left of a Rate. It is safe for concurrent use.
type allowance struct {
	mu    sync.Mutex
	used  float64   // of Rate.Count; less with time
	asOf  time.Time // of used
	told  time.Time // when a refusal was logged last
	quiet int       // refusals since

	passed map[[sha256.Size]byte]struct{} // questions of tasks that may be told again
}

// maxPassed is how many questions of tasks are remembered.
const maxPassed = 1000

func (l *allowance) knows(task string, question jsonrpc.Member) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known := l.passed[digestOf(task, question)]
	return known
}

func (l *allowance) know(task string, question jsonrpc.Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.passed) >= maxPassed || l.passed == nil {
		l.passed = make(map[[sha256.Size]byte]struct{})
	}
	l.passed[digestOf(task, question)] = struct{}{}
}

func digestOf(task string, question jsonrpc.Member) [sha256.Size]byte {
	text := append(jsonrpc.AppendString(nil, task), question.Name...)
	return sha256.Sum256(append(text, question.Value...))
}

// take uses one of the rate's up, or says how long it is until there is one.
func (l *allowance) take(r Rate, now time.Time) (after time.Duration) {
	if r == (Rate{}) {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	one := r.Per / time.Duration(r.Count)
	l.used = max(0, l.used-now.Sub(l.asOf).Seconds()/one.Seconds())
	l.asOf = now
	if over := l.used + 1 - float64(r.Count); over > 1e-6 {
		return max(time.Millisecond, time.Duration(over*float64(one)))
	}
	l.used++
	return 0
}

// toldEvery is how often a server that is over its limits is logged.
const toldEvery = 10 * time.Second

func (l *allowance) tell(log zerolog.Logger, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.told.IsZero() || now.Sub(l.told) >= toldEvery {
		log.Warn().Str("reason", why).Int("unlogged", l.quiet).Msg("sampling refused")
		l.told, l.quiet = now, 0
		return
	}
	l.quiet++
}

// How a server asks a modern host in a result, or in a notification of a task
// (2026-07-28, multi round-trip requests, and the tasks extension).
var (
	askingMembers  = names("resultType", "inputRequests", "requestState")
	requestMembers = names("method", "params")
)

// checkRequests says why what a server asks in the members of a result, or of a
// notification, must not reach a modern host; nil if it may. What could be read
// in two ways may not: it passes as the server wrote it. task is the server's id
// of the task that it is about: what that asks is told again and again, and is one
// question; "" for none.
func (s *server) checkRequests(fields []jsonrpc.Member, task string) error {
	if !s.Questions.restricted() {
		return nil
	}
	if ambiguous(fields, askingMembers) != "" {
		return s.asksWrongly()
	}
	raw := jsonrpc.Find(fields, "inputRequests")
	if raw == nil || string(raw) == "null" {
		return nil
	}
	requests, err := jsonrpc.ParseObject(nil, raw)
	if err != nil || len(requests) > maxInputs {
		return s.asksWrongly()
	}
	for _, r := range requests {
		if task != "" && s.samplings.knows(task, r) {
			continue
		}
		if err := s.checkRequest(r.Value); err != nil {
			return err
		}
		if task != "" {
			s.samplings.know(task, r)
		}
	}
	return nil
}

func (s *server) checkRequest(raw []byte) error {
	request, err := jsonrpc.ParseObject(nil, raw)
	if err != nil || ambiguous(request, requestMembers) != "" {
		return s.asksWrongly()
	}
	method, err := jsonrpc.String(jsonrpc.Find(request, "method"))
	if err != nil {
		return s.asksWrongly()
	}
	params := jsonrpc.Find(request, "params")
	members, _ := jsonrpc.ParseObject(nil, params) // there may be none
	if u := s.mayAsk(ableHost, method, members, len(params)); u != nil && u.cause != nil {
		return u.cause
	}
	return nil
}

// ableHost is a host that can answer all: what one can that is asked in its own
// way, it knows itself.
var ableHost = readDeclared([]byte(`{"roots":{},"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}}}`))

func (s *server) asksWrongly() error {
	return upstream.ProtocolError{Fault: &upstream.Fault{
		Server: s.Name, Text: errAsksWrongly.Error(), MaybeExecuted: true,
		Hint: "The call is not finished and will not be.",
	}}
}

// checkError says why an error of a server must not reach the host: it asks the
// user to open a page, or the host for a capability, and may not. nil if it may.
func (s *server) checkError(fields []jsonrpc.Member) error {
	if !s.Questions.restricted() {
		return nil
	}
	if ambiguous(fields, errorMembers) != "" {
		return s.asksWrongly()
	}
	switch code, _ := strconv.ParseFloat(string(jsonrpc.Find(fields, "code")), 64); {
	case code == codeURLElicitation && s.Questions.NoElicitation:
		return s.deniedQuestion("elicitation")
	case code == codeMissingCapability:
		required := memberOf(jsonrpc.Find(fields, "data"), "requiredCapabilities")
		for _, c := range s.Questions.capabilities() {
			if c.denied && memberOf(required, c.name) != nil {
				return s.deniedQuestion(c.name)
			}
		}
	}
	return nil
}

var errorMembers = names("code", "message", "data")

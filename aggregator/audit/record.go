package audit

import (
	"strconv"
	"strings"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The kinds of what a request is about.
const (
	KindTool         = "tool"
	KindPrompt       = "prompt"
	KindResource     = "resource"
	KindCompletion   = "completion"
	KindTask         = "task"
	KindSubscription = "subscription"
	KindList         = "list"

	// Questions that servers ask the host.
	KindSampling    = "sampling"
	KindElicitation = "elicitation"
	KindRoots       = "roots"

	// KindMessage is what could not be read as a request, or is of no method
	// that hosts may call.
	KindMessage = "message"
)

// The outcomes of a request.
const (
	OK        = "ok"        // it has its result
	Asked     = "asked"     // the host was asked something first: it goes on with its next request
	Error     = "error"     // who was asked answered with an error, or with a result that says so
	Failed    = "failed"    // there was no answer
	Refused   = "refused"   // by weir, for another reason than the policy's no
	Denied    = "denied"    // by the policy
	Unknown   = "unknown"   // nobody has what it names
	Cancelled = "cancelled" // by who asked, or who asked is gone
)

// A Record is one request and what became of it.
type Record struct {
	Time      time.Time // when the request came; required
	Principal string    // "" for none in particular
	Host      string    // name and version, by its own word
	Server    string    // "" if no server was found
	Kind      string
	Method    string
	Name      string // what the server calls it; what the host wrote if no server was found

	Verdict  string // the level that the policy gave, or "ask"; "" if it was not asked
	Rule     string // why, in a few words; "" if no rule decided
	RuleFile string // where that stands; "" for nowhere
	RuleLine int

	Outcome  string
	Failure  string // the kind of it, where there is one
	MaybeRan bool   // it failed, or was cancelled, and may have run all the same

	Duration      time.Duration // until the answer, or the end
	RequestBytes  int
	ResponseBytes int // of the answer as its author wrote it, 0 for none
	Count         int // of a list: how many items it has

	// Arguments are a raw object; nil for none. They are good during Write only.
	Arguments []byte
	tooLong   int // how long they are, where that is too long to be kept
}

// Bounds of one line, so that it is written at once and read whole. A byte may
// become six where it is escaped.
const (
	maxText      = 1 << 10
	maxArguments = 32 << 10
	maxLine      = 96 << 10
)

// bounded is the record with nothing in it that is longer than a line may hold,
// or that holds on to more memory than it needs.
func (r *Record) bounded() {
	for _, text := range [...]*string{&r.Principal, &r.Host, &r.Server, &r.Name, &r.Rule, &r.RuleFile, &r.Failure} {
		if len(*text) > maxText {
			*text = strings.ToValidUTF8((*text)[:maxText], "") + "…"
		}
	}
}

// A lineEncoder appends records as lines. It remembers the second it has last
// written, for most lines are of the same.
type lineEncoder struct {
	redact func(dst, raw []byte) []byte
	second int64
	clock  []byte
	room   []byte
}

// append appends the line of a record.
func (e *lineEncoder) append(dst []byte, r *Record) []byte {
	dst = e.appendTime(append(dst, '{'), r.Time)
	dst = jsonrpc.AppendString(append(dst, `,"principal":`...), r.Principal)
	dst = jsonrpc.AppendString(append(dst, `,"host":`...), r.Host)
	dst = jsonrpc.AppendString(append(dst, `,"server":`...), r.Server)
	dst = jsonrpc.AppendString(append(dst, `,"kind":`...), r.Kind)
	dst = jsonrpc.AppendString(append(dst, `,"method":`...), r.Method)
	dst = jsonrpc.AppendString(append(dst, `,"name":`...), r.Name)
	dst = jsonrpc.AppendString(append(dst, `,"verdict":`...), r.Verdict)
	dst = r.appendRule(append(dst, `,"rule":`...))
	dst = jsonrpc.AppendString(append(dst, `,"outcome":`...), r.Outcome)
	if r.Failure != "" {
		dst = jsonrpc.AppendString(append(dst, `,"failure":`...), r.Failure)
	}
	if r.MaybeRan {
		dst = append(dst, `,"maybe_ran":true`...)
	}
	if r.Kind == KindList {
		dst = strconv.AppendInt(append(dst, `,"count":`...), int64(r.Count), 10)
	}
	dst = appendMilliseconds(append(dst, `,"duration_ms":`...), r.Duration)
	dst = strconv.AppendInt(append(dst, `,"request_bytes":`...), int64(r.RequestBytes), 10)
	dst = strconv.AppendInt(append(dst, `,"response_bytes":`...), int64(r.ResponseBytes), 10)
	dst = e.appendArguments(dst, r)
	return append(dst, "}\n"...)
}

// appendLost appends the line that stands for n records.
func (e *lineEncoder) appendLost(dst []byte, now time.Time, n int) []byte {
	dst = e.appendTime(append(dst, '{'), now)
	dst = strconv.AppendInt(append(dst, `,"lost":`...), int64(n), 10)
	return append(dst, "}\n"...)
}

const timeHead = `"time":"`

// appendTime appends the member "time": UTC, in milliseconds (RFC 3339).
func (e *lineEncoder) appendTime(dst []byte, t time.Time) []byte {
	if second := t.Unix(); second != e.second || e.clock == nil {
		e.second = second
		e.clock = t.UTC().AppendFormat(append(e.clock[:0], timeHead...), "2006-01-02T15:04:05.")
	}
	ms := t.Nanosecond() / int(time.Millisecond)
	dst = append(dst, e.clock...)
	return append(dst, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z', '"')
}

// appendRule appends the rule and its place as one string.
func (r *Record) appendRule(dst []byte) []byte {
	dst = jsonrpc.AppendString(dst, r.Rule)
	if r.RuleFile == "" {
		return dst
	}
	dst = dst[:len(dst)-1]
	if r.Rule != "" {
		dst = append(dst, " ("...)
	}
	at := len(dst)
	dst = jsonrpc.AppendString(dst, r.RuleFile)
	dst = append(dst[:at], dst[at+1:len(dst)-1]...) // without its quotes
	if r.RuleLine > 0 {
		dst = strconv.AppendInt(append(dst, ':'), int64(r.RuleLine), 10)
	}
	if r.Rule != "" {
		dst = append(dst, ')')
	}
	return append(dst, '"')
}

// appendArguments appends the arguments without their secrets. Those that are
// too long are told of by their length: half of them could not be read, and not
// be searched for secrets either.
func (e *lineEncoder) appendArguments(dst []byte, r *Record) []byte {
	tooLong := r.tooLong
	if r.Arguments != nil {
		e.room = e.redact(e.room[:0], r.Arguments)
		if len(e.room) > maxArguments {
			tooLong = len(r.Arguments)
		}
	}
	switch {
	case tooLong > 0:
		return strconv.AppendInt(append(dst, `,"arguments_bytes":`...), int64(tooLong), 10)
	case r.Arguments == nil:
		return dst
	}
	for i, c := range e.room {
		if c == '\n' {
			e.room[i] = ' ' // it is white space between members: in a string it would be escaped
		}
	}
	return append(append(dst, `,"arguments":`...), e.room...)
}

// appendMilliseconds appends a time in milliseconds, to the microsecond.
func appendMilliseconds(dst []byte, d time.Duration) []byte {
	us := max(d, 0).Microseconds()
	dst = strconv.AppendInt(dst, us/1000, 10)
	if us %= 1000; us == 0 {
		return dst
	}
	return append(dst, '.', byte('0'+us/100), byte('0'+us/10%10), byte('0'+us%10))
}

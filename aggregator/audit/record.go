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

	// Arguments are a raw object; nil for none. They need to be good during Write
	// only.
	Arguments []byte
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
	if (len(r.Principal) | len(r.Host) | len(r.Server) | len(r.Name) | len(r.Rule) | len(r.RuleFile) | len(r.Failure)) < maxText {
		return // a power of two: none of them is as long
	}
	for _, text := range [...]*string{&r.Principal, &r.Host, &r.Server, &r.Name, &r.Rule, &r.RuleFile, &r.Failure} {
		if len(*text) > maxText {
			*text = strings.ToValidUTF8((*text)[:maxText], "") + "…"
		}
	}
}

// A lineEncoder appends records as lines. It remembers what it has last written:
// most lines are of the same second, and many say the same as the one before but
// for the time and the sizes.
type lineEncoder struct {
	arguments bool // they are written
	second    int64
	clock     []byte // of second
	said      Record
	words     []byte // of said
}

// append appends the line of a record.
func (e *lineEncoder) append(b *batch, r *Record) {
	if e.words == nil || !r.saysLike(&e.said) {
		e.said, e.words = *r, r.appendWords(e.words[:0])
		e.said.Arguments = nil // they are not ours
	}
	dst := e.appendTime(append(b.text, '{'), r.Time)
	dst = append(dst, e.words...)
	if r.Kind == KindList && r.Outcome == OK {
		dst = strconv.AppendInt(append(dst, `,"count":`...), int64(r.Count), 10)
	}
	dst = appendMilliseconds(append(dst, `,"duration_ms":`...), r.Duration)
	dst = strconv.AppendInt(append(dst, `,"request_bytes":`...), int64(r.RequestBytes), 10)
	dst = strconv.AppendInt(append(dst, `,"response_bytes":`...), int64(r.ResponseBytes), 10)
	switch {
	case r.Arguments == nil || !e.arguments:
	case len(r.Arguments) > maxArguments:
		dst = appendLength(dst, len(r.Arguments))
	default:
		b.arguments = append(b.arguments, span{len(dst), len(dst) + len(r.Arguments)})
		dst = append(dst, r.Arguments...)
	}
	b.text = append(dst, "}\n"...)
}

// saysLike reports whether two records say the same in words.
func (r *Record) saysLike(s *Record) bool {
	return r.Name == s.Name && r.Server == s.Server && r.Kind == s.Kind && r.Method == s.Method &&
		r.Outcome == s.Outcome && r.Failure == s.Failure && r.MaybeRan == s.MaybeRan &&
		r.Verdict == s.Verdict && r.Rule == s.Rule && r.RuleFile == s.RuleFile && r.RuleLine == s.RuleLine &&
		r.Principal == s.Principal && r.Host == s.Host
}

// appendWords appends what a record says in words as members, with a comma before
// each.
func (r *Record) appendWords(dst []byte) []byte {
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
	return dst
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
	text := r.Rule
	if r.RuleFile != "" {
		if text != "" {
			text += ", "
		}
		if text += r.RuleFile; r.RuleLine > 0 {
			text += ":" + strconv.Itoa(r.RuleLine)
		}
	}
	return jsonrpc.AppendString(dst, text)
}

const argumentsHead = `,"arguments":`

// appendLength appends what stands for arguments that are too long: half of them
// could not be read, and not be searched for secrets either.
func appendLength(dst []byte, n int) []byte {
	return strconv.AppendInt(append(dst, `,"arguments_bytes":`...), int64(n), 10)
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

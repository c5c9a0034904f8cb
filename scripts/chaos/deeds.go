package main

import (
	"slices"

	"github.com/weir-mcp/weir/scripts/rig"
)

// A deed is what a call wants its server to do, and so which fault is to befall
// it. It stands among the arguments of the call.
type deed string

// What servers do that are well.
const (
	plain    deed = "plain"
	late     deed = "late"     // behind answers to calls that came after it
	progress deed = "progress" // tells of its progress
	large    deed = "large"    // an answer of 100 KB
	fails    deed = "fails"    // an error of its own
	refuses  deed = "refuses"  // a result with isError of its own
	gated    deed = "gated"    // waits until the host lets it go on
	asks     deed = "asks"     // asks the user
)

// What ails servers, on every transport.
const (
	never        deed = "never"        // no answer
	twice        deed = "twice"        // the answer comes two times
	strangers    deed = "strangers"    // answers to what nobody has asked come before
	nonsense     deed = "nonsense"     // a result that is none
	undecided    deed = "undecided"    // a result and an error at once
	babble       deed = "babble"       // unknown notifications and requests
	garbage      deed = "garbage"      // what is no JSON comes before
	oversized    deed = "oversized"    // an answer beyond the limit
	crash        deed = "crash"        // the connection ends before the answer
	lastWords    deed = "last words"   // it ends with the answer
	afterthought deed = "afterthought" // progress comes behind the answer
	flood        deed = "flood"        // a thousand notifications
)

// What ails what is spoken in pieces: lines, or the events of a stream.
const (
	halfLine deed = "half line" // and then silence
	cutLine  deed = "cut line"  // and then a line end
	slowly   deed = "slowly"    // a few bytes at a time
	shouts   deed = "shouts"    // a flood on stderr, where there is one
)

// What ails HTTP. The first four happen to a token once, before it is executed.
const (
	status404 deed = "404"
	status429 deed = "429"
	status500 deed = "500"
	status503 deed = "503"
	too500    deed = "500 too late" // it was executed
	resets    deed = "reset"        // an RST instead of the answer
	cutBody   deed = "cut body"
	stalls    deed = "stalls" // in the midst of the body
	page      deed = "page"   // of HTML, with status 200
	accepted  deed = "accepted"
)

var (
	goodDeeds = []deed{plain, plain, plain, late, late, progress, large, fails, refuses}
	badDeeds  = []deed{never, twice, strangers, nonsense, undecided, babble, garbage, oversized, crash, lastWords, afterthought, flood}
	lineDeeds = []deed{halfLine, cutLine, slowly, shouts}
	doorDeeds = []deed{status404, status429, status500, status503}
	bodyDeeds = []deed{too500, resets, cutBody, stalls, page, accepted}
	httpDeeds = slices.Concat(doorDeeds, bodyDeeds)
)

// deedsOf are those that a server over this transport may be asked for.
func deedsOf(t rig.Transport, faulty bool) []deed {
	if !faulty {
		return goodDeeds
	}
	all := slices.Concat(goodDeeds, badDeeds)
	switch t {
	case rig.HTTP, rig.TLS:
		return append(append(all, lineDeeds...), httpDeeds...)
	case rig.SSE:
		return append(append(all, lineDeeds...), doorDeeds...)
	case rig.Stdio, rig.WebSocket:
		return append(all, lineDeeds...)
	}
	return all
}

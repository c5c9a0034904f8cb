package e2e

import (
	"os"
	"strings"
	"testing"
)

const limitsTable = "../docs/limits.md"

// limitsShownBy are the tests that make the excess of each row of the table, named
// by its first column, and look at who pays for it.
var limitsShownBy = map[string]string{
	"one message, each way, each transport":                           "upstream.TestTooLongOverEachTransport aggregator.TestOverlongMessage e2e/testdata/bad-size.txtar",
	"nesting of a message":                                            "aggregator.TestDepth upstream/jsonrpc.TestDepth",
	"members of one object, elements of one array that are looked at": "aggregator.TestTwiceIsBounded upstream/jsonrpc.TestMaxMembers",
	"a batch of a host of 2025-03-26":                                 "aggregator.TestBatches",
	"an event stream":                                                 "upstream/transport.TestEventReaderIsBounded upstream/transport.TestStreamableHugeEvent",
	"the headers of an HTTP answer":                                   "upstream.TestHostileAnswersOverHTTP",
	"redirects within one origin":                                     "upstream/transport.TestStreamableRedirects upstream.TestHostileAnswersOverHTTP",
	"large answers at once from one server over HTTP":                 "upstream/transport.TestStreamableRoom",
	"one result": "aggregator.TestMaxResult",

	"requests of one host in flight":                   "aggregator.TestSharesOfPlaces aggregator.TestLimits",
	"bytes of them":                                    "aggregator.TestSharesOfBytes",
	"requests that one server works on":                "aggregator.TestMaxConcurrent",
	"requests of one server in a time":                 "aggregator.TestRateLimit",
	"a call without answer or progress":                "upstream.TestCallTimeout upstream.TestChildNeverAnswers",
	"a call in all, whatever its progress":             "upstream.TestProgressForEver upstream.TestQuestionsForEver",
	"bytes that wait for a server which does not read": "upstream/transport.TestLinesCongested upstream/transport.TestSSECongested upstream/transport.TestWebSocketCongested",
	"a server that has to be connected first":          "upstream.TestConnectTimeout e2e.TestConnectTimeoutOfOneServer",
	"custom tools that run at once":                    "upstream/customtools.TestRunningAreBounded upstream/customtools.TestOutputIsBounded",
	"subscriptions of a host; resources it follows":    "aggregator.TestLimits aggregator.TestFollowedAreBounded upstream.TestSubscribeLegacy",

	"open questions of one server":                "upstream.TestQuestionsBounded upstream.TestQuestionsBoundedInBytes",
	"open questions to one legacy host":           "aggregator.TestServerAsksForEver aggregator.TestSharesOfQuestions",
	"calls that wait for a modern host's answers": "aggregator.TestSharesOfQuestions aggregator.TestPutByIsBounded",
	"questions in one call":                       "aggregator.TestServerAsksForEver aggregator.TestLegacyHostIsAskedByModernServer",
	"a question that nobody answers":              "aggregator.TestUnansweredQuestion aggregator.TestModernHostIsAsked",
	"sampling":                                    "aggregator.TestSamplingLimits aggregator.TestSamplingRate",

	"answers":             "aggregator.TestSlowHost aggregator.TestHostThatDoesNotRead",
	"progress":            "aggregator.TestLatestProgress aggregator.TestNotificationFlood",
	"other notifications": "aggregator.TestNotificationFlood e2e/testdata/bad-flood.txtar",
	"weir's own answers":  "aggregator.TestHostThatDoesNotRead aggregator.TestLargestListIsSent",

	"pages of one list": "upstream.TestListTools",
	"items of one list; bytes of its pages together": "upstream.TestListTools upstream.TestListBytes",
	"announcements that a list has changed":          "aggregator.TestAnnouncementsAreBounded",
	"changes told to a host":                         "aggregator.TestChanges aggregator.TestAnnouncementsAreBounded",
	"an exposed name":                                "e2e.TestNamesFitEveryHost aggregator/namespace.TestExposed",
	"instructions of a server; of all":               "aggregator/catalog.TestInstructions",
	"a stored list":                                  "aggregator/catalog.TestStoreBoundsFiles aggregator/catalog.TestStoreBoundsVariants aggregator.TestListsTooLargeToStore",
	"pinned definitions":                             "aggregator/pins.TestBounds",

	"arguments that a condition or an override looks at": "aggregator.TestTwiceIsBounded policy.TestDecodeObject",
	"a value that is taken apart":                        "upstream/jsonrpc.TestFair",
	"a schema that arguments are checked against":        "upstream/schema.TestCompileErrors upstream/schema.TestValueParts upstream/schema.TestHostileSchemas",
	"a condition":                               "policy.TestWorkIsBounded",
	"arguments that a person approves":          "aggregator.TestNoApprovalPossible",
	"the configuration; `env_file`, `${file:}`": "internal/config.TestFileTooLarge internal/config.TestEnvFileTooLarge internal/config.TestFileReferences",

	"standard error of a child":                             "upstream.TestNoise upstream.TestChildFloodsStderr",
	"lines that are no messages, answers to nothing":        "upstream.TestNoise e2e/testdata/bad-output.txtar",
	"requests of a server that are refused":                 "upstream.TestNoise",
	"answers to a server over HTTP that does not take them": "upstream/transport.TestStreamableNoticesAreBounded upstream/transport.TestStreamableNoticesAreBoundedInBytes",
	"progress after a call was answered with a task":        "upstream.TestProgressOfTask",
}

// TestLimitsAreShown: each row of the table of limits has tests, which are there,
// and no tests are named for a row that is not.
func TestLimitsAreShown(t *testing.T) {
	text, err := os.ReadFile(limitsTable)
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for i, line := range strings.Split(string(text), "\n") {
		cells := strings.Split(line, " | ")
		row, isRow := strings.CutPrefix(cells[0], "| ")
		if !isRow || strings.HasPrefix(row, "what ") || row == "what" {
			continue
		}
		if limitsShownBy[row] == "" {
			t.Errorf("%s:%d: no test is named for %q", limitsTable, i+1, row)
		}
		shown[row] = true
	}
	for row, tests := range limitsShownBy {
		if !shown[row] {
			t.Errorf("%s: there is no row %q", limitsTable, row)
		}
		for _, test := range strings.Fields(tests) {
			if err := isThere(test); err != nil {
				t.Errorf("%q: %v", row, err)
			}
		}
	}
}

package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// The one server behind weir, and how its names begin there.
const (
	serverName    = "u"
	exposedPrefix = serverName + "__"
)

// A tour is what a host does with one server, by a client that others wrote,
// with the server's answers, questions and notifications. It is made without
// weir and through it.

// A step of a tour. Names in it are the server's own.
type step struct {
	do       string // a method, or "roots": those in params are the host's from now on
	params   string // raw object; "" = {}
	answers  string // raw array of what the host answers to the questions of the step
	awaits   string // a text: the step ends when something has been told or asked with it inside
	progress bool   // of a call: progress is asked for
	cancel   bool   // of a call: it is cancelled when the first progress comes
	task     bool   // it is for hosts that make tasks (2025-11-25), and so is a call made

	era string   // "legacy" or "modern": only hosts of that era take it; "" = both
	on  string   // how the transport begins over which servers are asked for it
	got []string // of a step that only modern hosts take: what is in each thing that it brings
}

// A guide leads through a tour with its client.
type guide struct {
	name     string
	mode     string // the revision, or "legacy" of a client that is not told which
	hasTasks bool   // it can make calls as tasks, and be given some
	lead     func(*testing.T, target, tour) [][]event
}

// A tour is some of the steps that there are.
type tour struct {
	mode         string
	capabilities string // what the host declares, raw
	steps        []step
	numbers      []int // of the steps, among those that there are
}

// What hosts on a tour declare.
const (
	tourAbilities = `"roots":{"listChanged":true},"sampling":{},"elicitation":{"form":{},"url":{}}`
	tourTasks     = `"tasks":{"list":{},"cancel":{},"requests":{"sampling":{"createMessage":{}},"elicitation":{"create":{}}}}`
)

// tourRoots are the host's roots when a tour begins.
const tourRoots = `[{"uri":"file:///one","name":"One"}]`

func (g *guide) isModern() bool { return g.mode == upstreamtest.Modern }

// tour is those of the steps that the guide can take.
func (g *guide) tour(steps []step, transport string) tour {
	t := tour{mode: g.mode, capabilities: "{" + tourAbilities + "}"}
	if g.hasTasks {
		t.capabilities = "{" + tourAbilities + "," + tourTasks + "}"
	}
	for i, s := range steps {
		if s.task && !g.hasTasks || s.era == "legacy" && g.isModern() || s.era == "modern" && !g.isModern() || !strings.HasPrefix(transport, s.on) {
			continue
		}
		t.steps, t.numbers = append(t.steps, s), append(t.numbers, i)
	}
	return t
}

// An event is one thing that a step has brought: its members are those that
// npm/tour.mjs prints.
type event struct {
	Asked    string          `json:"asked,omitempty"`
	Told     string          `json:"told,omitempty"`
	Params   json.RawMessage `json:"params,omitempty"`
	Progress json.RawMessage `json:"progress,omitempty"`
	Task     string          `json:"task,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Error    json.RawMessage `json:"error,omitempty"`
}

// makeTours leads the guides through weir with the server over each transport,
// and the first of them without it over the first transport, and compares. What
// servers keep may be for all that they serve: each tour has a server of its own.
// A transport may have more said about it, after a comma.
func makeTours(t *testing.T, serve func(t *testing.T, transport string) target, transports []string, steps []step, guides []*guide) {
	t.Helper()
	direct := guides[0].tour(steps, transports[0])
	var want [][]event
	t.Run(guides[0].name+", direct", func(t *testing.T) {
		want = guides[0].lead(t, serve(t, transports[0]), direct)
	})
	if want == nil {
		return // it has failed
	}
	var tours sync.WaitGroup
	defer tours.Wait()
	for _, g := range guides {
		for _, transport := range transports {
			tours.Go(func() {
				t.Run(g.name+" over "+transport, func(t *testing.T) {
					through := g.tour(steps, transport)
					got := g.lead(t, testPlaces(t).behindWeir(t, serve(t, transport)), through)
					compareTours(t, direct, through, want, got)
				})
			})
		}
	}
}

// behindWeir is a weir with the target as its one server.
func (p places) behindWeir(t *testing.T, server target) target {
	t.Helper()
	entry := fmt.Sprintf("url: %q", server.url)
	if server.command != nil {
		cmd := server.command()
		entry = fmt.Sprintf("command: %q, args: [%s]", cmd.Path, strings.Join(quotedAll(cmd.Args[1:]), ", "))
	}
	if server.protocol != "" {
		entry += fmt.Sprintf(", protocol: %q", server.protocol)
	}
	config := "policy: {default: execute}\nservers: {" + serverName + ": {" + entry + "}}\n"
	return target{command: func() *exec.Cmd { return p.weir(t, config) }}
}

func quotedAll(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = quoted(text)
	}
	return all
}

// untilListed lists tools until there are some: the first list of a weir waits 5 s
// for a server that it does not know, and servers have taken longer to start on
// busy machines.
func untilListed[R any](t *testing.T, list func() (R, error), count func(R) int) (result R, err error) {
	t.Helper()
	until(t, "a tool is listed", func() bool {
		result, err = list()
		return err != nil || count(result) > 0
	})
	return result, err
}

// compareTours holds a tour through weir to the same without it.
func compareTours(t *testing.T, direct, through tour, want, got [][]event) {
	t.Helper()
	without := teller{t: t, modern: through.mode == upstreamtest.Modern}
	with := without
	with.weir = true
	for i, s := range through.steps {
		lines := with.tell(got[i])
		if s.got != nil {
			compareBrought(t, s, lines)
			continue
		}
		at := slices.Index(direct.numbers, through.numbers[i])
		if at < 0 {
			t.Fatalf("nothing to compare %s %s with", s.do, s.params)
		}
		told := without.tell(want[at])
		if s.cancel {
			// What has led to the cancellation some clients still tell, and some do not.
			told, lines = withoutProgress(told), withoutProgress(lines)
		}
		if diff := gocmp.Diff(told, lines); diff != "" {
			t.Errorf("%s %s (-direct +through weir):\n%s", s.do, s.params, diff)
		}
	}
	for _, rest := range [][]string{without.tell(want[len(want)-1]), with.tell(got[len(got)-1])} {
		for _, line := range rest {
			t.Errorf("after the tour came %s", line)
		}
	}
}

func withoutProgress(lines []string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "progress ") })
}

func compareBrought(t *testing.T, s step, lines []string) {
	t.Helper()
	fits := len(lines) == len(s.got)
	for i := range lines {
		fits = fits && strings.Contains(lines[i], s.got[i])
	}
	if !fits {
		t.Errorf("%s %s\ngot  %q\nwant %q", s.do, s.params, lines, s.got)
	}
}

// A teller puts events into words, without what changes from run to run, and
// what weir must change.
type teller struct {
	t      *testing.T
	weir   bool
	modern bool // the host is, through weir
}

// tell returns the lines of a step: in the order of the events, but what servers
// tell of their own accord, which comes when it comes, last.
func (l teller) tell(events []event) []string {
	lines, told := []string{}, []string{}
	for _, e := range events {
		line := l.line(e)
		switch {
		case line == "", e.Task != "" && slices.Contains(lines, line):
		case e.Told != "":
			told = append(told, line)
		default:
			lines = append(lines, line)
		}
	}
	slices.Sort(told)
	return append(lines, told...)
}

// line is "" of an event that has no fixed place in a tour: servers ask for the
// roots when they like, and say that their lists have changed. Where it matters
// a step awaits it.
func (l teller) line(e event) string {
	switch {
	case e.Asked == "roots/list", e.Told == acknowledged, strings.HasSuffix(e.Told, "list_changed"), timeless.Match(e.Params):
		return ""
	case e.Asked != "":
		return "asked " + e.Asked + " " + l.text(e.Params, l.question)
	case e.Told != "":
		return "told " + e.Told + " " + l.text(e.Params, l.notification)
	case e.Progress != nil:
		return l.progress(e.Progress)
	case e.Task != "":
		return "task " + e.Task
	case e.Error != nil:
		return "error " + l.text(e.Error, l.failure)
	}
	return "result " + l.text(e.Result, l.result)
}

// text is a raw object after a change, with its members in order.
func (l teller) text(raw []byte, change func(map[string]any)) string {
	if len(raw) == 0 {
		return ""
	}
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&members); err != nil {
		l.t.Fatalf("%v: %s", err, raw)
	}
	change(members)
	text, err := json.Marshal(members)
	if err != nil {
		l.t.Fatal(err)
	}
	return l.steady(string(text))
}

// steady takes out of a text what changes from run to run, and the names that
// weir exposes.
func (l teller) steady(text string) string {
	for _, c := range slices.Concat(changing, changingInTours) {
		text = c.what.ReplaceAllString(text, c.into)
	}
	if l.weir {
		text = strings.ReplaceAll(text, exposedPrefix, "")
	}
	return text
}

// timeless are messages that servers log when they learn of something.
var timeless = regexp.MustCompile(`Roots updated|(S|Uns)ubscribe Resource request`)

var changingInTours = []change{
	{regexp.MustCompile(`"(createdAt|lastUpdatedAt)":"[^"]*"`), `"$1":"TIME"`},
	{regexp.MustCompile(`"taskId":"[^"]*"`), `"taskId":"TASK"`},
	{regexp.MustCompile(`\b[0-9a-f]{32}\b`), "TASK"},
	{regexp.MustCompile(`"blob":"[^"]*"(,"mimeType":"[^"]*","uri":"demo://resource/dynamic)`), `"blob":"TIME"$1`},
	{regexp.MustCompile(`[A-Z][a-z]+[- ]level[- ]message`), "A message"},
	{regexp.MustCompile(`"level":"[a-z]+"`), `"level":"SOME"`},
	{regexp.MustCompile(`"(resource not found|invalid params): `), `"`}, // codes that the eras have for one thing
	{regexp.MustCompile(` - SessionId SESSION`), ""},
	{regexp.MustCompile(`session undefined`), "session SESSION"},
}

func (l teller) question(params map[string]any) {
	delete(params, "elicitationId") // weir's own, or none (2026-07-28, elicitation)
	if message, ok := params["message"].(string); ok && l.weir {
		params["message"] = l.without(message, "["+serverName+"] ")
	}
	deleteMeta(params, "progressToken")
}

func (l teller) notification(params map[string]any) {
	logger, has := params["logger"].(string)
	switch {
	case !l.weir || !has:
	case logger == serverName:
		delete(params, "logger")
	default:
		params["logger"] = l.without(logger, serverName+"/")
	}
	deleteMeta(params, metaPrefix+"subscriptionId")
}

func (l teller) without(text, prefix string) string {
	text, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return "NOT NAMED: " + text
	}
	return text
}

// failure is an error, which may say what the user is to open first.
func (l teller) failure(members map[string]any) {
	data, _ := members["data"].(map[string]any)
	list, _ := data["elicitations"].([]any)
	for _, one := range list {
		if params, ok := one.(map[string]any); ok {
			l.question(params)
		}
	}
}

// progress is "" of the last one of a call: clients may lose what comes together
// with the answer.
func (l teller) progress(raw []byte) string {
	members := objectOf(l.t, raw)
	if progress := jsonrpc.Find(members, "progress"); bytes.Equal(progress, jsonrpc.Find(members, "total")) {
		return ""
	}
	return "progress " + l.text(raw, func(params map[string]any) { delete(params, "progressToken") })
}

func (l teller) result(result map[string]any) {
	for member := range ofHop {
		delete(result, member)
	}
	deleteMeta(result, metaPrefix+"serverInfo")
	deleteMeta(result, metaPrefix+"related-task")
	for _, items := range result {
		list, ok := items.([]any)
		if !ok {
			continue
		}
		for _, item := range list {
			l.item(item)
		}
	}
}

// item is one of a list: through weir its name is the exposed one, but of
// resources.
func (l teller) item(item any) {
	members, ok := item.(map[string]any)
	if !ok {
		return
	}
	if l.modern {
		delete(members, "execution") // clients of that era do not know it
	}
	name, ok := members["name"].(string)
	if isNamed := cmp.Or(members["uri"], members["uriTemplate"]) == nil; ok && isNamed && l.weir {
		members["name"] = l.without(name, exposedPrefix)
	}
}

func deleteMeta(members map[string]any, key string) {
	meta, ok := members["_meta"].(map[string]any)
	if !ok {
		return
	}
	delete(meta, key)
	if len(meta) == 0 {
		delete(members, "_meta")
	}
	maps.DeleteFunc(members, func(_ string, v any) bool { return v == nil })
}

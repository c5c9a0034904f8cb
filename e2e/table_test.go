package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A row is one exchange: what a host does, and what a server does about it. It
// is played with the reference server, in the host's era, and with weir, behind
// which is the same server in either era, over each transport, and behind weirs
// behind it. The host must see the same.
type row struct {
	name string
	play func(p *player)

	hosts    []string // the revisions of hosts that play it; nil = the newest of each era
	server   string   // the era of servers behind weir that it is played with; "" = both
	declares string   // the capabilities of the host: "" = all of them, "tasks" = the tasks extension too, "none"
	but      []difference
}

// A difference is one that is meant to be, in the words of the transcript: where
// the direct leg has one text, the other has another. A leg on which the text is
// not found proves that the difference is no more.
type difference struct {
	pairs      string // those of which it is true: "LM ML"
	transports string // likewise, with commas between; "" = all
	hosts      string // likewise; "" = all
	direct     string
	weir       string
	why        string
}

func (d *difference) on(l leg) bool {
	return slices.Contains(strings.Fields(d.pairs), l.pair()) &&
		(d.transports == "" || slices.Contains(strings.Split(d.transports, ","), l.transport)) &&
		(d.hosts == "" || slices.Contains(strings.Fields(d.hosts), l.host))
}

// newest are the last revisions of the two eras.
var newest = []string{upstreamtest.Legacy, upstreamtest.Modern}

// The revisions of hosts that a row is for, where it is not for both eras.
var (
	legacyHosts = []string{upstreamtest.Legacy}
	modernHosts = []string{upstreamtest.Modern}
)

func (r *row) isFor(host string) bool {
	if r.hosts == nil {
		return slices.Contains(newest, host)
	}
	return slices.Contains(r.hosts, host)
}

// capabilities is what a host declares for the row.
func (r *row) capabilities(host string) string {
	modern := host >= upstreamtest.Modern
	switch {
	case r.declares == "none":
		return "{}"
	case modern && r.declares == "tasks":
		return `{"roots":{},` + commonAbilities + `,"extensions":{` + commonExtensions + `,"io.modelcontextprotocol/tasks":{}}}`
	case modern:
		return `{"roots":{},` + commonAbilities + `,"extensions":{` + commonExtensions + `}}`
	}
	return `{"roots":{"listChanged":true},` + commonAbilities + `,"extensions":{` + commonExtensions + `},"tasks":{` + tasksOfHost + `}}`
}

// What hosts can do.
const (
	commonAbilities  = `"sampling":{"tools":{},"context":{}},"elicitation":{"url":{},"form":{}}`
	tasksOfHost      = `"list":{},"cancel":{},"requests":{"sampling":{"createMessage":{}},"elicitation":{"create":{}}}`
	commonExtensions = `"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"],"vendor":1.0},"com.example/odd":{"z":9007199254740993,"a":[]}`
)

// TestTable: a host cannot tell weir from the server behind it, but by names,
// ids and tokens.
func TestTable(t *testing.T) {
	rows := slices.Concat(listRows, toolRows, notificationRows, questionRows, taskRows)
	seen := map[string]map[string]string{} // what is seen directly, by host and row
	for _, host := range tableHosts {
		seen[host] = map[string]string{}
		t.Run("direct, "+host, func(t *testing.T) { playDirect(t, host, rows, seen[host]) })
	}
	for _, l := range allLegs() {
		t.Run(l.String(), func(t *testing.T) {
			t.Parallel()
			playLeg(t, l, rows, seen[l.host])
		})
	}
}

// playDirect notes what is seen without weir.
func playDirect(t *testing.T, host string, rows []row, seen map[string]string) {
	sessions := map[string]*session{}
	for _, r := range rows {
		if !r.isFor(host) {
			continue
		}
		capabilities := r.capabilities(host)
		if sessions[capabilities] == nil {
			sessions[capabilities] = direct(t, host, capabilities)
		}
		t.Run(r.name, func(t *testing.T) {
			p := &player{session: sessions[capabilities], t: t}
			r.play(p)
			p.finish()
			seen[r.name] = p.transcript()
			for _, line := range p.seen {
				if strings.HasPrefix(line, "left:") || strings.HasPrefix(line, "never asked") {
					t.Errorf("the row is wrong: %s\n%s", line, p.transcript())
				}
			}
		})
	}
}

// playLeg compares.
func playLeg(t *testing.T, l leg, rows []row, seen map[string]string) {
	sessions := map[string]*session{}
	for _, r := range rows {
		if !r.isFor(l.host) || r.server != "" && r.server != l.server {
			continue
		}
		capabilities := r.capabilities(l.host)
		if sessions[capabilities] == nil {
			sessions[capabilities] = l.open(t, capabilities)
			sessions[capabilities].tools(t) // weir knows whose is what
		}
		t.Run(r.name, func(t *testing.T) {
			p := &player{session: sessions[capabilities], t: t, way: l.way()}
			p.drain()
			r.play(p)
			p.finish()
			want := r.expected(t, l, seen[r.name])
			if diff := cmp.Diff(strings.SplitAfter(want, "\n"), strings.SplitAfter(p.transcript(), "\n")); diff != "" {
				t.Errorf("-direct +through weir:\n%s", diff)
			}
		})
	}
}

// expected is what is seen on this leg, if all is as it should be.
func (r *row) expected(t *testing.T, l leg, text string) string {
	t.Helper()
	if l.pair() == "LM" {
		text = withFacts(text)
	}
	for _, d := range r.but {
		switch {
		case !d.on(l):
		case strings.Contains(text, d.direct):
			text = strings.ReplaceAll(text, d.direct, l.inWeirsWords(d.weir))
		default:
			t.Errorf("no such difference any more: %q (%s) in\n%s", d.direct, d.why, text)
		}
	}
	return text
}

// withFacts has what a modern server's result says of itself, where the result
// is the server's. To a legacy host these are members like any that it does not
// know; weir takes nothing out of a result.
func withFacts(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		method, _, _ := strings.Cut(line, " returns: ")
		switch method {
		case "tools/call", "prompts/get", "completion/complete":
			line = strings.TrimSuffix(line, "\n") + modernFacts + "\n"
		case "resources/read":
			line = strings.TrimSuffix(line, "\n") + ` [resultType="complete" ttlMs=some cacheScope=some serverInfo]` + "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

const modernFacts = ` [resultType="complete" serverInfo]`

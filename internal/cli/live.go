package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/internal/live"
	"github.com/weir-mcp/weir/upstream"
)

// serversLive is "weir servers --live".
func (a *app) serversLive(ctx context.Context, asJSON bool) error {
	weirs, unanswered, err := a.listLive(ctx)
	if err != nil {
		return err
	}
	for _, err := range unanswered {
		fmt.Fprintln(a.Stderr, a.errorPaint().yellow("warning:"), printable(err.Error()))
	}
	if asJSON {
		return a.printLiveJSON(weirs)
	}
	if len(weirs) == 0 {
		fmt.Fprintln(a.Stderr, `no weir is running ("weir servers" connects to the servers itself)`)
		return nil
	}
	for i, w := range weirs {
		if i > 0 {
			fmt.Fprintln(a.Stdout)
		}
		a.printLive(w, time.Now())
	}
	return nil
}

func (a *app) printLiveJSON(weirs []*live.Weir) error {
	if weirs == nil {
		weirs = []*live.Weir{}
	}
	e := json.NewEncoder(a.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(weirs)
}

func newWeir(now aggregator.Moment) *live.Weir {
	return &live.Weir{
		Version: version, PID: os.Getpid(), Hosts: now.Hosts, As: now.Principal, Problem: homeless(now.Problem),
		Goroutines: runtime.NumGoroutine(), Servers: []live.Server{},
	}
}

// liveServer is a server of this process as it is told; f is nil for one that has
// only just come.
func liveServer(s aggregator.ServerStatus, f *aggregator.Figures) live.Server {
	out := live.Server{
		Name: s.Name, Transport: s.Transport, State: string(s.State), Since: s.Since, NextTry: s.Retry, Protocol: s.Facts.Version,
		Tools: s.Tools, Prompts: s.Prompts, Resources: s.Resources, Reason: homeless(oneLine(s.PublicReason(), maxReason)),
	}
	if f != nil {
		out.Figures = liveFigures(f)
	}
	return out
}

// maxReason is how many characters of a reason are told.
const maxReason = 400

func liveFigures(f *aggregator.Figures) live.Figures {
	out := live.Figures{
		Calls: f.Calls(), OK: f.OK, Errors: f.Errors, Denied: f.Denied, Refused: f.Refused, Unknown: f.Unknown,
		Asked: f.Asked, Cancelled: f.Cancelled, InFlight: f.InFlight, OldestMS: inMilliseconds(f.Oldest),
		P50MS: inMilliseconds(f.Durations.Quantile(0.5)), P90MS: inMilliseconds(f.Durations.Quantile(0.9)),
		P99MS: inMilliseconds(f.Durations.Quantile(0.99)), MaxMS: inMilliseconds(f.Durations.Max),
		RequestBytes: f.RequestBytes, ResponseBytes: f.ResponseBytes, Questions: f.Questions, Listings: f.Listings,
		Connected: f.Connections.Made, Lost: f.Connections.Lost, FailedToReach: f.Connections.Failed,
	}
	for kind, n := range f.Failed {
		if out.Failed == nil {
			out.Failed = make(map[string]uint64)
		}
		out.Failed[string(kind)] = n
	}
	if last := f.LastFailure; !last.At.IsZero() {
		out.LastFailure = &live.Failure{At: last.At, Kind: string(last.Kind), Text: homeless(oneLine(last.Text, maxReason))}
	}
	return out
}

func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (a *app) printLive(w *live.Weir, now time.Time) {
	p := a.paint()
	about := []string{printable(strings.Join(w.Hosts, ", "))}
	if w.As != "" {
		about = append(about, "as "+printable(w.As))
	}
	about = append(about, "for "+lasting(now.Sub(w.Since)))
	if w.Config != "" {
		about = append(about, printable(w.Config))
	}
	about = slices.DeleteFunc(about, func(s string) bool { return s == "" })
	fmt.Fprintln(a.Stdout, p.bold(fmt.Sprintf("weir %d", w.PID))+":", strings.Join(about, ", "))
	if w.Problem != "" {
		fmt.Fprintln(a.Stdout, p.red("problem:"), printable(w.Problem))
	}
	if len(w.Servers) == 0 {
		fmt.Fprintln(a.Stdout, "no servers")
		return
	}
	t := table{head: []string{"SERVER", "STATE", "FOR", "NEXT TRY", "IN FLIGHT", "CALLS", "ERRORS", "FAILED", "P50", "P99", "LOST"}}
	for _, s := range w.Servers {
		t.rows = append(t.rows, liveRow(p, s, now))
	}
	t.dropEmpty()
	t.narrow(a.width(), dispensable...)
	t.print(a.Stdout, p, a.width())
	for _, s := range w.Servers {
		a.printLiveTroubles(p, s, now)
	}
}

// dispensable are the columns of a weir that give way first.
var dispensable = []string{"LOST", "P50", "NEXT TRY", "ERRORS", "FOR", "FAILED", "P99", "IN FLIGHT", "FLYING"}

func liveRow(p paint, s live.Server, now time.Time) []cell {
	return []cell{
		{s.Name, p.bold},
		{s.State, liveColour(p, s)},
		plain(lasting(now.Sub(s.Since))),
		plain(until(s.NextTry, now)),
		plain(unlessNone(uint64(s.InFlight))),
		plain(fmt.Sprint(s.Calls)),
		plain(unlessNone(s.Errors)),
		plain(unlessNone(sum(s.Failed))),
		plain(unlessFast(s.P50MS)),
		plain(unlessFast(s.P99MS)),
		plain(unlessNone(s.Lost)),
	}
}

func liveColour(p paint, s live.Server) func(string) string {
	switch upstream.State(s.State) {
	case upstream.Ready:
		return p.green
	case upstream.Idle, upstream.Connecting, upstream.Disabled, upstream.Closed:
		return p.dim
	case upstream.Backoff, upstream.NeedsLogin, upstream.Failed:
	}
	return p.red
}

// printLiveTroubles says why a server is as it is, and what its last failure was.
func (a *app) printLiveTroubles(p paint, s live.Server, now time.Time) {
	if s.Reason != "" {
		fmt.Fprintln(a.Stdout, p.red(s.Name+":"), printable(s.Reason))
	}
	if upstream.State(s.State) == upstream.NeedsLogin {
		fmt.Fprintln(a.Stdout, p.yellow(s.Name+":"), "run", p.cyan("weir login "+s.Name))
	}
	if last := s.LastFailure; last != nil {
		var kinds []string
		for _, kind := range slices.Sorted(maps.Keys(s.Failed)) {
			kinds = append(kinds, fmt.Sprintf("%d %s", s.Failed[kind], kind))
		}
		fmt.Fprintf(a.Stdout, "%s %s; the last %s: %s\n", p.yellow(s.Name+": failed:"), printable(strings.Join(kinds, ", ")),
			age(now.Sub(last.At)), printable(last.Text))
	}
}

func sum(counts map[string]uint64) (all uint64) {
	for _, n := range counts {
		all += n
	}
	return all
}

func unlessNone(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func unlessFast(ms float64) string {
	if ms == 0 {
		return ""
	}
	return milliseconds(time.Duration(ms * float64(time.Millisecond)))
}

// until says how long it is to a time that is yet to come; "" for another one.
func until(at, now time.Time) string {
	if !at.After(now) {
		return ""
	}
	return "in " + lasting(at.Sub(now)+time.Second-1)
}

// lasting says how long something lasts, in one unit.
func lasting(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

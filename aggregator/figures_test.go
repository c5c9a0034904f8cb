package aggregator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// TestBuckets: every duration is in the one bucket that says so.
func TestBuckets(t *testing.T) {
	for _, d := range []time.Duration{
		-1, 0, 1, time.Microsecond - 1, time.Microsecond, 2 * time.Microsecond, 3 * time.Microsecond, 4 * time.Microsecond,
		6*time.Microsecond - 1, 6 * time.Microsecond, 7 * time.Microsecond, time.Millisecond, time.Second, time.Hour,
	} {
		i := bucketOf(d)
		if d >= bucketEnd(i) || i > 0 && d < bucketEnd(i-1) {
			t.Errorf("%v is in bucket %d, which goes from %v to %v", d, i, bucketEnd(max(i, 1)-1), bucketEnd(i))
		}
	}
	if got := bucketOf(1000 * time.Hour); got != buckets-1 {
		t.Errorf("got bucket %d for a very long time, want the last", got)
	}
}

// TestQuantiles are not less than those of the durations themselves, and half too
// much at most.
func TestQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(math.Exp2(10 + 25*random.Float64()))
		all = append(all, d)
		h.note(d)
	}
	slices.Sort(all)
	d := h.durations()
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
		exact := all[max(int(q*float64(len(all)))-1, 0)]
		if got := d.Quantile(q); got < exact || got > max(exact*3/2, 2*time.Microsecond) {
			t.Errorf("the quantile %v is %v, got %v", q, exact, got)
		}
	}
	if d.Count != 10_000 || d.Max != all[len(all)-1] {
		t.Errorf("got %d durations of at most %v", d.Count, d.Max)
	}
	var told uint64
	for _, n := range d.Counts() {
		told += n
	}
	if told != d.Count || len(d.Counts()) != len(d.Bounds())+1 {
		t.Errorf("got %d durations in %d buckets", told, len(d.Counts()))
	}
	for i, bound := range d.Bounds() {
		var below, counted uint64
		for _, one := range all {
			if one < bound {
				below++
			}
		}
		for _, n := range d.Counts()[:i+1] {
			counted += n
		}
		if below != counted {
			t.Errorf("%d durations are below %v, got %d", below, bound, counted)
		}
	}
	var none Durations
	if got := none.Quantile(0.5); got != 0 {
		t.Errorf("got %v for no durations at all", got)
	}
}

// summary is what there is of figures in a line.
func (f *Figures) summary() string {
	return fmt.Sprintf("%s ok=%d errors=%d failed=%v denied=%d refused=%d unknown=%d asked=%d cancelled=%d durations=%d questions=%d",
		f.Server, f.OK, f.Errors, f.Failed, f.Denied, f.Refused, f.Unknown, f.Asked, f.Cancelled, f.Durations.Count, f.Questions)
}

// TestFigures counts what the audit log is told, with one and without.
func TestFigures(t *testing.T) {
	for _, log := range []bool{false, true} {
		for _, client := range []era{legacy, modern} {
			bubble(t, fmt.Sprintf("%v host, audit %v", client, log), func(t *testing.T) {
				servers := map[string]*upstreamtest.Server{"up": upstreamtest.New(talkative(client))}
				cfg := config(t, servers, "up", "gone")
				cfg.Policy = secretive(t)
				cfg.Servers[0].Timeout = 2 * time.Second
				if log {
					cfg.Audit = audit.Open(audit.Config{Path: t.TempDir() + "/audit.jsonl"})
					t.Cleanup(func() { _ = cfg.Audit.Close() })
				}
				a, h := start(t, cfg)
				h.send(client.open()...)
				h.send(client.request("1", "tools/list", "", ""))
				pass(DefaultPatience)
				h.received()
				for _, tool := range []string{"up__ok", "up__ok", "up__bad", "up__secret", "up__look", "up__nothing"} {
					h.send(client.call("7", tool, `{"a":1}`))
				}
				h.send(client.request("7", "resources/read", `"uri":"a:a"`, ""))
				h.send(client.call("8", "up__slow", "{}"))
				pass(time.Second)
				servers1, _ := a.Figures()
				if got := servers1[0]; got.InFlight != 1 || got.Oldest != time.Second {
					t.Errorf("got %d in flight, the oldest for %v, want one for a second", got.InFlight, got.Oldest)
				}
				pass(2 * time.Second)
				h.received()
				h.send(client.call("9", "up__slow", "{}"))
				h.send(cancelled("9"))

				each, all := a.Figures()
				want := []string{
					"up ok=2 errors=2 failed=map[timeout:1] denied=2 refused=0 unknown=0 asked=0 cancelled=1 durations=5 questions=0",
					"gone ok=0 errors=0 failed=map[] denied=0 refused=0 unknown=0 asked=0 cancelled=0 durations=0 questions=0",
					" ok=3 errors=2 failed=map[timeout:1] denied=2 refused=0 unknown=1 asked=0 cancelled=1 durations=6 questions=0",
				}
				if diff := cmp.Diff(want, []string{each[0].summary(), each[1].summary(), all.summary()}); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
				up := each[0]
				if up.Calls() != 8 || up.InFlight != 0 || up.TimedOut() != 1 || up.RequestBytes == 0 || up.ResponseBytes == 0 {
					t.Errorf("got %+v", up)
				}
				if up.Durations.Max != 2*time.Second || up.Durations.Quantile(0.5) > time.Microsecond {
					t.Errorf("got at most %v, half of them within %v", up.Durations.Max, up.Durations.Quantile(0.5))
				}
				if up.LastFailure.Kind != upstream.KindTimeout || time.Since(up.LastFailure.At) != time.Second || up.LastFailure.Text == "" {
					t.Errorf("got the last failure %+v, want a timeout a second ago", up.LastFailure)
				}
				if up.Connections != (upstream.Tally{Made: 1}) || up.Listings == 0 {
					t.Errorf("got %+v, listed %d times", up.Connections, up.Listings)
				}
				if gone := each[1].Connections; gone.Made != 0 || gone.Failed == 0 {
					t.Errorf("got %+v of a server that cannot be reached", gone)
				}
			})
		}
	}
}

// TestFiguresOutliveAServer: its successor goes on with them.
func TestFiguresOutliveAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := map[string]*upstreamtest.Server{"up": upstreamtest.New(talkative(legacy))}
		a, h := start(t, config(t, servers, "up"))
		h.send(legacy.open()...)
		h.send(legacy.call("1", "up__ok", "{}"))
		if err := a.Restart("up"); err != nil {
			t.Fatal(err)
		}
		h.received()
		h.send(legacy.call("2", "up__ok", "{}"))
		each, _ := a.Figures()
		if got := each[0]; got.OK != 2 || got.Connections.Made != 2 || got.Connections.Lost != 0 {
			t.Errorf("got %s, %+v, want both calls and both connections, none of them lost", got.summary(), got.Connections)
		}
	})
}

// TestCountingCostsNothing: no memory, that is.
func TestCountingCostsNothing(t *testing.T) {
	var counted tally
	r := audit.Record{Kind: audit.KindTool, Outcome: audit.OK, Duration: time.Millisecond, RequestBytes: 10, ResponseBytes: 20}
	if n := testing.AllocsPerRun(100, func() { counted.count(&r) }); n != 0 {
		t.Errorf("got %v allocations for a request that is counted", n)
	}
}

// TestCountingAtOnce is for the race detector, and loses nothing.
func TestCountingAtOnce(t *testing.T) {
	var counted tally
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for k := range 1000 {
				outcome := []string{audit.OK, audit.Failed}[k%2]
				counted.count(&audit.Record{Outcome: outcome, Failure: "timeout", Duration: time.Duration(i*k) * time.Microsecond})
				_ = counted.figures("up")
			}
		})
	}
	all.Wait()
	if f := counted.figures("up"); f.OK != 2000 || f.TimedOut() != 2000 || f.Durations.Count != 4000 || f.Durations.Max != 2997*time.Microsecond {
		t.Errorf("got %s at most %v", f.summary(), f.Durations.Max)
	}
}

package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A collector is where an Exporter sends to, within this process.
type collector struct {
	mu      sync.Mutex
	answers []http.Response // to each request in turn; then 200
	stuck   bool            // it answers nothing
	got     []received
}

type received struct {
	path, body string
	header     http.Header
	at         time.Time
}

// RoundTrip implements http.RoundTripper.
func (c *collector) RoundTrip(req *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(req.Body)
	c.mu.Lock()
	c.got = append(c.got, received{req.URL.String(), string(body), req.Header, time.Now()})
	stuck, answer := c.stuck, http.Response{StatusCode: 200}
	if len(c.answers) > 0 {
		answer, c.answers = c.answers[0], c.answers[1:]
	}
	c.mu.Unlock()
	if stuck {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	answer.Body = io.NopCloser(strings.NewReader("{}"))
	return &answer, nil
}

func (c *collector) requests() []received {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got
}

// sending returns an Exporter to the collector, for a bubble.
func (c *collector) sending(t *testing.T, change func(*Config)) *Exporter {
	cfg := Config{
		Endpoint: "https://collector.example/otlp/", Traces: true, Ratio: 1, Service: "weir", Version: "1.2", Transport: c,
		Report: func(error) {},
	}
	if change != nil {
		change(&cfg)
	}
	e := Open(cfg)
	t.Cleanup(e.Close)
	return e
}

func someSpan(name string) Span {
	at := time.Unix(1544712660, 300)
	c, _ := Parse(parent)
	return Span{
		Context: c, Parent: [8]byte{1, 2, 3, 4, 5, 6, 7, 255}, Name: name, Kind: Client, Start: at, End: at.Add(time.Second),
		Attributes: []Attribute{Text("a", `q"<`), Number("n", -5)},
	}
}

// compact is JSON without the spaces that make it readable.
func compact(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const someResource = `"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "w"}}]}`

// TestSpansOnTheWire compares with the shapes of the protocol's own examples.
func TestSpansOnTheWire(t *testing.T) {
	s := source{resource: []Attribute{Text("service.name", "w")}, version: "1.2"}
	failed := someSpan("two")
	failed.Parent, failed.Attributes, failed.Error, failed.Kind = [8]byte{}, nil, "timeout", Server
	got := string(s.spans([]Span{someSpan("one"), failed}))
	want := compact(t, `{"resourceSpans": [{`+someResource+`, "scopeSpans": [{"scope": {"name": "github.com/weir-mcp/weir", "version": "1.2"}, "spans": [
		{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "parentSpanId": "01020304050607ff", "flags": 1, "name": "one", "kind": 3,
		 "startTimeUnixNano": "1544712660000000300", "endTimeUnixNano": "1544712661000000300",
		 "attributes": [{"key": "a", "value": {"stringValue": "q\"<"}}, {"key": "n", "value": {"intValue": "-5"}}]},
		{"traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": "00f067aa0ba902b7", "flags": 1, "name": "two", "kind": 2,
		 "startTimeUnixNano": "1544712660000000300", "endTimeUnixNano": "1544712661000000300",
		 "attributes": [{"key": "error.type", "value": {"stringValue": "timeout"}}], "status": {"code": 2}}
	]}]}]}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestMetricsOnTheWire(t *testing.T) {
	s := source{resource: []Attribute{Text("service.name", "w")}, version: "1.2"}
	got := string(s.metrics([]Metric{
		{Name: "c", Unit: "1", Description: "a counter", Points: []Point{{Attributes: []Attribute{Text("k", "v")}, Value: 1 << 60}, {}}},
		{Name: "g", Unit: "1", Description: "a gauge", Form: Gauge, Points: []Point{{Value: 2}}},
		{Name: "h", Unit: "s", Description: "a histogram", Form: Histogram, Bounds: []float64{0.5, 1024}, Points: []Point{
			{Counts: []uint64{1, 2, 0}, Sum: 1500 * time.Millisecond, Max: time.Second}, {Counts: []uint64{0, 0, 0}},
		}},
	}, time.Unix(10, 0), time.Unix(20, 5)))
	want := compact(t, `{"resourceMetrics": [{`+someResource+`, "scopeMetrics": [{"scope": {"name": "github.com/weir-mcp/weir", "version": "1.2"}, "metrics": [
		{"name": "c", "unit": "1", "description": "a counter", "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [
			{"attributes": [{"key": "k", "value": {"stringValue": "v"}}], "startTimeUnixNano": "10000000000", "timeUnixNano": "20000000005", "asInt": "1152921504606846976"},
			{"attributes": [], "startTimeUnixNano": "10000000000", "timeUnixNano": "20000000005", "asInt": "0"}]}},
		{"name": "g", "unit": "1", "description": "a gauge", "gauge": {"dataPoints": [{"attributes": [], "timeUnixNano": "20000000005", "asInt": "2"}]}},
		{"name": "h", "unit": "s", "description": "a histogram", "histogram": {"aggregationTemporality": 2, "dataPoints": [
			{"attributes": [], "startTimeUnixNano": "10000000000", "timeUnixNano": "20000000005", "count": "3", "sum": 1.5, "max": 1, "bucketCounts": ["1", "2", "0"], "explicitBounds": [0.5, 1024]},
			{"attributes": [], "startTimeUnixNano": "10000000000", "timeUnixNano": "20000000005", "count": "0", "sum": 0, "bucketCounts": ["0", "0", "0"], "explicitBounds": [0.5, 1024]}]}}
	]}]}]}`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestSpansGoTogether: a while after the first of them, or when they are many.
func TestSpansGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &collector{}
		e := c.sending(t, func(cfg *Config) {
			cfg.Headers = func(context.Context) (map[string]string, error) { return map[string]string{"X-Key": "k"}, nil }
		})
		e.Record(someSpan("one"))
		e.Record(someSpan("two"))
		synctest.Wait()
		if n := len(c.requests()); n != 0 {
			t.Errorf("got %d requests at once, want none", n)
		}
		pass(gatherTime)
		synctest.Wait()
		got := c.requests()
		if len(got) != 1 || strings.Count(got[0].body, `"spanId"`) != 2 {
			t.Fatalf("got %d requests, want one with both", len(got))
		}
		if got[0].path != "https://collector.example/otlp/v1/traces" || got[0].header.Get("Content-Type") != "application/json" || got[0].header.Get("X-Key") != "k" {
			t.Errorf("got %q with %v", got[0].path, got[0].header)
		}
		for range maxBatch {
			e.Record(someSpan("many"))
		}
		synctest.Wait()
		if n := len(c.requests()); n != 2 {
			t.Errorf("got %d requests, want a full batch to go at once", n)
		}
	})
}

// TestCollectorIsGone: what waits for it is bounded, nobody waits, and it is said
// once.
func TestCollectorIsGone(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			c := &collector{stuck: stuck}
			if !stuck {
				for range 1000 {
					c.answers = append(c.answers, http.Response{StatusCode: 400})
				}
			}
			var reports []error
			e := c.sending(t, func(cfg *Config) { cfg.Report = func(err error) { reports = append(reports, err) } })
			began := time.Now()
			for range 3 * maxQueued {
				e.Record(someSpan("x"))
			}
			e.mu.Lock()
			waiting := len(e.queue)
			e.mu.Unlock()
			if !time.Now().Equal(began) || waiting > maxQueued || e.dropped.Load() < maxQueued {
				t.Errorf("got %d spans waiting, %d dropped", waiting, e.dropped.Load())
			}
			pass(10 * time.Minute)
			synctest.Wait()
			if len(reports) != 1 {
				t.Errorf("got %v, want one report", reports)
			}
			ends := time.Now()
			e.Close()
			if took := time.Since(ends); took > lastTime {
				t.Errorf("the end took %v, want no more than %v", took, lastTime)
			}
		})
	}
}

// TestRepeats what may be, when it may be, and not for ever.
func TestRepeats(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []http.Response
		want    int           // requests
		after   time.Duration // the second one, at least
	}{
		{"taken", nil, 1, 0},
		{"bad", []http.Response{{StatusCode: 400}}, 1, 0},
		{"moved", []http.Response{{StatusCode: 307, Header: http.Header{"Location": {"https://else.example/"}}}}, 1, 0},
		{"busy", []http.Response{{StatusCode: 503}}, 2, time.Second},
		{"throttled", []http.Response{{StatusCode: 429, Header: http.Header{"Retry-After": {"20"}}}}, 2, 20 * time.Second},
		{"throttled for a day", []http.Response{{StatusCode: 429, Header: http.Header{"Retry-After": {"86400"}}}}, 2, longestPause},
		{"down", []http.Response{{StatusCode: 502}, {StatusCode: 504}, {StatusCode: 502}, {StatusCode: 502}, {StatusCode: 502}}, 4, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := &collector{answers: tt.answers}
			e := c.sending(t, nil)
			e.Record(someSpan("x"))
			pass(5 * time.Minute)
			synctest.Wait()
			got := c.requests()
			if len(got) != tt.want {
				t.Fatalf("%s: got %d requests, want %d", tt.name, len(got), tt.want)
			}
			if len(got) > 1 {
				if pause := got[1].at.Sub(got[0].at); pause < tt.after || pause > max(2*tt.after, tt.after+time.Second) {
					t.Errorf("%s: got the second request after %v, want %v", tt.name, pause, tt.after)
				}
				if got[0].body != got[1].body {
					t.Errorf("%s: got another document", tt.name)
				}
			}
		})
	}
}

// TestMetrics are told every minute, and at the end.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &collector{}
		gathered := uint64(0)
		e := c.sending(t, func(cfg *Config) {
			cfg.Traces, cfg.Metrics = false, true
			cfg.Gather = func() []Metric {
				gathered++
				return []Metric{{Name: "x", Points: []Point{{Value: gathered}}}}
			}
		})
		if _, recorded := e.Begin(Context{}); recorded {
			t.Error("got a span, want none where traces are off")
		}
		pass(2*interval + time.Second)
		synctest.Wait()
		e.Close()
		e.Close()
		got := c.requests()
		if len(got) != 3 || !strings.HasSuffix(got[2].path, "/otlp/v1/metrics") || !strings.Contains(got[2].body, `"asInt":"3"`) {
			t.Errorf("got %+v, want three, the last at the end", got)
		}
	})
}

func TestSampling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &collector{}
		tenth := c.sending(t, func(cfg *Config) { cfg.Ratio = 0.1 })
		count := 0
		for range 10_000 {
			if own, recorded := tenth.Begin(Context{}); recorded {
				count++
				if !own.Sampled() || own.IsZero() || own.Span == [8]byte{} {
					t.Fatalf("got %v", own)
				}
			}
		}
		if count < 500 || count > 2000 {
			t.Errorf("got %d of 10000, want about a tenth", count)
		}
		of, _ := Parse(parent)
		if own, recorded := tenth.Begin(of); !recorded || own.Trace != of.Trace || own.Span == of.Span {
			t.Errorf("got %v, %v: the host records it", own, recorded)
		}
		of.Flags = 0
		if _, recorded := tenth.Begin(of); recorded {
			t.Error("got a span in a trace that the host does not record")
		}
		var none *Exporter
		if _, recorded := none.Begin(of); recorded || none.Traces() {
			t.Error("got a span of an Exporter that is none")
		}
		none.Close()
	})
}

// TestSecretsStayOut of what is reported: neither the address nor a header is in it.
func TestSecretsStayOut(t *testing.T) {
	var reports []error
	reported := make(chan struct{}, 10)
	e := Open(Config{
		Endpoint: "https://user-secret.invalid:1/path-secret?query-secret=1", Traces: true, Ratio: 1,
		Headers: func(context.Context) (map[string]string, error) {
			return map[string]string{"Authorization": "header-secret"}, nil
		},
		Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return nil, &http.MaxBytesError{Limit: 1}
		}),
		Report: func(err error) { reports = append(reports, err); reported <- struct{}{} },
	})
	e.Record(someSpan("x"))
	e.Close()
	<-reported
	if text := fmt.Sprint(reports); len(reports) != 1 || strings.Contains(text, "secret") {
		t.Errorf("got %q", text)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestHeadersThatAreNotToBeHad: nothing is sent without them, and they are sought
// again.
func TestHeadersThatAreNotToBeHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &collector{}
		asked := 0
		e := c.sending(t, func(cfg *Config) {
			cfg.Headers = func(context.Context) (map[string]string, error) {
				if asked++; asked == 1 {
					return nil, errors.New("locked")
				}
				return nil, nil
			}
		})
		for range 3 {
			e.Record(someSpan("x"))
			pass(gatherTime)
			synctest.Wait()
		}
		if n := len(c.requests()); n != 2 || asked != 2 {
			t.Errorf("got %d requests, asked %d times, want 2 and 2", n, asked)
		}
	})
}

// TestOverHTTP is with weir's own way to the collector.
func TestOverHTTP(t *testing.T) {
	got := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Method + " " + r.URL.Path + " " + string(body)
	}))
	defer server.Close()
	e := Open(Config{Endpoint: server.URL, Traces: true, Ratio: 1, Service: "weir"})
	e.Record(someSpan("one"))
	e.Close()
	if text := <-got; !strings.HasPrefix(text, `POST /v1/traces {"resourceSpans":[`) {
		t.Errorf("got %s", text)
	}
}

// pass lets time pass; in a bubble only, where it costs none.
func pass(d time.Duration) { <-time.After(d) }

package aggregator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator/telemetry"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A traceCollector takes what weirs tell it, within this process.
type traceCollector struct {
	mu   sync.Mutex
	got  map[string][]string // bodies, by what they tell
	down bool
}

// RoundTrip implements http.RoundTripper.
func (c *traceCollector) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return nil, io.ErrUnexpectedEOF
	}
	if c.got == nil {
		c.got = make(map[string][]string)
	}
	c.got[req.URL.Path] = append(c.got[req.URL.Path], string(body))
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// A toldSpan is a span as the collector gets it.
type toldSpan struct {
	TraceID      string `json:"traceId"`
	SpanID       string `json:"spanId"`
	ParentSpanID string `json:"parentSpanId"`
	Name         string `json:"name"`
	Kind         int    `json:"kind"`
	Start        int64  `json:"startTimeUnixNano,string"`
	End          int64  `json:"endTimeUnixNano,string"`
	Attributes   []struct {
		Key   string `json:"key"`
		Value struct {
			Text string `json:"stringValue"`
		} `json:"value"`
	} `json:"attributes"`
	service string
}

// words say what a span is, without its place.
func (s *toldSpan) words() string {
	out := []string{map[int]string{2: "server", 3: "client"}[s.Kind], s.Name}
	for _, a := range s.Attributes {
		if slices.Contains([]string{"weir.server", "gen_ai.tool.name", "weir.outcome", "error.type", "jsonrpc.request.id"}, a.Key) {
			out = append(out, a.Key[strings.LastIndexByte(a.Key, '.')+1:]+"="+a.Value.Text)
		}
	}
	return strings.Join(out, " ")
}

// spans are all that the collector was told, in the order of their beginning.
func (c *traceCollector) spans(t *testing.T) (all []toldSpan) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, body := range c.got["/v1/traces"] {
		var told struct {
			ResourceSpans []struct {
				Resource struct {
					Attributes []struct {
						Value struct {
							Text string `json:"stringValue"`
						} `json:"value"`
					} `json:"attributes"`
				} `json:"resource"`
				ScopeSpans []struct {
					Spans []toldSpan `json:"spans"`
				} `json:"scopeSpans"`
			} `json:"resourceSpans"`
		}
		if err := json.Unmarshal([]byte(body), &told); err != nil {
			t.Fatal(err)
		}
		for _, s := range told.ResourceSpans[0].ScopeSpans[0].Spans {
			s.service = told.ResourceSpans[0].Resource.Attributes[0].Value.Text
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b toldSpan) int { return int(a.Start - b.Start) })
	return all
}

// telling is an Exporter to the collector. In a bubble only.
func (c *traceCollector) telling(t *testing.T, service string) *telemetry.Exporter {
	e := telemetry.Open(telemetry.Config{
		Endpoint: "http://collector.example", Traces: true, Ratio: 1, Service: service, Version: "test", Transport: c,
	})
	t.Cleanup(e.Close)
	return e
}

const hostParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// traced is a call with a trace context in its _meta.
func (e era) traced(id, tool, meta string) string {
	return e.request(id, "tools/call", `"name":"`+tool+`","arguments":{"secret":"argument"}`, meta)
}

// TestTraceThroughWeirs: what the host has begun goes through two weirs to the
// server, each below the one before. Nothing else of _meta changes.
func TestTraceThroughWeirs(t *testing.T) {
	for _, client := range []era{legacy, modern} {
		for _, server := range []era{legacy, modern} {
			bubble(t, fmt.Sprintf("%v host, %v server", client, server), func(t *testing.T) {
				var c traceCollector
				far := upstreamtest.New(talkative(server))
				next := config(t, map[string]*upstreamtest.Server{"v": far}, "v")
				next.Telemetry = c.telling(t, "inner")
				inner := New(next)
				t.Cleanup(inner.Close)
				next = config(t, nil, "u")
				next.Dialers["memory"] = weirDialer(inner)
				next.Telemetry = c.telling(t, "outer")
				_, h := start(t, next)
				h.send(client.open()...)
				h.send(client.traced("1", "u__v__ok",
					`"tracestate":"rojo=00f067aa0ba902b7","traceparent":"`+hostParent+`","baggage":"k=v","acme/x":1E400`))
				pass(time.Minute)
				below := map[string]toldSpan{}
				for _, s := range c.spans(t) {
					below[s.ParentSpanID] = s
				}
				var got []string
				parent := "00f067aa0ba902b7"
				for s, there := below[parent]; there; s, there = below[parent] {
					got = append(got, s.service+" "+s.words())
					if s.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" || s.End < s.Start {
						t.Errorf("%q has trace %s", s.Name, s.TraceID)
					}
					parent = s.SpanID
				}
				if len(got) == 4 {
					got[2], got[3] = maskID(got[2]), maskID(got[3])
				}
				want := []string{
					"outer server tools/call u__v__ok server=u name=u__v__ok id=1 outcome=ok",
					"outer client tools/call v__ok server=u name=v__ok",
					"inner server tools/call v__ok server=v name=v__ok id=N outcome=ok",
					"inner client tools/call ok server=v name=ok",
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
				call := far.Received("tools/call")[0]
				meta := string(metaOf(call))
				wanted := `"tracestate":"rojo=00f067aa0ba902b7","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-` + parent + `-01","baggage":"k=v","acme/x":1E400`
				if !strings.HasPrefix(meta, "{"+wanted) {
					t.Errorf("the server was told %s, want it to begin with %s", meta, wanted)
				}
				for _, body := range c.got["/v1/traces"] {
					if strings.Contains(body, "argument") {
						t.Errorf("an argument was told: %s", body)
					}
				}
			})
		}
	}
}

// metaOf is the _meta of what a server got.
func metaOf(r upstreamtest.Received) []byte { return memberOf(memberOf(r.Message, "params"), "_meta") }

// maskID takes weir's own numbering of requests out.
func maskID(words string) string {
	before, rest, found := strings.Cut(words, "id=")
	if !found {
		return words
	}
	_, after, _ := strings.Cut(rest, " ")
	return before + "id=N " + after
}

// TestTraceContexts: which of them are taken, and what the server gets.
func TestTraceContexts(t *testing.T) {
	for name, tt := range map[string]struct {
		meta  string
		spans int
		joins bool // the trace of the host
		sent  string
	}{
		"none":        {"", 2, false, "new"},
		"sampled":     {`"traceparent":"` + hostParent + `"`, 2, true, "new"},
		"escaped":     {`"traceparent":"\u0030` + hostParent[1:] + `"`, 2, true, "new"},
		"not sampled": {`"traceparent":"` + hostParent[:53] + `00"`, 0, false, hostParent[:53] + "00"},
		"damaged":     {`"traceparent":"` + hostParent[1:] + `"`, 2, false, "new"},
		"no text":     {`"traceparent":[1]`, 2, false, "new"},
	} {
		for _, server := range []era{legacy, modern} {
			bubble(t, fmt.Sprintf("%s, %v server", name, server), func(t *testing.T) {
				var c traceCollector
				far := upstreamtest.New(talkative(server))
				cfg := config(t, map[string]*upstreamtest.Server{"up": far}, "up")
				cfg.Telemetry = c.telling(t, "weir")
				_, h := start(t, cfg)
				h.send(legacy.open()...)
				h.send(legacy.traced("1", "up__ok", tt.meta))
				pass(time.Minute)
				var spans []toldSpan
				for _, s := range c.spans(t) {
					if strings.Contains(s.Name, "tools/call") {
						spans = append(spans, s)
					}
				}
				if len(spans) != tt.spans {
					t.Fatalf("got %d spans, want %d", len(spans), tt.spans)
				}
				sent, _ := jsonrpc.String(memberOf(metaOf(far.Received("tools/call")[0]), "traceparent"))
				if tt.spans == 0 {
					if sent != tt.sent {
						t.Errorf("the server was told %q, want %q", sent, tt.sent)
					}
					return
				}
				if joins := spans[0].TraceID == hostParent[3:35]; joins != tt.joins || (spans[0].ParentSpanID != "") != tt.joins {
					t.Errorf("got trace %s and parent %q", spans[0].TraceID, spans[0].ParentSpanID)
				}
				if want := "00-" + spans[1].TraceID + "-" + spans[1].SpanID + "-01"; sent != want || spans[1].ParentSpanID != spans[0].SpanID {
					t.Errorf("the server was told %q, want %q", sent, want)
				}
			})
		}
	}
}

// TestTracesOff: what the host says of its trace goes through as it stands.
func TestTracesOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, h := one(t, talkative(legacy))
		h.send(legacy.open()...)
		h.send(legacy.traced("1", "up__ok", `"traceparent":"`+hostParent+`"`), legacy.call("2", "up__ok", "{}"))
		got := far.Received("tools/call")
		if meta := string(metaOf(got[0])); meta != `{"traceparent":"`+hostParent+`"}` {
			t.Errorf("the server was told %s", meta)
		}
		if strings.Contains(string(got[1].Message), "_meta") {
			t.Errorf("the server was told %s", got[1].Message)
		}
	})
}

// TestTracesOffCostNothing: no memory, that is.
func TestTracesOffCostNothing(t *testing.T) {
	s := &session{a: &Aggregator{}}
	r := &request{}
	params, meta := []jsonrpc.Member{jsonrpc.NewMember("name", []byte(`"x"`))}, []jsonrpc.Member(nil)
	n := testing.AllocsPerRun(100, func() {
		s.trace(r)
		r.told.traceName(toolCall, "x")
		params, meta = r.told.passTrace(params, meta)
		alone := r.told.withoutPart()
		s.recordSpans(&alone, nil)
	})
	if n != 0 || meta != nil || len(params) != 1 {
		t.Errorf("got %v allocations and %d params for a request that is not traced", n, len(params))
	}
}

// TestSpansOfAllOutcomes: every request that has a record has a span, and says what
// became of it.
func TestSpansOfAllOutcomes(t *testing.T) {
	for _, client := range []era{legacy, modern} {
		bubble(t, client.String(), func(t *testing.T) {
			var c traceCollector
			cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(talkative(legacy))}, "up", "gone")
			cfg.Policy, cfg.Telemetry = secretive(t), c.telling(t, "weir")
			_, h := start(t, cfg)
			h.send(client.open()...)
			h.send(client.request("1", "tools/list", "", ""))
			pass(DefaultPatience)
			for _, line := range []string{
				client.call("2", "up__bad", "{}"), client.call("3", "up__secret", "{}"), client.call("4", "up__nothing", "{}"),
				client.request(`"five"`, "resources/read", `"uri":"a:a"`, ""), client.call("6", "up__slow", "{}"), cancelled("6"),
				client.request("7", "no/such", "", ""),
			} {
				h.send(line)
				pass(time.Millisecond)
			}
			pass(time.Minute)
			var got []string
			for _, s := range c.spans(t) {
				got = append(got, s.words())
			}
			want := []string{
				"server tools/list id=1 outcome=ok",
				"server tools/call up__bad server=up name=up__bad id=2 outcome=error type=tool_error",
				"client tools/call bad server=up name=bad type=tool_error",
				"server tools/call up__secret server=up name=up__secret id=3 outcome=denied type=denied",
				"server tools/call up__nothing name=up__nothing id=4 outcome=unknown type=unknown",
				"server resources/read server=up id=five outcome=error type=error",
				"client resources/read server=up type=error",
				"server tools/call up__slow server=up name=up__slow id=6 outcome=cancelled type=cancelled",
				"client tools/call slow server=up name=slow type=cancelled",
				"server no/such id=7 outcome=refused type=refused",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestTraceOverSeveralRequests: a modern host that answers a question goes on with
// the server's part that began before.
func TestTraceOverSeveralRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c traceCollector
		far := upstreamtest.New(legacy.asksForm())
		cfg := config(t, map[string]*upstreamtest.Server{"up": far}, "up")
		cfg.Telemetry = c.telling(t, "weir")
		_, h := start(t, cfg)
		h.send(modern.capable()...)
		got := h.send(modern.capableCall("1", "up__ask", ""))
		pass(3 * gatherTime)
		requests, state := inputRequired(t, append(got, h.received()...))
		key, _, _ := strings.Cut(strings.TrimPrefix(requests, `{"`), `":`)
		h.send(modern.capableCall("2", "up__ask", resumeWith(`{"`+key+`":{"action":"accept","content":{}}}`, state)))
		pass(time.Minute)
		var spans []toldSpan
		var words []string
		for _, s := range c.spans(t) {
			if strings.Contains(s.Name, "tools/call") {
				spans, words = append(spans, s), append(words, s.words())
			}
		}
		want := []string{
			"server tools/call up__ask server=up name=up__ask id=1 outcome=asked",
			"client tools/call ask server=up name=ask",
			"server tools/call up__ask server=up name=up__ask id=2 outcome=ok",
		}
		if diff := cmp.Diff(want, words); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
		if spans[1].ParentSpanID != spans[0].SpanID || spans[2].SpanID == spans[0].SpanID {
			t.Errorf("got %+v", spans)
		}
	})
}

// TestCollectorIsDown: calls are what they were, and nothing grows.
func TestCollectorIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := traceCollector{down: true}
		cfg := config(t, map[string]*upstreamtest.Server{"up": upstreamtest.New(talkative(legacy))}, "up")
		cfg.Telemetry = c.telling(t, "weir")
		_, h := start(t, cfg)
		h.send(legacy.open()...)
		h.send(legacy.request("1", "tools/list", "", ""))
		for i := range 3000 {
			began := time.Now()
			if got := h.send(legacy.call("7", "up__ok", "{}")); len(got) != 1 || !time.Now().Equal(began) {
				t.Fatalf("call %d: got %q after %v", i, got, time.Since(began))
			}
		}
	})
}

// TestMetrics: what the collector is told of a server that is not there is more than
// nothing.
func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := map[string]*upstreamtest.Server{"up": upstreamtest.New(talkative(legacy))}
		a, h := start(t, config(t, servers, "up", "gone"))
		h.send(legacy.open()...)
		h.send(legacy.request("1", "tools/list", "", ""))
		pass(DefaultPatience)
		h.send(legacy.call("2", "up__ok", "{}"))
		values := map[string]uint64{}
		for _, m := range a.Metrics() {
			for _, p := range m.Points {
				name := m.Name
				for _, attribute := range p.Attributes {
					name += " " + attribute.Text
				}
				value := p.Value
				for _, n := range p.Counts {
					value += n
				}
				values[name] += value
				if m.Form == telemetry.Histogram && len(p.Counts) != len(m.Bounds)+1 {
					t.Errorf("%s: got %d counts for %d bounds", name, len(p.Counts), len(m.Bounds))
				}
			}
		}
		for name, want := range map[string]uint64{
			"weir.requests up ok": 1, "weir.requests up error": 0, "weir.requests weir ok": 1, "weir.request.duration up": 1,
			"weir.requests.active up": 0, "weir.connections up made": 1, "weir.connections gone made": 0,
			"weir.server.state up ready": 1, "weir.server.state gone backoff": 1,
		} {
			if got, there := values[name]; !there || got != want {
				t.Errorf("%s: got %d, %v, want %d", name, got, there, want)
			}
		}
		if values["weir.connections gone failed"] == 0 {
			t.Error("got no try to connect that failed")
		}
	})
}

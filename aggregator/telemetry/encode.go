package telemetry

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file writes the two documents of the protocol. In its JSON encoding ids
// are hexadecimal, numbers of 64 bits are texts, and enumerations are numbers
// (OTLP 1.x, JSON Protobuf encoding).

// cumulative is the temporality of sums and histograms that count from the start
// on.
const cumulative = "2"

// statusError is the status of a span that has failed.
const statusError = "2"

// A writer writes JSON, and knows where commas go.
type writer struct {
	out []byte
}

// open begins an object or an array, close ends it.
func (w *writer) open(bracket byte) {
	w.comma()
	w.out = append(w.out, bracket)
}

func (w *writer) close(bracket byte) { w.out = append(w.out, bracket) }

// key begins a member.
func (w *writer) key(name string) {
	w.comma()
	w.out = append(jsonrpc.AppendString(w.out, name), ':')
}

func (w *writer) comma() {
	if len(w.out) == 0 {
		return
	}
	switch w.out[len(w.out)-1] {
	case '{', '[', ':', ',':
	default:
		w.out = append(w.out, ',')
	}
}

func (w *writer) text(s string) {
	w.comma()
	w.out = jsonrpc.AppendString(w.out, s)
}

func (w *writer) literal(s string) {
	w.comma()
	w.out = append(w.out, s...)
}

// long writes a number of 64 bits.
func (w *writer) long(n uint64) { w.text(strconv.FormatUint(n, 10)) }

func (w *writer) float(f float64) {
	w.comma()
	w.out = strconv.AppendFloat(w.out, f, 'g', -1, 64)
}

func (w *writer) id(raw []byte) { w.text(hex.EncodeToString(raw)) }

func (w *writer) time(t time.Time) { w.long(uint64(max(t.UnixNano(), 0))) }

func (w *writer) attributes(all []Attribute) {
	w.key("attributes")
	w.open('[')
	for _, a := range all {
		w.open('{')
		w.key("key")
		w.text(a.Key)
		w.key("value")
		w.open('{')
		if a.Is == IsNumber {
			w.key("intValue")
			w.text(strconv.FormatInt(a.Number, 10))
		} else {
			w.key("stringValue")
			w.text(a.Text)
		}
		w.close('}')
		w.close('}')
	}
	w.close(']')
}

// A source is who tells: the resource and the scope of the protocol.
type source struct {
	resource []Attribute
	version  string // of weir
}

// begin writes the document as far as the list of what is told; end goes on
// behind it.
func (s *source) begin(w *writer, signal, list string) {
	w.open('{')
	w.key("resource" + signal)
	w.open('[')
	w.open('{')
	w.key("resource")
	w.open('{')
	w.attributes(s.resource)
	w.close('}')
	w.key("scope" + signal)
	w.open('[')
	w.open('{')
	w.key("scope")
	w.open('{')
	w.key("name")
	w.text("github.com/weir-mcp/weir")
	w.key("version")
	w.text(s.version)
	w.close('}')
	w.key(list)
	w.open('[')
}

func (*source) end(w *writer) { w.out = append(w.out, "]}]}]}"...) }

// spans is an ExportTraceServiceRequest.
func (s *source) spans(spans []Span) []byte {
	w := &writer{out: make([]byte, 0, 512+512*len(spans))}
	s.begin(w, "Spans", "spans")
	for i := range spans {
		w.span(&spans[i])
	}
	s.end(w)
	return w.out
}

func (w *writer) span(s *Span) {
	w.open('{')
	w.key("traceId")
	w.id(s.Context.Trace[:])
	w.key("spanId")
	w.id(s.Context.Span[:])
	if s.Parent != [8]byte{} {
		w.key("parentSpanId")
		w.id(s.Parent[:])
	}
	w.key("flags")
	w.literal(strconv.Itoa(int(s.Context.Flags)))
	w.key("name")
	w.text(s.Name)
	w.key("kind")
	w.literal(strconv.Itoa(int(s.Kind)))
	w.key("startTimeUnixNano")
	w.time(s.Start)
	w.key("endTimeUnixNano")
	w.time(s.End)
	if s.Error == "" {
		w.attributes(s.Attributes)
	} else {
		w.attributes(append(s.Attributes[:len(s.Attributes):len(s.Attributes)], Text("error.type", s.Error)))
		w.key("status")
		w.open('{')
		w.key("code")
		w.literal(statusError)
		w.close('}')
	}
	w.close('}')
}

// metrics is an ExportMetricsServiceRequest.
func (s *source) metrics(metrics []Metric, start, now time.Time) []byte {
	w := &writer{out: make([]byte, 0, 4<<10)}
	s.begin(w, "Metrics", "metrics")
	for i := range metrics {
		w.metric(&metrics[i], start, now)
	}
	s.end(w)
	return w.out
}

func (w *writer) metric(m *Metric, start, now time.Time) {
	w.open('{')
	w.key("name")
	w.text(m.Name)
	w.key("unit")
	w.text(m.Unit)
	w.key("description")
	w.text(m.Description)
	w.key([...]string{Counter: "sum", Gauge: "gauge", Histogram: "histogram"}[m.Form])
	w.open('{')
	if m.Form != Gauge {
		w.key("aggregationTemporality")
		w.literal(cumulative)
	}
	if m.Form == Counter {
		w.key("isMonotonic")
		w.literal("true")
	}
	w.key("dataPoints")
	w.open('[')
	for i := range m.Points {
		w.open('{')
		w.attributes(m.Points[i].Attributes)
		if m.Form != Gauge {
			w.key("startTimeUnixNano")
			w.time(start)
		}
		w.key("timeUnixNano")
		w.time(now)
		w.value(m, &m.Points[i])
		w.close('}')
	}
	w.close(']')
	w.close('}')
	w.close('}')
}

func (w *writer) value(m *Metric, p *Point) {
	if m.Form != Histogram {
		w.key("asInt")
		w.long(p.Value)
		return
	}
	var count uint64
	for _, n := range p.Counts {
		count += n
	}
	w.key("count")
	w.long(count)
	w.key("sum")
	w.float(p.Sum.Seconds())
	if count > 0 {
		w.key("max")
		w.float(p.Max.Seconds())
	}
	w.key("bucketCounts")
	w.open('[')
	for _, n := range p.Counts {
		w.long(n)
	}
	w.close(']')
	w.key("explicitBounds")
	w.open('[')
	for _, b := range m.Bounds {
		w.float(b)
	}
	w.close(']')
}

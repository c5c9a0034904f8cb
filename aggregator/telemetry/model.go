package telemetry

import "time"

// A Kind is what a span is in the conversation that it is of. The values are
// those of the protocol.
type Kind int

// The kinds of spans.
const (
	Server Kind = 2 // the answer to a request
	Client Kind = 3 // a request to somebody else
)

// A Span is one piece of work in a trace.
type Span struct {
	Context    Context
	Parent     [8]byte // the span that it is part of; zero for none
	Name       string
	Kind       Kind
	Start, End time.Time
	Attributes []Attribute
	Error      string // what sort of failure it ended with; "" for none
}

// An Attribute is something about a span or a figure, a text or a number.
type Attribute struct {
	Key    string
	Text   string
	Number int64 // instead of Text, where IsNumber
	Is     AttributeKind
}

// AttributeKind says what an Attribute holds.
type AttributeKind int

// The kinds of attributes.
const (
	IsText AttributeKind = iota
	IsNumber
)

// Text makes an attribute that is a text.
func Text(key, value string) Attribute { return Attribute{Key: key, Text: value} }

// Number makes an attribute that is a number.
func Number(key string, value int64) Attribute {
	return Attribute{Key: key, Number: value, Is: IsNumber}
}

// A Metric is a figure with its values, each for something else. What it counts
// has been counted since weir was started.
type Metric struct {
	Name, Unit, Description string

	Form   Form
	Points []Point

	// Bounds are, of a Histogram, the upper ends of all buckets but the last, in
	// seconds.
	Bounds []float64
}

// A Form is how a Metric is to be read.
type Form int

// The forms of metrics.
const (
	Counter   Form = iota // grows
	Gauge                 // is what it is now
	Histogram             // counts durations
)

// A Point is the value of a Metric for something.
type Point struct {
	Attributes []Attribute
	Value      uint64 // of a Counter and a Gauge

	// Of a Histogram: how many there are in each bucket, and the sum and the longest
	// of them.
	Counts   []uint64
	Sum, Max time.Duration
}

package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/policy"
)

// A text is a scalar as it is written, and where: numbers and booleans do too,
// so that a port or a switch needs no quotes. Who uses it decides whether
// references in it are expanded.
type text struct {
	value string
	pos   policy.Position
}

func (t *text) decode(d *decoder, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!binary" {
		d.wrongType(n, "text")
		return
	}
	*t = text{value: n.Value, pos: d.pos(n)}
}

// or returns the text of t, or what stands for its absence.
func (t *text) or(absent string) string {
	if t == nil {
		return absent
	}
	return t.value
}

// A mapping is keys with values, in their order. It is nil if absent.
type mapping[T any] []entry[T]

type entry[T any] struct {
	key   string
	pos   policy.Position
	value T
}

// decodeEmpty marks what may be left without a value.
func (m *mapping[T]) decodeEmpty() {}

func (m *mapping[T]) decode(d *decoder, n *yaml.Node) {
	*m = make(mapping[T], 0, len(n.Content)/2)
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return
	}
	d.pairs(n, func(key, value *yaml.Node) {
		*m = append(*m, entry[T]{key: key.Value, pos: d.pos(key)}) // there is room: it stays where it is
		d.path = append(d.path, key.Value)
		d.value(value, &(*m)[len(*m)-1].value)
		d.path = d.path[:len(d.path)-1]
	})
}

// A duration is a time with its unit: 500ms, 30s, 5m, 24h.
type duration time.Duration

func (t *duration) decode(d *decoder, n *yaml.Node) {
	parsed, err := time.ParseDuration(n.Value)
	if err != nil || n.Kind != yaml.ScalarNode || parsed < 0 {
		d.fail(n, fmt.Sprintf("%q is not a duration (want a number with a unit, such as 500ms, 30s, 5m or 24h)", n.Value))
		return
	}
	*t = duration(parsed)
}

// or returns the duration, or what stands for its absence.
func (t *duration) or(absent time.Duration) time.Duration {
	if t == nil {
		return absent
	}
	return time.Duration(*t)
}

// A size is a number of bytes, written with or without a unit: 65536, 64KiB, 10MB.
type size struct {
	bytes int64
	pos   policy.Position
}

var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"B", 1},
}

func (s *size) decode(d *decoder, n *yaml.Node) {
	number, unit := strings.TrimSpace(n.Value), 1.0
	for _, u := range sizeUnits {
		if head, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(head), u.bytes
			break
		}
	}
	count, err := strconv.ParseFloat(number, 64)
	bytes := count * unit
	if err != nil || !(bytes >= 0 && bytes <= math.MaxInt32) || n.Kind != yaml.ScalarNode {
		d.fail(n, fmt.Sprintf("%q is not a size (want bytes, or a number with a unit, such as 512KiB or 64MiB)", n.Value))
		return
	}
	*s = size{bytes: int64(bytes), pos: d.pos(n)}
}

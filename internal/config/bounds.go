package config

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/redact"
)

// detectors are the names of those of secrets: all, or a list.
type detectors []string

func (l *detectors) decode(d *decoder, n *yaml.Node) {
	names := []string{n.Value}
	if n.Kind != yaml.ScalarNode {
		names = nil
		d.value(n, &names)
	}
	for i, name := range names {
		if slices.Contains(redact.Names(), name) {
			continue
		}
		at := n
		if n.Kind == yaml.SequenceNode {
			at = n.Content[i]
		}
		d.fail(at, fmt.Sprintf("unknown detector %q%s (known are %s)", name, meant(name, redact.Names()), strings.Join(redact.Names(), ", ")))
	}
	*l = names
}

// The bounds of max_result; 0 is no limit.
const (
	minResult = 4 << 10
	maxResult = 1 << 30
)

// maxConcurrent is the largest of max_concurrent.
const maxConcurrent = 10_000

// bounds is how much hosts may make of the server.
func (m *serverMaker) bounds() {
	s, limits := &m.source.value, &m.made.Limits
	m.made.AsSent = s.Sanitize != nil && !*s.Sanitize
	m.made.Redact = s.Redact
	*limits = aggregator.Limits{}
	if s.RateLimit != nil {
		limits.Rate = s.RateLimit.Rate
	}
	if n := s.MaxConcurrent; n != nil {
		limits.Concurrent = *n
		if *n < 0 || *n > maxConcurrent {
			m.fail(s.MaxConcurrentPos, "max_concurrent: %d is out of bounds (want 1 to %d, or 0 for no limit)", *n, maxConcurrent)
		}
	}
	if r := s.MaxResult; r != nil {
		limits.ResultBytes = int(r.bytes)
		if r.bytes != 0 && (r.bytes < minResult || r.bytes > maxResult) {
			m.fail(r.pos, "max_result: %d bytes are out of bounds (want 4KiB to 1GiB, or 0 for no limit)", r.bytes)
		}
	}
}

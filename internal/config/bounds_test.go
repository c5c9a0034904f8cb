package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/aggregator"
)

func TestBounds(t *testing.T) {
	type bounds struct {
		AsSent bool
		Redact []string
		Limits aggregator.Limits
	}
	for _, tt := range []struct {
		keys   string
		want   bounds
		broken string // in why the server cannot be used
	}{
		{"", bounds{}, ""},
		{"sanitize: true, redact: all, max_result: 1MiB, rate_limit: 60/m, max_concurrent: 4", bounds{
			Redact: []string{"all"},
			Limits: aggregator.Limits{Rate: aggregator.Rate{Count: 60, Per: time.Minute}, Concurrent: 4, ResultBytes: 1 << 20},
		}, ""},
		{"sanitize: false, redact: [aws, jwt], max_result: 0, max_concurrent: 0", bounds{AsSent: true, Redact: []string{"aws", "jwt"}}, ""},
		{"max_result: 1KiB", bounds{Limits: aggregator.Limits{ResultBytes: 1024}}, "max_result: 1024 bytes are out of bounds (want 4KiB to 1GiB, or 0 for no limit)"},
		{"max_concurrent: -1", bounds{Limits: aggregator.Limits{Concurrent: -1}}, "max_concurrent: -1 is out of bounds (want 1 to 10000, or 0 for no limit)"},
	} {
		file := load(t, "mcp.yaml", "servers: {a: {command: x, "+tt.keys+"}}\n")
		s := file.Servers[0]
		if diff := cmp.Diff(tt.want, bounds{s.AsSent, s.Redact, s.Limits}); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", tt.keys, diff)
		}
		switch {
		case tt.broken == "" && s.Broken != nil, tt.broken != "" && (s.Broken == nil || !strings.Contains(s.Broken.Error(), tt.broken)):
			t.Errorf("%s: got %v, want %q", tt.keys, s.Broken, tt.broken)
		}
	}
}

package cli

import (
	"runtime/debug"
	"testing"
)

// TestVersionOf: a binary says the version that it was made as.
func TestVersionOf(t *testing.T) {
	built := func(version, sum string) func() (*debug.BuildInfo, bool) {
		return func() (*debug.BuildInfo, bool) {
			return &debug.BuildInfo{Main: debug.Module{Path: "github.com/weir-mcp/weir", Version: version, Sum: sum}}, true
		}
	}
	nothing := func() (*debug.BuildInfo, bool) { return nil, false }
	for _, tt := range []struct {
		name, released string
		info           func() (*debug.BuildInfo, bool)
		want           string
	}{
		{"a release", "release v1.2.3-rc.1", built("v1.2.2", ""), "1.2.3-rc.1"},
		{"a release, whatever it was built from", "release v1.2.3", nothing, "1.2.3"},
		{"fetched as a module", "", built("v1.4.0", "h1:x"), "1.4.0"},
		{"fetched at a commit", "", built("v0.0.0-20261123171439-d470de1f0000", "h1:x"), "0.0.0-20261123171439-d470de1f0000"},
		{"a work tree", "", built("v0.0.0-20261123171439-d470de1f0000+dirty", ""), unreleased},
		{"a work tree without commits", "", built("(devel)", ""), unreleased},
		{"a test", "", nothing, unreleased},
	} {
		if got := versionOf(tt.released, tt.info); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

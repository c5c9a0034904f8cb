package cli

import (
	"strings"
	"testing"
)

// TestLogLevel: a level that is set later holds for every logger there is, those
// made of others included.
func TestLogLevel(t *testing.T) {
	var said strings.Builder
	a := &app{Process: Process{Stderr: &said}}
	level := &logLevel{}
	level.set("")
	log := a.logger(level)
	sub := log.With().Str("upstream", "a").Logger()
	for _, tt := range []struct{ level, want string }{
		{"", "info warn"}, {"debug", "debug info warn"}, {"error", ""}, {"trace", "trace debug info warn"}, {"info", "info warn"}, {"nonsense", "info warn"},
	} {
		level.set(tt.level)
		said.Reset()
		sub.Trace().Msg("t:trace")
		sub.Debug().Msg("t:debug")
		sub.Info().Msg("t:info")
		log.Warn().Msg("t:warn")
		var got []string
		for _, word := range []string{"trace", "debug", "info", "warn"} {
			if strings.Contains(said.String(), "t:"+word) {
				got = append(got, word)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("level %q: got %q, want %q", tt.level, got, tt.want)
		}
	}
	level.set("warn")
	if n := testing.AllocsPerRun(100, func() { sub.Debug().Str("a", "b").Msg("x") }); n != 0 {
		t.Errorf("a line that is left out allocates %v times", n)
	}
}

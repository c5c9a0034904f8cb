package cli

import (
	"sync/atomic"

	"github.com/rs/zerolog"
)

// A logLevel is the least level that is logged, which may change while there are
// loggers. It is asked before a line is made, so that what is left out costs
// nothing.
type logLevel struct{ least atomic.Int32 }

// set takes a level of the configuration; "" is info.
func (l *logLevel) set(name string) {
	level, err := zerolog.ParseLevel(name)
	if err != nil || name == "" {
		level = zerolog.InfoLevel
	}
	l.least.Store(int32(level))
}

// Sample implements zerolog.Sampler.
func (l *logLevel) Sample(level zerolog.Level) bool { return int32(level) >= l.least.Load() }

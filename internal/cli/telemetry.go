package cli

import (
	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/telemetry"
	"github.com/weir-mcp/weir/internal/config"
)

// A collecting is a weir's way to a collector, which is told figures as soon as
// there are any. The zero collecting goes nowhere.
type collecting struct {
	exporter *telemetry.Exporter
	weir     chan *aggregator.Aggregator // holds the one that has the figures
}

// openTelemetry begins to tell a collector, if the configuration wants that. Where
// that cannot be reached weir goes on, and says so.
func openTelemetry(settings config.Telemetry, log zerolog.Logger) collecting {
	if settings.Endpoint == "" || !settings.Traces && !settings.Metrics {
		return collecting{}
	}
	c := collecting{weir: make(chan *aggregator.Aggregator, 1)}
	c.exporter = telemetry.Open(telemetry.Config{
		Endpoint: settings.Endpoint, Headers: settings.Headers,
		Traces: settings.Traces, Metrics: settings.Metrics, Ratio: settings.Ratio,
		Service: settings.Service, Version: version,
		Gather: c.gather,
		Report: func(err error) { log.Warn().Err(err).Msg("telemetry is not delivered") },
	})
	return c
}

// of says whose figures they are.
func (c collecting) of(weir *aggregator.Aggregator) {
	if c.weir != nil {
		c.weir <- weir
	}
}

func (c collecting) gather() []telemetry.Metric {
	select {
	case weir := <-c.weir:
		c.weir <- weir
		return weir.Metrics()
	default:
		return nil // it has not begun
	}
}

// close tells what is left.
func (c collecting) close() { c.exporter.Close() }

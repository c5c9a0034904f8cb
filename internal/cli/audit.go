package cli

import (
	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/aggregator/redact"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/upstream/state"
)

// auditFile is the name of the audit log in weir's folder of state.
const auditFile = "audit.jsonl"

// auditPlace is where the audit log is, and whether the folder is weir's own.
func (a *app) auditPlace(settings config.Audit) (path string, own bool, err error) {
	if settings.Path != "" {
		return settings.Path, false, nil
	}
	folder, err := state.UserFolder(a.getenv)
	if err != nil {
		return "", false, err
	}
	return folder.Path(auditFile), true, nil
}

// openAudit opens the audit log as the configuration wants it; nil if there is
// none. Where it cannot be written weir goes on, and says so.
func (a *app) openAudit(settings config.Audit, log zerolog.Logger) *audit.Log {
	if settings.Off {
		return nil
	}
	path, own, err := a.auditPlace(settings)
	if err != nil {
		log.Error().Err(err).Msg("requests are not recorded")
		return nil
	}
	cfg := audit.Config{
		Path: path, OwnFolder: own,
		Report: func(err error) { log.Error().Err(err).Msg("requests are not recorded as they should be") },
	}
	if settings.Arguments {
		r, err := redact.New(redact.All)
		if err != nil {
			log.Error().Err(err).Msg("arguments are not recorded")
		} else {
			cfg.Redact = r.JSON
		}
	}
	return audit.Open(cfg)
}

// closeAudit writes what is left to write.
func closeAudit(l *audit.Log, log zerolog.Logger) {
	if err := l.Close(); err != nil {
		log.Error().Err(err).Msg("requests are not recorded as they should be")
	}
}

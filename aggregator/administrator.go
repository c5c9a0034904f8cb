package aggregator

import (
	"context"
	"fmt"

	"github.com/weir-mcp/weir/upstream"
)

// An Administrator changes the configuration that an Aggregator was made of, and
// has it taken with [Aggregator.Reconfigure]. It decides nothing: who may ask for
// a change, and what a person must have approved, is settled before. Its methods
// are safe for concurrent use. Errors that a host may see are of type
// *ChangeError.
type Administrator interface {
	// Apply makes a change in the file and takes the file. A file that could not be
	// used with it stays as it is.
	Apply(ctx context.Context, c Change) (Changes, error)

	// Reload takes the file as it stands.
	Reload(ctx context.Context) (Changes, error)
}

// A Change is one in the configuration. Exactly one field is set.
type Change struct {
	Add     *NewServer
	Remove  string // the name of a server, as all of these
	Enable  string
	Disable string
	Alias   *NewAlias
}

// A NewServer is all that hosts may say of one: what it is and how it is reached.
// Nothing in its texts is a reference to anything: they are literal. The rest is
// the user's.
type NewServer struct {
	Name string

	// These, or those below.
	Command string
	Args    []string
	Env     map[string]string
	Cwd     string

	URL       string
	Transport string // "" = by the URL
	Headers   map[string]string

	Description string
}

// A NewAlias is a further name of a server. It must not make any policy of the
// configuration say more, or less, of that server than it says now.
type NewAlias struct{ Alias, Server string }

// A ChangeError is why something was not done, for hosts.
type ChangeError struct {
	Kind upstream.Kind
	Text string // one or more sentences
	Err  error  // may be nil
}

func (e *ChangeError) Error() string { return e.Text }

func (e *ChangeError) Unwrap() error { return e.Err }

// Restart ends a server and starts it anew when it is needed next. Its calls may go
// on for 30 s with the old one.
func (a *Aggregator) Restart(name string) error {
	a.shaping.Lock()
	defer a.shaping.Unlock()
	if a.ctx.Err() != nil {
		return ErrClosed
	}
	from := a.world.Load()
	old := from.byName[name]
	switch {
	case old == nil:
		return noServer(name)
	case !old.up.Usable():
		return &ChangeError{Kind: upstream.KindConfiguration, Text: fmt.Sprintf("Server %q cannot be started: %s.", name, publicReason(old.up.Status().Reason))}
	}
	cfg := from.config()
	m := a.move(cfg, old)
	a.settle(m, cfg)
	for _, s := range m.fresh {
		s.refresh(everyKind)
	}
	return nil
}

func noServer(name string) error {
	return &ChangeError{Kind: upstream.KindServerNotFound, Text: fmt.Sprintf("There is no server %q in weir's configuration.", clip(name)), Err: ErrNoSuchServer}
}

// config is what the world was made of.
func (w *world) config() *Config {
	cfg := &Config{
		Servers: make([]Server, len(w.exposed)), Names: w.names, Policy: w.policy, Principal: w.principal,
		Expose: w.exposure, MaxTools: w.maxTools,
		MaxAge: w.maxAge, Patience: w.patience, Notice: w.notice, MessageLimit: w.limit, Audit: w.audit,
	}
	for i, s := range w.exposed {
		cfg.Servers[i] = *s
	}
	return cfg
}

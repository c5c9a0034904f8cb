package aggregator

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// logLevels are the levels of log messages, the most verbose one first
// (2025-11-25, logging).
var logLevels = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

// A logLevel is the place of a level in logLevels. noLevel is that of who has
// not asked for any.
type logLevel int8

const noLevel logLevel = -1

// readLevel reads a raw level. It reports false for one that is unknown.
func readLevel(raw []byte) (logLevel, bool) {
	text, err := jsonrpc.String(raw)
	if err != nil {
		return noLevel, false
	}
	level := slices.Index(logLevels, text)
	return logLevel(level), level >= 0
}

// setLevel keeps what a legacy host wants to hear of the servers' logs, and
// tells those with a handshake. Modern ones learn it with each request.
func (s *session) setLevel(r *request) {
	level, ok := readLevel(jsonrpc.Find(r.params, "level"))
	if !ok {
		s.refuse(&s.batch, r.id, codeInvalidParams, "Invalid params: unknown log level")
		return
	}
	s.mu.Lock()
	s.level = level
	s.mu.Unlock()
	if c := s.begin(r, levelSetting); c != nil {
		told := s.a.setLevel()
		s.behind.Go(func() {
			s.awaitTold(told)
			if c.end() {
				s.reply(nil, c.id, []byte("{}"))
			}
		})
	}
}

var levelSetting = &operation{method: "logging/setLevel", kind: "level"}

// levelTime is how long a host waits for the servers to hear of its level.
const levelTime = 2 * time.Second

// setLevel tells all servers what to log, and returns what is closed when all
// that are connected have heard of it.
func (a *Aggregator) setLevel() (told <-chan struct{}) {
	level := a.mostVerbose()
	done := make(chan struct{})
	var pending atomic.Int32
	servers := a.world.Load().servers
	pending.Store(int32(len(servers) + 1))
	one := func() {
		if pending.Add(-1) == 0 {
			close(done)
		}
	}
	for _, server := range servers {
		server.log(level, one)
	}
	one()
	return done
}

func (s *session) awaitTold(told <-chan struct{}) {
	late := time.NewTimer(levelTime)
	defer late.Stop()
	select {
	case <-told:
	case <-late.C:
	case <-s.ctx.Done():
	}
}

// mostVerbose is what a server must log for all sessions to have what they want.
func (a *Aggregator) mostVerbose() logLevel {
	least := noLevel
	for _, s := range a.sessionList() {
		s.mu.Lock()
		level := s.level
		s.mu.Unlock()
		if level != noLevel && (least == noLevel || level < least) {
			least = level
		}
	}
	return least
}

// log makes a server with a handshake log from this level on, and calls told
// when it has heard of that.
func (s *server) log(level logLevel, told func()) {
	s.mu.Lock()
	s.level = level
	s.mu.Unlock()
	s.up.SetLevel(logLevels[level], told)
}

// logFor makes a server with a handshake log what a modern host wants to hear of
// one request, and then goes on with it. It reports false if the server does so
// already: then the caller goes on. The server keeps logging that; what nobody
// wants is not passed on.
func (s *server) logFor(level logLevel, then func()) bool {
	if s.speaks(true) {
		return false
	}
	s.mu.Lock()
	enough := s.level != noLevel && s.level <= level
	s.mu.Unlock()
	if !enough {
		s.log(level, then)
	}
	return !enough
}

// withLevel is the _meta of a request with the level that a legacy host has set:
// modern servers log for requests that say so (2026-07-28, logging).
func (s *session) withLevel(meta []jsonrpc.Member, modern bool) []jsonrpc.Member {
	s.mu.Lock()
	level := s.level
	s.mu.Unlock()
	return leveled(meta, modern, level)
}

// leveled is withLevel for a level that is known.
func leveled(meta []jsonrpc.Member, modern bool, level logLevel) []jsonrpc.Member {
	if modern || level == noLevel {
		return meta
	}
	return append(slices.Clip(meta), jsonrpc.NewMember(upstream.MetaLogLevel, jsonrpc.AppendString(nil, logLevels[level])))
}

// logged passes a server's log message to the hosts that want it: to that of the
// call on whose stream it came, where that is known.
func (a *Aggregator) logged(b *jsonrpc.Batch, from *server, m *jsonrpc.Message, work *upstream.Call) {
	level, ok := readLevel(jsonrpc.Find(m.Fields, "level"))
	if !ok {
		return
	}
	origin := hostCallOf(work)
	for _, s := range a.sessionList() {
		if (origin == nil || origin.s == s) && s.wantsLog(from, level, origin) {
			s.write(b, namedLogger(from, m)...)
			s.holdBackChatter(b)
		}
	}
}

// wantsLog reports whether a host wants a message of this level. A legacy host
// has said so for all there is, or leaves it to the servers; a modern one says
// so with each request, of which pipes do not tell the message's own.
func (s *session) wantsLog(from *server, level logLevel, origin *call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pushed {
		return s.level == noLevel || level >= s.level
	}
	for c := range s.calls.all() {
		if c.server == from && (origin == nil || origin == c) && c.level != noLevel && level >= c.level {
			return true
		}
	}
	return false
}

// namedLogger is the message with the server's name before that of the logger.
func namedLogger(from *server, m *jsonrpc.Message) [][]byte {
	raw := jsonrpc.Find(m.Fields, "logger")
	logger, err := jsonrpc.String(raw)
	if err != nil {
		name := append(jsonrpc.AppendString([]byte(`"logger":`), from.Name), ',')
		return pieces(m.Raw, []jsonrpc.Edit{insertion(m.Params, m.Fields, name)})
	}
	return pieces(m.Raw, []jsonrpc.Edit{{At: raw, With: jsonrpc.AppendString(nil, from.Name+"/"+logger)}})
}

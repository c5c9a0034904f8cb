package aggregator

import "sync"

// learned remembers which server has sent which URI: a link in a result need not
// be in any list, and reading it must lead back to who gave it. The latest word
// counts. What was neither sent nor asked for in a while is forgotten, a
// generation at a time. It is safe for concurrent use.
type learned struct {
	mu    sync.Mutex
	young map[string]*server
	bytes int // of the young ones' URIs
	old   map[string]*server
}

// Bounds of one generation.
const (
	maxLinks     = 5_000
	maxLinkBytes = 2 << 20
	maxLink      = 4 << 10 // bytes of one URI
)

func newLearned() *learned { return &learned{young: make(map[string]*server)} }

func (l *learned) add(uri string, from *server) {
	if len(uri) > maxLink {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remember(uri, from)
}

// remember makes a link one of the young. The caller holds l.mu.
func (l *learned) remember(uri string, from *server) {
	if l.young[uri] == nil {
		l.bytes += len(uri)
	}
	l.young[uri] = from
	if len(l.young) >= maxLinks || l.bytes >= maxLinkBytes {
		l.old, l.young, l.bytes = l.young, make(map[string]*server), 0
	}
}

// server returns the server that has sent a URI; nil if none is known.
func (l *learned) server(uri string) *server {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from := l.young[uri]; from != nil {
		return from
	}
	from := l.old[uri]
	if from != nil {
		l.remember(uri, from)
	}
	return from
}

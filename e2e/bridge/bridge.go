package bridge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"sync"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The headers of Streamable HTTP.
const (
	headerVersion = "Mcp-Protocol-Version"
	headerSession = "Mcp-Session-Id"
	headerMethod  = "Mcp-Method"
	headerName    = "Mcp-Name"
)

// modern is the first revision of the modern era. Revisions compare as text.
const modern = "2026-07-28"

// maxMessage is the size of the largest message of a client.
const maxMessage = 64 << 20

// A Bridge is the HTTP side of a stdio server (2025-11-25 and 2026-07-28,
// Streamable HTTP). It is for any number of goroutines.
type Bridge struct {
	command func() *exec.Cmd
	trace   *trace

	mu       sync.Mutex
	closed   bool
	started  int
	sessions map[string]*process // legacy, by Mcp-Session-Id
	shared   []*process          // modern
	problems []error
}

// New returns a Bridge to the server that command starts; each call of it
// returns a new command. The processes end with Close. Each line that passes is
// also written to log.
func New(command func() *exec.Cmd, log io.Writer) *Bridge {
	return &Bridge{command: command, trace: &trace{log: log}, sessions: map[string]*process{}}
}

// Close ends all processes and waits for them. The error tells all that they
// have done wrong.
func (b *Bridge) Close() error {
	b.mu.Lock()
	b.closed = true
	processes := b.shared
	for _, p := range b.sessions {
		processes = append(processes, p)
	}
	b.mu.Unlock()
	for _, p := range processes {
		p.end()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Join(b.problems...)
}

func (b *Bridge) problem(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, err)
}

// start starts a process. b.mu is held.
func (b *Bridge) start(general *queue) (*process, error) {
	if b.closed {
		return nil, errors.New("the bridge is closed")
	}
	b.started++
	p := &process{
		cmd: b.command(), number: b.started, trace: b.trace, problem: b.problem,
		done: make(chan struct{}), dropped: map[string]bool{}, general: general,
	}
	return p, p.start()
}

// ServeHTTP is for clients on this machine only.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !isLocal(r) {
		http.Error(w, "not from this machine", http.StatusForbidden)
		return
	}
	switch {
	case r.Method == http.MethodPost:
		b.post(w, r)
	case r.Header.Get(headerVersion) >= modern:
		http.Error(w, "only POST", http.StatusMethodNotAllowed)
	case r.Method == http.MethodGet:
		b.listen(w, r)
	case r.Method == http.MethodDelete:
		b.endSession(w, r)
	default:
		http.Error(w, "only GET, POST and DELETE", http.StatusMethodNotAllowed)
	}
}

// isLocal reports whether a request was meant for this machine, not for a name
// that somebody else made point to it.
func isLocal(r *http.Request) bool {
	if !isLoopback(r.Host) {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && isLoopback(u.Host)
}

func isLoopback(hostport string) bool {
	u := url.URL{Host: hostport}
	host := u.Hostname()
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

func (b *Bridge) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxMessage))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	line := oneLine(body)
	m := &jsonrpc.Message{}
	if err := m.Parse(line); err != nil {
		refuse(w, []byte("null"), codeParse, err.Error())
		return
	}
	if r.Header.Get(headerVersion) >= modern || metaVersion(m) >= modern {
		b.postModern(w, r, m)
		return
	}
	b.postLegacy(w, r, m)
}

// oneLine puts a message on one line. In JSON a line end stands between tokens
// only.
func oneLine(body []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, body)
}

// The codes of the errors that are HTTP's business.
const (
	codeParse           = -32700
	codeInvalidRequest  = -32600
	codeMethodNotFound  = -32601
	codeInvalidParams   = -32602
	codeHeaderMismatch  = -32020
	codeNeedsCapability = -32021
	codeBadVersion      = -32022
)

// refuse answers a request that does not reach the server. id is raw.
func refuse(w http.ResponseWriter, id []byte, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%s}}`, id, code, jsonrpc.AppendString(nil, message))
}

package upstream

import (
	"context"
	"time"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/customtools"
)

// The transports that a server can be reached by.
const (
	Stdio     = "stdio"     // a child process
	HTTP      = "http"      // Streamable HTTP, or HTTP+SSE with a server that has only that
	SSE       = "sse"       // HTTP+SSE, of the legacy era only
	WebSocket = "websocket" // text frames, a transport that no revision defines
	Custom    = "custom"    // none: tools of the user's own, served within the process
)

// Defaults for what a Config leaves at zero.
const (
	DefaultTimeout        = 5 * time.Minute
	DefaultConnectTimeout = 30 * time.Second
	DefaultListTimeout    = 30 * time.Second
	DefaultMessageLimit   = 64 << 20
)

// Config is one upstream server as configured. Values are expanded already,
// but for those references that are read at connect (see Resolve).
type Config struct {
	Name      string // [a-z0-9][a-z0-9_-]{0,31}; required
	Transport string // one of the above; required
	Disabled  bool
	Broken    error // why this server cannot be used at all (an unset variable, say); nil if it can

	// For Stdio. A Command with a path separator, and Dir, are absolute.
	Command    string
	Args       []string
	Env        map[string]string // added to the small environment of children
	InheritEnv []string          // further variables of weir's own to pass
	InheritAll bool              // pass all of them
	Dir        string            // working folder; "" = weir's own

	CustomTools []customtools.Tool // for Custom

	// For the others.
	URL     string
	Headers map[string]string // sent with every request
	Auth    auth.Config       // references in its secrets are read at connect

	Subprotocol string // for WebSocket: to ask for; "" = none

	Timeout        time.Duration // per request, restarted by progress; 0 = DefaultTimeout
	ConnectTimeout time.Duration // start and handshake; 0 = DefaultConnectTimeout
	ListTimeout    time.Duration // one list, all pages; 0 = DefaultListTimeout
	MessageLimit   int           // bytes of one message; 0 = DefaultMessageLimit
	IdleStop       time.Duration // without use, after which a connection is ended until the next call; 0 = never
	Eager          bool          // connect with the host's first message, not on need
	Protocol       string        // a revision to speak without asking; "" = find out

	// Withheld are capabilities of the host that this server is not told of, as
	// MCP calls them ("sampling"). What it asks for nevertheless comes as a
	// Question all the same.
	Withheld []string

	// Resolve reads the references that are left in Args, Env, URL, Headers and
	// the secrets of Auth, those of CustomTools too, for connect time (files, the keyring). nil if there are none. It is safe
	// for concurrent use.
	Resolve func(ctx context.Context, text string) (string, error)

	// Identity is everything in the configuration that could change what the
	// server lists, secrets as references. Stored lists are kept under its
	// digest.
	Identity []byte
}

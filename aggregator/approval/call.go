package approval

import (
	"errors"
	"time"

	"github.com/weir-mcp/weir/aggregator/canonical"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

const (
	// WaitTime is how long a call waits for a person, and how long a yes to one
	// call waits for the call.
	WaitTime = 10 * time.Minute

	// MaxArguments is how many bytes of arguments a person may be asked to read.
	MaxArguments = 1 << 20
)

// ErrTooLarge is the error of a call whose arguments nobody could be shown.
var ErrTooLarge = errors.New("the arguments are too large to be approved")

// A Subject is what a call is about. Only Arguments and Definition may alias
// memory that changes after NewCall.
type Subject struct {
	Principal policy.Principal
	Server    string // its name, no alias
	Kind      policy.Kind
	Name      string // tool or prompt name, or resource URI, as the server has it

	Arguments  []byte // raw, as they will be sent; nil for none
	Definition []byte // raw, as the server listed it; nil for none

	Client policy.Client // who asks, by its own word
	Why    string        // what demands the approval, in a few words
}

// A Call is what waits for a yes. It is immutable.
type Call struct {
	binding
	client    policy.Client
	why       string
	arguments string // raw
}

// binding is what a grant and a call have in common. Arguments and Definition
// are digests, "" for none.
type binding struct {
	Key        string `json:"key,omitempty"`
	Team       string `json:"team,omitempty"`
	Org        string `json:"org,omitempty"`
	Profile    string `json:"profile,omitempty"`
	Server     string `json:"server"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Arguments  string `json:"arguments_digest,omitempty"`
	Definition string `json:"definition_digest,omitempty"`
}

// NewCall makes a call of what it is about. It fails with ErrTooLarge, or if the
// arguments are no JSON.
func NewCall(s Subject) (*Call, error) {
	if len(s.Arguments) > MaxArguments {
		return nil, ErrTooLarge
	}
	if s.Arguments != nil && !jsonrpc.Valid(s.Arguments) {
		return nil, errNotJSON
	}
	return &Call{
		binding: binding{
			Key: s.Principal.Key, Team: s.Principal.Team, Org: s.Principal.Org, Profile: s.Principal.Profile,
			Server: s.Server, Kind: s.Kind.String(), Name: s.Name, Arguments: digest(s.Arguments), Definition: digest(s.Definition),
		},
		client: s.Client, why: s.Why, arguments: string(s.Arguments),
	}, nil
}

var errNotJSON = errors.New("arguments are not JSON")

// digest tells values apart that do not say the same; "" stands for none.
func digest(raw []byte) string {
	if raw == nil {
		return ""
	}
	return canonical.DigestOf(raw).String()
}

// Same reports whether both calls are the same in all that grants look at.
func (c *Call) Same(other *Call) bool { return c.binding == other.binding }

// covers reports whether what was granted in one call with that scope is
// granted in another one too. The session is the caller's to compare.
func (b binding) covers(scope Scope, c binding) bool {
	switch scope {
	case ThisCall, TheseArguments:
		b.Definition = c.Definition
	case ToolThisSession, ToolAlways:
		if b.Definition == "" {
			return false
		}
		b.Arguments = c.Arguments
	default:
		return false
	}
	return b == c
}

// A Request is a call that waits for a person.
type Request struct {
	binding
	ID      string    `json:"id"`
	Session string    `json:"session"`
	Asked   time.Time `json:"asked"`
	Expires time.Time `json:"expires"`

	Call string `json:"arguments,omitempty"` // raw; "" for none
	Why  string `json:"why,omitempty"`

	ClientName    string `json:"client,omitempty"`
	ClientVersion string `json:"client_version,omitempty"`
}

// A Grant is what a person has said yes to.
type Grant struct {
	binding
	ID      string    `json:"id"`
	Scope   Scope     `json:"scope"`
	Session string    `json:"session,omitempty"` // of ToolThisSession
	Granted time.Time `json:"granted"`
	Expires time.Time `json:"expires,omitzero"` // zero for what is for always

	// Call is the raw arguments that were seen, cut: for people only.
	Call string `json:"arguments,omitempty"`
}

// Why is what demands the approval.
func (c *Call) Why() string { return c.why }

// Shown is the raw arguments for a person, as [Shown] has it; "" for none.
func (c *Call) Shown(indent string) string {
	if c.arguments == "" {
		return ""
	}
	return Shown([]byte(c.arguments), indent)
}

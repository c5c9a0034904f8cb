package upstream

import (
	"errors"
	"fmt"
	"time"

	"github.com/weir-mcp/weir/upstream/auth"
)

// A Kind names a class of failure, as it goes to the host under "weir/error".
// The list is complete; some kinds arise on the host side only.
type Kind string

// The kinds of failure.
const (
	KindServerNotFound Kind = "server_not_found"
	KindToolNotFound   Kind = "tool_not_found"
	KindConnection     Kind = "connection"
	KindTransport      Kind = "transport"
	KindAuthentication Kind = "authentication"
	KindAuthorization  Kind = "authorization"
	KindProtocol       Kind = "protocol"
	KindToolExecution  Kind = "tool_execution"
	KindTimeout        Kind = "timeout"
	KindConfiguration  Kind = "configuration"
	KindSerialization  Kind = "serialization"
	KindServerExists   Kind = "server_exists"
	KindInvalidURL     Kind = "invalid_url"
	KindRateLimited    Kind = "rate_limited"
	KindValidation     Kind = "validation"
	KindToolChanged    Kind = "tool_changed"
	KindApproval       Kind = "approval_required"
)

// A Failure is an error of an upstream. Match the types below with
// [errors.AsType]; this interface is what they share.
type Failure interface {
	error
	Kind() Kind
	Detail() *Fault
}

// A Fault is what every Failure tells. Text and Hint may be shown to the host:
// they hold no path, command, token or header. Err may hold anything and is
// for the log.
type Fault struct { //nolint:errname // it is what errors tell; the types below are the errors
	Server string
	Text   string // what happened: `the server ended before it answered`
	Hint   string // what to do next, a sentence; may be empty
	Err    error  // the cause; may be nil

	Retryable     bool          // asking again later can help
	MaybeExecuted bool          // the request may have been executed
	RetryAfter    time.Duration // not before; 0 = not known

	// State is that of an upstream which cannot be used, and Since when that began.
	// They are set where a call was not sent for that reason.
	State State
	Since time.Time
}

// Detail returns f itself.
func (f *Fault) Detail() *Fault { return f }

func (f *Fault) Error() string { return fmt.Sprintf("upstream %q: %s", f.Server, f.WithCause()) }

// WithCause is the text and, for the log and the user, the cause.
func (f *Fault) WithCause() string {
	cause := f.Err
	if wanted, ok := errors.AsType[*auth.LoginError](cause); ok {
		cause = wanted.Err // the text has said all else
	}
	if cause == nil {
		return f.Text
	}
	return fmt.Sprintf("%s: %v", f.Text, cause)
}

func (f *Fault) Unwrap() error { return f.Err }

// The failures of an upstream.
type (
	// A ConnectionError is a server that could not be reached or was lost.
	ConnectionError struct{ *Fault }
	// A TransportError is an answer that is no MCP answer: an HTTP status, say.
	TransportError struct{ *Fault }
	// An AuthenticationError is a server that wants (other) credentials.
	AuthenticationError struct{ *Fault }
	// An AuthorizationError is a server that refuses these credentials.
	AuthorizationError struct{ *Fault }
	// A ProtocolError is a server that breaks the protocol.
	ProtocolError struct{ *Fault }
	// A SerializationError is a message that cannot be used: no JSON, too long.
	SerializationError struct{ *Fault }
	// A TimeoutError is an answer that did not come in time.
	TimeoutError struct{ *Fault }
	// A ConfigurationError is a server that cannot be used as configured.
	ConfigurationError struct{ *Fault }
	// A RateLimitError is a server that asked for fewer requests.
	RateLimitError struct{ *Fault }
)

// Kind returns KindConnection.
func (ConnectionError) Kind() Kind { return KindConnection }

// Kind returns KindTransport.
func (TransportError) Kind() Kind { return KindTransport }

// Kind returns KindAuthentication.
func (AuthenticationError) Kind() Kind { return KindAuthentication }

// Kind returns KindAuthorization.
func (AuthorizationError) Kind() Kind { return KindAuthorization }

// Kind returns KindProtocol.
func (ProtocolError) Kind() Kind { return KindProtocol }

// Kind returns KindSerialization.
func (SerializationError) Kind() Kind { return KindSerialization }

// Kind returns KindTimeout.
func (TimeoutError) Kind() Kind { return KindTimeout }

// Kind returns KindConfiguration.
func (ConfigurationError) Kind() Kind { return KindConfiguration }

// Kind returns KindRateLimited.
func (RateLimitError) Kind() Kind { return KindRateLimited }

// SafeToRetry reports whether err says that nothing was executed: the request
// was never sent, or the server refused it unseen. An error it does not know
// is not safe.
func SafeToRetry(err error) bool {
	f, ok := errors.AsType[Failure](err)
	return ok && !f.Detail().MaybeExecuted
}

// A ReplyError is a server's own JSON-RPC error, as the blocking calls of this
// package return it. Raw is the error object as it came.
type ReplyError struct {
	Code    int
	Message string
	Raw     []byte
}

func (e *ReplyError) Error() string {
	return fmt.Sprintf("server answered error %d: %s", e.Code, e.Message)
}

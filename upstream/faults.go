package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/transport"
)

// This file turns what went wrong into the Failure that says so: what
// happened, whether the request may have been executed, and what to do next.

var errConnectTimeout = errors.New("connect timeout")

const seeServers = "`weir servers` shows its state and the reason."

// failure classifies an error of the transport or the handshake.
func (u *Upstream) failure(err error) Failure {
	if failure, ok := errors.AsType[Failure](err); ok {
		return failure
	}
	f := &Fault{Server: u.cfg.Name, Err: err}
	// What broke may hold an HTTP status that another request met.
	if _, ok := errors.AsType[*transport.BrokenError](err); ok {
		f.Text, f.Hint = "the connection broke before the answer came", outcomeUnknown
		f.Retryable, f.MaybeExecuted = true, true
		return ConnectionError{f}
	}
	if wanted, ok := errors.AsType[*auth.LoginError](err); ok {
		return loginFailure(f, wanted)
	}
	if none, ok := errors.AsType[*auth.TokenError](err); ok {
		return tokenFailure(f, none)
	}
	if status, ok := errors.AsType[*transport.StatusError](err); ok {
		return u.statusFailure(f, status)
	}
	if reply, ok := errors.AsType[*ReplyError](err); ok {
		f.Text, f.Hint = fmt.Sprintf("the server refused to begin, with error %d", reply.Code), seeServers
		return ProtocolError{f}
	}
	f.Retryable = true
	switch {
	case errors.Is(err, errOtherEra):
		f.Text, f.Hint, f.Retryable = "the server speaks no protocol revision that weir may use with it", seeServers, false
		return ProtocolError{f}
	case errors.Is(err, errConnectTimeout):
		f.Text = fmt.Sprintf("the server was not ready within %v", u.cfg.ConnectTimeout)
		f.Hint = "Nothing was sent. Try again later, or raise connect_timeout in weir's configuration."
		return TimeoutError{f}
	case errors.Is(err, transport.ErrCongested):
		f.Text, f.Hint = "the server does not read what is sent to it", tryLater
	case errors.Is(err, transport.ErrSessionLost):
		f.Text, f.Hint = "the server keeps forgetting the session", "Nothing was executed. Try again later."
	default:
		f.Text, f.Hint = "the server could not be reached", "Nothing was sent. "+seeServers
		if u.cfg.Transport == Stdio {
			f.Text = "the server could not be started"
		}
	}
	return ConnectionError{f}
}

const (
	outcomeUnknown = "The outcome is unknown: the call may have been executed. Check before you repeat it."
	tryLater       = "Nothing was sent. Try again later."
)

// unsent is the failure of a try to connect, for the calls that waited for it:
// whatever became of the handshake, nothing of them was sent.
func unsent(failure Failure) Failure {
	if !failure.Detail().MaybeExecuted {
		return failure
	}
	f := *failure.Detail()
	f.MaybeExecuted, f.Hint = false, tryLater
	return withFault(failure, &f)
}

// statusFailure classifies an HTTP answer that is no MCP answer. A 3xx or 4xx
// was refused; behind a 5xx, or a 2xx that weir cannot read, the request may
// have been executed.
func (u *Upstream) statusFailure(f *Fault, status *transport.StatusError) Failure {
	f.RetryAfter = status.RetryAfter
	f.Text = fmt.Sprintf("the server answered HTTP %d %s", status.Code, http.StatusText(status.Code))
	switch {
	case status.Code == http.StatusUnauthorized:
		f.Text, f.Hint = "the server wants credentials, or others than it was given", otherCredentials
		if u.cfg.Auth.Kind == auth.None && wantsLogin(status.Challenge) {
			f.Hint = "This server wants a login: set `auth: {type: oauth2}` for it in weir's configuration, and no credentials in its headers."
		}
		return AuthenticationError{f}
	case status.Code == http.StatusForbidden:
		f.Text, f.Hint = "the server refuses the credentials it was given", otherCredentials
		return AuthorizationError{f}
	case status.Code == http.StatusTooManyRequests:
		f.Text, f.Hint, f.Retryable = "the server asks for fewer requests", "Try again later.", true
		return RateLimitError{f}
	case status.Code >= http.StatusInternalServerError:
		f.Hint, f.Retryable, f.MaybeExecuted = outcomeUnknown, true, true
	case status.Code < http.StatusMultipleChoices:
		f.Text += ", but nothing that MCP knows"
		f.Hint, f.MaybeExecuted = outcomeUnknown, true
	default:
		f.Hint = "Check the server's url in weir's configuration."
	}
	return TransportError{f}
}

const otherCredentials = "Check its credentials in weir's configuration, or where it refers to. " +
	"weir goes on with others as soon as they are there, or with the same after `weir__restart`."

// wantsLogin reports whether WWW-Authenticate headers ask for a token of OAuth
// (RFC 6750, section 3; RFC 9728, section 5.1).
func wantsLogin(challenge []string) bool {
	for _, header := range challenge {
		scheme, _, _ := strings.Cut(strings.TrimSpace(header), " ")
		if strings.EqualFold(scheme, "Bearer") || strings.Contains(header, "resource_metadata") {
			return true
		}
	}
	return false
}

// loginFailure is a request that was not executed because somebody must log in.
func loginFailure(f *Fault, wanted *auth.LoginError) Failure {
	f.Err, f.Retryable = wanted, true
	f.Hint = fmt.Sprintf("Nothing was executed. Run `weir login %s` in a terminal, or use the tool weir__login.", f.Server)
	if wanted.StepUp {
		f.Text = explained("the call needs more than the present login allows", wanted.Reason)
		return AuthorizationError{f}
	}
	f.Text = explained("a login is needed", wanted.Reason)
	return AuthenticationError{f}
}

// tokenFailure is a request that was not executed because no token could be had.
func tokenFailure(f *Fault, none *auth.TokenError) Failure {
	f.Err, f.Retryable, f.RetryAfter = none, none.Temporary, none.RetryAfter
	if none.Temporary {
		f.Text, f.Hint = "the authorization server gives out no token now", "Nothing was executed. Try again later."
		return AuthenticationError{f}
	}
	f.Text, f.Hint = "the authorization server refuses to give out a token", "Nothing was executed. "+otherCredentials
	return AuthenticationError{f}
}

func explained(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}

// unreadable is a server whose configuration refers to what cannot be had.
func (u *Upstream) unreadable(cause error) Failure {
	return ConfigurationError{&Fault{
		Server: u.cfg.Name, Err: cause,
		Text: "a value of its configuration could not be read", Hint: seeServers,
	}}
}

// neither is a server that could be reached neither by Streamable HTTP nor by
// HTTP+SSE.
func (u *Upstream) neither(err, sseErr error) Failure {
	failure := u.failure(err)
	f := *failure.Detail()
	f.Text += ", and does not offer HTTP+SSE either"
	f.Err = fmt.Errorf("%w; over HTTP+SSE: %w", f.Err, sseErr)
	return withFault(failure, &f)
}

// lost is the failure of a call that was under way when its connection ended.
func (u *Upstream) lost(cause error) Failure {
	return ConnectionError{&Fault{
		Server: u.cfg.Name, Err: cause,
		Text: "the server ended before it answered" + exitState(cause), Hint: outcomeUnknown,
		Retryable: true, MaybeExecuted: true,
	}}
}

// ended is why an upstream is idle whose connection ended.
func (u *Upstream) ended(cause error) Failure {
	text := "the connection ended" + exitState(cause)
	if errors.Is(cause, transport.ErrSessionLost) {
		text = "the server has forgotten the session"
	}
	return ConnectionError{&Fault{Server: u.cfg.Name, Err: cause, Text: text, Retryable: true}}
}

// exitState is how a child ended, to add to a text; "" if that is not known.
func exitState(cause error) string {
	ended, ok := errors.AsType[*transport.EndedError](cause)
	if !ok || ended.State == "" {
		return ""
	}
	return " (" + ended.State + ")"
}

// timedOut is the failure of a call that was not answered in time, however much it
// was kept alive by progress or questions until now.
func (u *Upstream) timedOut(call *Call, now time.Time) Failure {
	limit := u.limit(call)
	text := fmt.Sprintf("the server did not answer within %v", limit)
	switch most := longest(limit); {
	case !now.Before(call.end(limit)) && mostLongest > limit:
		text = fmt.Sprintf("the server did not answer within %v, %s", mostLongest, inSpiteOf)
	case !now.Before(call.last(limit)) && most > limit:
		text = fmt.Sprintf("the server did not answer within %v, %s", most, inSpiteOf)
	}
	return TimeoutError{&Fault{
		Server: u.cfg.Name,
		Text:   text,
		Hint:   outcomeUnknown, Retryable: true, MaybeExecuted: true,
	}}
}

const inSpiteOf = "whatever it reported or asked meanwhile"

// unusable is the failure of a call whose answer came but cannot be used.
func unusable(server string, cause error) Failure {
	return SerializationError{&Fault{
		Server: server, Err: cause,
		Text: "the server's answer cannot be used: " + cause.Error(),
		Hint: "The call was executed, its result is lost.", MaybeExecuted: true,
	}}
}

// protocolFailure is a server that breaks the protocol before any call.
func (u *Upstream) protocolFailure(text string, cause error) Failure {
	return ProtocolError{&Fault{Server: u.cfg.Name, Text: text, Hint: seeServers, Err: cause}}
}

// headersRefused is the failure of a call whose headers the server refuses,
// also those that follow from its present definition of the tool.
func (u *Upstream) headersRefused() Failure {
	return ProtocolError{&Fault{
		Server: u.cfg.Name, Text: "the server refuses the headers of the call",
		Hint: "Nothing was executed. The server's definition of the tool does not fit the server.",
	}}
}

// outdated is the failure of a call to a server that has given up the protocol
// revision it was begun in. The next call begins anew.
func (u *Upstream) outdated() Failure {
	return ProtocolError{&Fault{
		Server: u.cfg.Name, Retryable: true,
		Text: "the server does not speak the protocol revision any more that it spoke before",
		Hint: "Nothing was executed. Try again.",
	}}
}

// cannotResume is the failure of a call that brings answers to a server which
// speaks the legacy era: what they belong to is gone.
func (u *Upstream) cannotResume() Failure {
	return ProtocolError{&Fault{
		Server: u.cfg.Name, MaybeExecuted: true,
		Text: "the call that these answers belong to is not known any more",
		Hint: "They were not sent. That call may have run: do not repeat it without looking.",
	}}
}

// closing is the failure of what waits when the upstream ends, cutOff of what
// is under way then.
func (u *Upstream) closing() Failure {
	return ConnectionError{&Fault{Server: u.cfg.Name, Text: u.whyClosing(), Hint: "Nothing was sent."}}
}

func (u *Upstream) cutOff() Failure {
	return ConnectionError{&Fault{
		Server: u.cfg.Name, Text: u.whyClosing(), Hint: outcomeUnknown, MaybeExecuted: true,
	}}
}

func (u *Upstream) whyClosing() string {
	if u.set.ctx.Err() == nil {
		return "the server was taken out of weir's configuration, or changed there"
	}
	return "weir is ending"
}

// withFault returns a failure of the same type with another Fault.
func withFault(failure Failure, f *Fault) Failure {
	switch failure.(type) {
	case TransportError:
		return TransportError{f}
	case AuthenticationError:
		return AuthenticationError{f}
	case AuthorizationError:
		return AuthorizationError{f}
	case ProtocolError:
		return ProtocolError{f}
	case SerializationError:
		return SerializationError{f}
	case TimeoutError:
		return TimeoutError{f}
	case ConfigurationError:
		return ConfigurationError{f}
	case RateLimitError:
		return RateLimitError{f}
	}
	return ConnectionError{f}
}

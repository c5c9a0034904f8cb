package approval

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// fileName is the one file of all of it, in the folder of state.
const fileName = "approvals.json"

const fileVersion = 1

// Bounds of the file.
const (
	maxWaiting   = 1000
	maxOfSession = 100     // of them, so that no host keeps out another one
	maxUnread    = 4 << 20 // bytes of arguments that wait
	maxGrants    = 1000
	maxRecalled  = 1 << 10 // bytes of the arguments of a grant
)

// sessionTime is how long a yes for a session stands in the file. A session
// that lasts longer has to ask again.
const sessionTime = 24 * time.Hour

// ErrFull is the error of a request or a grant that there is no room for.
var ErrFull = errors.New("too much waits for approval, or is approved")

// ErrUnreadable is the error of a file that cannot be understood. It approves
// nothing and is left as it is.
var ErrUnreadable = errors.New("the approvals cannot be read")

// file is what the file holds.
type file struct {
	Version int        `json:"version"`
	Waiting []*Request `json:"waiting"`
	Grants  []*Grant   `json:"grants"`
}

// parseFile reads a file, nil for none there, without what is over by now.
func parseFile(text []byte, now time.Time) (*file, error) {
	f := &file{Version: fileVersion}
	if text == nil {
		return f, nil
	}
	f.Version = 0
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if f.Version != fileVersion || slices.Contains(f.Waiting, nil) || slices.Contains(f.Grants, nil) {
		return nil, fmt.Errorf("%w: not of the version that this weir writes", ErrUnreadable)
	}
	f.Waiting = slices.DeleteFunc(f.Waiting, func(r *Request) bool { return over(r.Expires, now, WaitTime) })
	f.Grants = slices.DeleteFunc(f.Grants, func(g *Grant) bool {
		switch g.Scope {
		case ThisCall:
			return over(g.Expires, now, WaitTime)
		case ToolThisSession:
			return over(g.Expires, now, sessionTime)
		case TheseArguments, ToolAlways:
		}
		return false
	})
	return f, nil
}

// over reports whether a time has come; what lies further ahead than it can was
// written by another clock.
func over(expires, now time.Time, most time.Duration) bool {
	return !now.Before(expires) || expires.Sub(now) > most
}

// encode is the text of a file; nil if it holds nothing.
func (f *file) encode() ([]byte, error) {
	if len(f.Waiting) == 0 && len(f.Grants) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(f)
	return out.Bytes(), err
}

// standing is the grant that a call may go through with; one that is not used
// up before one that is.
func (f *file) standing(c *Call, session string) *Grant {
	var once *Grant
	for _, g := range f.Grants {
		if !g.covers(g.Scope, c.binding) || g.Scope == ToolThisSession && g.Session != session {
			continue
		}
		if g.Scope != ThisCall {
			return g
		}
		once = g
	}
	return once
}

// use takes what was approved for one call; false if there is nothing.
func (f *file) use(c *Call, session string) bool {
	g := f.standing(c, session)
	if g != nil && g.Scope == ThisCall {
		f.Grants = slices.DeleteFunc(f.Grants, func(other *Grant) bool { return other == g })
	}
	return g != nil
}

// wait enters a call, or keeps it waiting that waits already.
func (f *file) wait(c *Call, session string, now time.Time) error {
	ofSession, unread := 0, len(c.arguments)
	for _, r := range f.Waiting {
		if r.Session == session && r.binding == c.binding {
			if r.Expires.Sub(now) < WaitTime/2 {
				r.Expires = now.Add(WaitTime)
			}
			return nil
		}
		unread += len(r.Call)
		if r.Session == session {
			ofSession++
		}
	}
	if len(f.Waiting) >= maxWaiting || ofSession >= maxOfSession || unread > maxUnread {
		return ErrFull
	}
	f.Waiting = append(f.Waiting, &Request{
		binding: c.binding, ID: newID(), Session: session, Asked: now, Expires: now.Add(WaitTime),
		Call: c.arguments, Why: c.why, ClientName: clip(c.client.Name), ClientVersion: clip(c.client.Version),
	})
	return nil
}

// grant adds a yes, in the place of one to the same: two for one call each let
// two through.
func (f *file) grant(b binding, arguments string, scope Scope, session string, now time.Time) error {
	g := &Grant{binding: b, ID: newID(), Scope: scope, Granted: now}
	switch scope {
	case ThisCall:
		g.Expires = now.Add(WaitTime)
	case ToolThisSession:
		g.Session, g.Expires = session, now.Add(sessionTime)
	case TheseArguments, ToolAlways:
	}
	if scope == ThisCall || scope == TheseArguments {
		g.Call = recalled(arguments)
	} else {
		g.Arguments = ""
	}
	if !g.covers(scope, b) {
		return fmt.Errorf("a %s cannot be approved so widely", b.Kind)
	}
	f.Grants = slices.DeleteFunc(f.Grants, func(old *Grant) bool {
		return scope != ThisCall && old.Scope == scope && old.Session == g.Session && old.binding == g.binding
	})
	if len(f.Grants) >= maxGrants {
		return ErrFull
	}
	f.Grants = append(f.Grants, g)
	return nil
}

// answered takes away the requests that a grant answers: of one call that one,
// else all that it covers.
func (f *file) answered(r *Request, scope Scope) {
	f.Waiting = slices.DeleteFunc(f.Waiting, func(other *Request) bool {
		switch scope {
		case ThisCall:
			return other == r
		case ToolThisSession:
			return other.Session == r.Session && r.covers(scope, other.binding)
		case TheseArguments, ToolAlways:
			return r.covers(scope, other.binding)
		}
		return false
	})
}

func newID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// recalled is as much of the arguments as helps a person to remember.
func recalled(arguments string) string {
	if len(arguments) <= maxRecalled {
		return arguments
	}
	return strings.ToValidUTF8(arguments[:maxRecalled], "") + "…"
}

// clip bounds what a host says of itself.
func clip(text string) string {
	const most = 100
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

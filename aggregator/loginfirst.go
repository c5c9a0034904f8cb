package aggregator

import (
	"context"
	"errors"
	"time"

	"github.com/weir-mcp/weir/upstream"
)

// This file is requests that a server has refused until somebody logs in: they
// were not executed. A host that can ask its user to open a page does so; for a
// call of a tool weir may open the browser by itself. The request goes on when the
// user is logged in, if that is soon, or fails and says what to do.

// maxLogins is how many logins are sought for one request: one to get in, one for
// more rights.
const maxLogins = 2

// logsInFirst takes over a call that its server has refused, if that was for want
// of a login. It runs on the goroutine that reads the server.
func (c *call) logsInFirst(err error) bool {
	if wantedBy(err) == nil || c.server.desk == nil {
		return false
	}
	ctx, cancel := context.WithCancel(c.s.ctx)
	c.s.mu.Lock()
	able := c.s.calls.has(c) && c.logins < maxLogins
	if able {
		c.logins++
		c.cancel, c.work = cancel, nil
	}
	c.s.mu.Unlock()
	if !able {
		cancel()
		return false
	}
	c.s.behind.Go(func() {
		defer cancel()
		if err := c.logIn(ctx, c.server, err); err != nil {
			c.finish(nil, upstream.Answer{Err: err})
			return
		}
		c.makeAgain()
	})
	return true
}

// makeAgain gives the server the same work again, which it has not executed.
func (c *call) makeAgain() {
	work := &upstream.Call{
		Method: c.op.method, Params: c.kept.params, Meta: c.kept.meta, Name: c.name, Timeout: c.op.timeout,
		Definition: c.first.Definition, Capabilities: c.first.Capabilities, Resumes: c.first.Resumes,
		Progress: c.first.Progress, Sink: c,
	}
	c.s.mu.Lock()
	c.cancel = nil
	wanted := c.s.calls.has(c)
	if wanted {
		c.work = work
	}
	c.s.mu.Unlock()
	if wanted {
		c.server.up.Do(nil, work)
	}
}

// compareFirst is that of the server, which may want a login first.
func (c *call) compareFirst(ctx context.Context, s *server, k *kept) error {
	err := s.compareFirst(ctx, c.op)
	if wantedBy(err) == nil || s.desk == nil || !c.op.asks {
		return err
	}
	c.keepUnsent(c.name, k)
	if err := c.logIn(ctx, s, err); err != nil {
		return err
	}
	return s.compareFirst(ctx, c.op)
}

// logIn has the user log in to a server, or waits for a login that is under way.
// nil means that the request can go on. The error is a Failure, for the host, or
// ctx's; cause is what the server was refused with.
func (c *call) logIn(ctx context.Context, s *server, cause error) error {
	s.showLogin()
	satisfied := s.desk.satisfied()
	byLink := c.takesLinks()
	switch {
	case s.desk.gate.LoginWanted() == nil:
		return nil // somebody was faster
	case !byLink && c.op != toolCall:
		return c.s.remedied(s.Name, cause)
	}
	v, welcome, err := s.enter(ctx, !byLink, false)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !welcome:
		return noLogin(cause, "The user was asked a short while ago and has not logged in. "+c.s.remedy(s.Name))
	case err != nil && byLink:
		return noLogin(cause, "The login could not begin: "+reasonOf(err)+". "+c.s.remedy(s.Name))
	case err != nil: // nobody has asked for a browser
		return c.s.remedied(s.Name, cause)
	}
	hint, err := c.present(ctx, s, v, byLink)
	if err != nil {
		return c.unpresented(ctx, s, cause, err)
	}
	return c.awaitLogin(ctx, s, v, satisfied, cause, hint)
}

// present shows the page of a visit to the user, unless somebody else does. It
// returns what is to be said while the user has it.
func (c *call) present(ctx context.Context, s *server, v *visit, byLink bool) (hint string, err error) {
	switch {
	case !s.desk.take(v):
		return "The user has been asked to log in.", nil
	case byLink:
		return "The user has the page to log in at, and is not done yet.", c.offerLink(ctx, s, v)
	}
	if err := s.browse(ctx, v); err != nil {
		return "", err
	}
	return "A page was opened in the user's browser to log in at.", nil
}

// unpresented is the failure of a request whose user has not got the page.
func (c *call) unpresented(ctx context.Context, s *server, cause, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, errDeclined):
		return noLogin(cause, "The user does not want to log in now. "+c.s.remedy(s.Name))
	}
	return c.s.remedied(s.Name, cause)
}

// awaitLogin waits a while for the end of a visit.
func (c *call) awaitLogin(
	ctx context.Context, s *server, v *visit, satisfied <-chan struct{}, cause error, hint string,
) error {
	late := time.NewTimer(loginTime)
	defer late.Stop()
	select {
	case <-v.ended:
	case <-satisfied:
		return nil
	case <-late.C:
		return noLogin(cause, hint+" Make the same request again when the user has logged in.")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if v.outcome == nil {
		return nil
	}
	return noLogin(cause, "The login has come to nothing: "+reasonOf(v.outcome)+". "+c.s.remedy(s.Name))
}

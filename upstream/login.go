package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/login"
)

// Authenticator returns what authenticates to this server; nil if its
// configuration says nothing of that.
func (u *Upstream) Authenticator() *auth.Authenticator {
	a, _ := u.auth.(*auth.Authenticator)
	return a
}

// LoginWanted returns the login that is wanted: for the server to be used at all,
// in state NeedsLogin, or for a call that met a refusal since the last login. nil
// if there is none.
func (u *Upstream) LoginWanted() *auth.LoginError {
	u.mu.Lock()
	status, stepUp := u.status, u.stepUp
	u.mu.Unlock()
	if status.State == NeedsLogin {
		wanted, _ := errors.AsType[*auth.LoginError](status.Reason)
		return wanted
	}
	if stepUp == nil || u.auth.Wanted() != nil {
		return stepUp
	}
	u.mu.Lock() // another process has logged in
	defer u.mu.Unlock()
	if u.stepUp == stepUp {
		u.stepUp = nil
	}
	return nil
}

// BeginLogin begins a login, or returns the one that is under way. When it ends
// well the upstream goes on by itself; it is given up when the upstream ends. The
// error is that of [auth.Authenticator.Login], or a Failure.
func (u *Upstream) BeginLogin(ctx context.Context, o auth.LoginOptions) (*login.Attempt, error) {
	attempt, err := u.auth.Login(ctx, o)
	if err != nil {
		return nil, err
	}
	if !u.follow(attempt) {
		attempt.Close()
		return nil, u.closing()
	}
	return attempt, nil
}

// follow sees a login to its end. It reports false if the upstream ends.
func (u *Upstream) follow(attempt *login.Attempt) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.attempt == attempt {
		return true
	}
	if !u.set.run(u, func(ctx context.Context) { u.seeThrough(ctx, attempt) }) {
		return false
	}
	u.attempt = attempt
	return true
}

func (u *Upstream) seeThrough(ctx context.Context, attempt *login.Attempt) {
	select {
	case <-attempt.Done():
	case <-ctx.Done():
		attempt.Close()
	}
	if attempt.Err() == nil {
		u.CredentialsChanged()
	}
}

// CredentialsChanged tells that somebody has logged in: an upstream that waits for
// other credentials goes on with those it finds, at once. One that is connected may
// list other things from now on, which the Handler is told as a change of state.
func (u *Upstream) CredentialsChanged() {
	u.epoch.Add(1)
	if u.renew() {
		u.set.handler.StateChanged(u)
	}
}

// renew lets other credentials count. It reports whether a connection that there
// is goes on with them.
func (u *Upstream) renew() (connected bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stepUp, u.refusals = nil, 0
	switch {
	case u.refused:
		u.renewed = true
	case u.status.State == Backoff && isAuthentication(u.status.Reason):
		u.status.Retry = time.Now()
	default:
		return u.conn != nil
	}
	_ = u.want() // the status says why not
	return false
}

func isAuthentication(err error) bool {
	_, ok := errors.AsType[AuthenticationError](err)
	return ok
}

// noteStepUp keeps what a call wanted that the login of that epoch does not allow.
func (u *Upstream) noteStepUp(epoch uint64, wanted *auth.LoginError) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.epoch.Load() == epoch {
		u.stepUp = wanted
	}
}

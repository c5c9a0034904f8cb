package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/weir-mcp/weir/upstream/auth"
)

// This file is about a server that will not have weir's credentials, or wants
// somebody to log in. Nothing is sent to it until the credentials change: not by
// a timer, and not for a call. Whether they have is looked at, here and not at
// the server.

const (
	// lookPause is how often it is looked whether somebody has logged in.
	lookPause = 2 * time.Second

	// lookRest is how often, at most, it is looked whether a file or the keyring
	// holds another secret. That is done for calls only: a keyring may ask the
	// user to be unlocked.
	lookRest = time.Second
)

// afterFailure is the state that a failed try to connect leads to: NeedsLogin and
// Failed until other credentials are there, Backoff where time may help.
func afterFailure(failure Failure) State {
	if kind := failure.Kind(); kind != KindAuthentication && kind != KindAuthorization {
		return Backoff
	}
	if none, ok := errors.AsType[*auth.TokenError](failure); ok && none.Temporary {
		return Backoff
	}
	if _, ok := errors.AsType[*auth.LoginError](failure); ok {
		return NeedsLogin
	}
	return Failed
}

// turnAway enters a state that only other credentials, than those of that epoch,
// lead out of. Where they change and are refused again and again, each change
// counts later than the one before. The caller holds u.mu.
func (u *Upstream) turnAway(failure Failure, epoch uint64) {
	status := Status{State: afterFailure(failure), Reason: failure}
	if u.refusals++; u.refusals > 1 {
		status.Retry = time.Now().Add(pauseAfter(u.refusals - 1))
	}
	u.setState(status)
	u.failures = 0 // it has answered
	u.refused, u.looked = true, time.Now()
	if u.renewed = u.epoch.Load() != epoch; u.renewed {
		u.wanted = true
		poke(u.demand)
	}
}

// retireRefused takes a connection out of use whose credentials the server does
// not accept any more. What it took before it may still answer.
func (u *Upstream) retireRefused(ctx context.Context, conn *connection, r refusal) {
	u.mu.Lock()
	u.dropConn(conn)
	useful := conn.isUseful()
	if useful {
		u.refusals = 0
	}
	u.noteOutage(useful)
	u.turnAway(r.failure, r.epoch)
	u.mu.Unlock()
	u.wait.Go(func() { u.drain(ctx, conn) })
	u.log.Warn().Err(r.failure).Msg("connection is of no use without other credentials")
	u.set.handler.StateChanged(u)
}

func (u *Upstream) isRefused() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.refused
}

// mayLook reports whether it is time to look for other credentials because of a
// call. The caller holds u.mu.
func (u *Upstream) mayLook() bool {
	now := time.Now()
	switch {
	case !u.refused:
		return false
	case u.renewed:
		return true
	case now.Before(u.status.Retry):
		return false
	}
	return u.cfg.Auth.Kind == auth.OAuth2 || now.Sub(u.looked) >= lookRest
}

// nextLook is when to look for other credentials though nobody calls; nil for
// never.
func (u *Upstream) nextLook() <-chan time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.refused || u.leaving || u.cfg.Auth.Kind != auth.OAuth2 {
		return nil
	}
	next := u.looked.Add(lookPause)
	if next.Before(u.status.Retry) {
		next = u.status.Retry
	}
	return time.After(time.Until(next))
}

// readmit looks for other credentials. If there are any a connection is wanted,
// so that lists are asked for again; if not, whoever waits for one is told why
// there is none.
func (u *Upstream) readmit(ctx context.Context) bool {
	if u.hasOtherCredentials(ctx) {
		u.mu.Lock()
		u.refused, u.renewed, u.stepUp = false, false, nil
		u.setState(Status{State: Idle, Reason: u.status.Reason})
		u.wanted = !u.leaving
		u.mu.Unlock()
		u.log.Info().Msg("credentials have changed")
		u.set.handler.StateChanged(u)
		return true
	}
	u.mu.Lock()
	reason := u.dated(u.status.Reason)
	waiting, watchers := u.takeWaiting()
	u.mu.Unlock()
	giveUp(waiting, watchers, reason)
	return false
}

func (u *Upstream) hasOtherCredentials(ctx context.Context) bool {
	u.mu.Lock()
	renewed, early := u.renewed, time.Now().Before(u.status.Retry)
	needsLogin := u.status.State == NeedsLogin
	u.mu.Unlock()
	switch {
	case renewed:
		return true
	case early:
		return false
	}
	// That credentials are others now does not help if nobody has logged in: who
	// has logged out has changed them too.
	wanted := needsLogin && u.auth.Wanted() != nil
	changed := !wanted && (needsLogin || u.stampOfCredentials(ctx) != u.stamp)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.looked = time.Now()
	return changed
}

// stampOfCredentials is equal for credentials that are the same. What is not
// reached over HTTP has none.
func (u *Upstream) stampOfCredentials(ctx context.Context) string {
	if u.cfg.Transport == Stdio || u.cfg.Transport == Custom {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	return u.auth.Stamp(ctx)
}

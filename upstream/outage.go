package upstream

import (
	"errors"
	"time"
)

// This file tells those whose calls fail because a server cannot be used since
// when that is so. A state is entered anew with each try that fails; the outage
// goes on until a connection has been of use.

// noteOutage is that the server cannot be used now. An outage that goes on keeps
// its beginning, unless it was interrupted: a connection was of use. The caller
// holds u.mu.
func (u *Upstream) noteOutage(interrupted bool) {
	if interrupted || u.gone.IsZero() {
		u.gone = time.Now()
	}
}

// dated is the failure of a call that is not sent because of the present state,
// with that state and the beginning of the outage. The caller holds u.mu.
func (u *Upstream) dated(err error) error {
	failure, ok := errors.AsType[Failure](err)
	if !ok {
		return err
	}
	f := *failure.Detail()
	f.State, f.Since = u.status.State, u.gone
	return withFault(failure, &f)
}

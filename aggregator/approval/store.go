package approval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/weir-mcp/weir/upstream/state"
)

// A Store is the approvals of the user. Its methods are safe for concurrent use,
// by many processes; they read and write a file.
type Store struct {
	folder state.Folder
	now    func() time.Time
}

// NewStore is the store in a folder. In one without a place nothing waits, and
// what is approved there lasts for the session.
func NewStore(folder state.Folder) *Store { return &Store{folder: folder, now: time.Now} }

// Path is where the approvals lie, for people; "" for nowhere.
func (s *Store) Path() string { return s.folder.Path(fileName) }

// ErrGone is the error of a request or a grant that is not there any more.
var ErrGone = errors.New("it is not there any more")

// Waiting are the requests that wait, the oldest first.
func (s *Store) Waiting() ([]*Request, error) {
	f, err := s.read()
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(f.Waiting, func(a, b *Request) int { return a.Asked.Compare(b.Asked) })
	return f.Waiting, nil
}

// Grants are those that stand, the oldest first.
func (s *Store) Grants() ([]*Grant, error) {
	f, err := s.read()
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(f.Grants, func(a, b *Grant) int { return a.Granted.Compare(b.Granted) })
	return f.Grants, nil
}

// Approve grants exactly what r is, as it was read by Waiting. It fails with
// ErrGone if it does not wait any more.
func (s *Store) Approve(ctx context.Context, r *Request, scope Scope) error {
	if !slices.Contains(r.Scopes(), scope) {
		return fmt.Errorf("no such scope %q for a %s", scope, r.Kind)
	}
	return s.update(ctx, func(f *file, now time.Time) error {
		waits, err := f.find(r)
		if err != nil {
			return err
		}
		f.answered(waits, scope)
		return f.grant(waits.binding, waits.Call, scope, waits.Session, now)
	})
}

// Dismiss takes a request away. The same call may ask again.
func (s *Store) Dismiss(ctx context.Context, r *Request) error {
	return s.update(ctx, func(f *file, _ time.Time) error {
		waits, err := f.find(r)
		if err != nil {
			return err
		}
		f.answered(waits, ThisCall)
		return nil
	})
}

// Revoke takes a grant back.
func (s *Store) Revoke(ctx context.Context, g *Grant) error {
	return s.update(ctx, func(f *file, _ time.Time) error {
		before := len(f.Grants)
		f.Grants = slices.DeleteFunc(f.Grants, func(other *Grant) bool { return other.ID == g.ID })
		if len(f.Grants) == before {
			return ErrGone
		}
		return nil
	})
}

// find finds the request that was shown as r. One that says something else by
// now is another one.
func (f *file) find(r *Request) (*Request, error) {
	for _, waits := range f.Waiting {
		if waits.ID == r.ID && waits.binding == r.binding && waits.Call == r.Call && waits.Session == r.Session {
			return waits, nil
		}
	}
	return nil, ErrGone
}

func (s *Store) read() (*file, error) {
	text, err := s.folder.Read(fileName)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return parseFile(text, s.now())
}

func (s *Store) update(ctx context.Context, change func(f *file, now time.Time) error) error {
	return s.folder.Update(ctx, fileName, func(old []byte) ([]byte, error) {
		now := s.now()
		f, err := parseFile(old, now)
		if err != nil {
			return nil, err
		}
		if err := change(f, now); err != nil {
			return nil, err
		}
		return f.encode()
	})
}

// A Session is the time for which a person may approve a tool: that of one host.
// Its methods are safe for concurrent use, and those of a nil Session approve
// nothing.
type Session struct {
	store *Store
	id    string

	mu     sync.Mutex
	grants []binding // of ToolThisSession, given by the host's user
}

// NewSession begins one; nil for a nil Store.
func (s *Store) NewSession() *Session {
	if s == nil {
		return nil
	}
	return &Session{store: s, id: newID()}
}

// Remembers reports whether the host's user has approved the tool for this
// session. It reads no file.
func (s *Session) Remembers(c *Call) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.grants, func(b binding) bool { return b.covers(ToolThisSession, c.binding) })
}

// Approved reports whether a call may go through. What was approved for one call
// is used up then: it lets exactly one through, in one process.
func (s *Session) Approved(ctx context.Context, c *Call) (bool, error) {
	if s == nil {
		return false, nil
	}
	if s.Remembers(c) {
		return true, nil
	}
	f, err := s.store.read()
	if err != nil {
		return false, err
	}
	g := f.standing(c, s.id)
	if g == nil || g.Scope != ThisCall {
		return g != nil, nil
	}
	used := false
	err = s.store.update(ctx, func(f *file, _ time.Time) error {
		used = f.use(c, s.id)
		return nil
	})
	return used && err == nil, err
}

// Wait lets a call wait for a person at a terminal, for WaitTime. One that waits
// already stays the same request.
func (s *Session) Wait(ctx context.Context, c *Call) error {
	if s == nil {
		return errors.New("nothing can be approved here")
	}
	return s.store.update(ctx, func(f *file, now time.Time) error { return f.wait(c, s.id, now) })
}

// Grant notes what the host's user has approved. Nothing has to be noted of one
// call. An error says that the yes will be forgotten.
func (s *Session) Grant(ctx context.Context, c *Call, scope Scope) error {
	switch {
	case s == nil || scope == ThisCall:
		return nil
	case !slices.Contains(c.Scopes(), scope):
		return fmt.Errorf("no such scope %q for a %s", scope, c.Kind)
	case scope == ToolThisSession:
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.grants) >= maxGrants {
			return ErrFull
		}
		s.grants = append(s.grants, c.binding)
		return nil
	}
	return s.store.update(ctx, func(f *file, now time.Time) error {
		return f.grant(c.binding, c.arguments, scope, "", now)
	})
}

package aggregator

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/aggregator/catalog"
)

// storing puts what servers told on the disk. What cannot be put there, since the
// disk is full or may not be written, is kept and tried again, ever more rarely:
// weir serves from memory meanwhile. Its methods are safe for concurrent use.
type storing struct {
	store  *catalog.Store
	stored func() // is called after each write
	log    zerolog.Logger
	spawn  func(func())

	mu      sync.Mutex
	waiting map[*server]unstored
	told    bool             // that something cannot be stored
	refused map[*server]bool // whose lists are too large, which was told
}

// unstored is what waits of a server: the latest lists, and the latest failure
// after them. Either may be nil.
type unstored struct {
	variant        catalog.Variant
	lists, failure *catalog.Lists
}

// The pauses between tries.
const (
	firstStoring = time.Minute
	lastStoring  = time.Hour
)

// newStoring returns one over a store. That a store cannot be used was told by who
// opened it.
func newStoring(store *catalog.Store, stored func(), log zerolog.Logger, spawn func(func())) *storing {
	if stored == nil {
		stored = func() {}
	}
	return &storing{
		store: store, stored: stored, log: log, spawn: spawn,
		waiting: make(map[*server]unstored), refused: make(map[*server]bool), told: !store.Usable(),
	}
}

// save stores lists, or a failure by itself. It waits for the disk, unless that
// has failed before: then the lists wait for the next try.
func (st *storing) save(s *server, v catalog.Variant, l *catalog.Lists) {
	if st.queued(s, v, l) {
		return
	}
	if err := st.write(s, v, l); err != nil {
		st.wait(s, v, l, err)
	}
}

// queued puts lists with those of the server that wait already; it reports false
// if there are none.
func (st *storing) queued(s *server, v catalog.Variant, l *catalog.Lists) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	before, waits := st.waiting[s]
	if waits {
		st.waiting[s] = before.with(v, l)
	}
	return waits
}

// with is what waits once this has come too.
func (u unstored) with(v catalog.Variant, l *catalog.Lists) unstored {
	if l.Failure.Failed() {
		return unstored{v, u.lists, l}
	}
	return unstored{v, l, nil}
}

// write does not wait for ever: for others, or for a disk that does not answer.
func (st *storing) write(s *server, v catalog.Variant, l *catalog.Lists) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), saveTime)
	defer cancel()
	defer context.AfterFunc(s.ctx, func() { time.AfterFunc(lastSaveTime, cancel) })()
	if err := st.store.Save(ctx, s.key(), v, l, time.Now()); err != nil {
		return err
	}
	st.stored()
	return nil
}

// wait lets lists wait for another try, unless that cannot help.
func (st *storing) wait(s *server, v catalog.Variant, l *catalog.Lists, why error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if errors.Is(why, catalog.ErrTooLarge) {
		if !st.refused[s] {
			st.refused[s] = true
			st.log.Warn().Err(why).Str("upstream", s.Name).Msg("lists are not stored: they are listed anew at each start")
		}
		return
	}
	st.tell(s, why)
	idle := len(st.waiting) == 0
	st.waiting[s] = st.waiting[s].with(v, l)
	if idle {
		st.spawn(func() { st.retry(s.a.ctx) })
	}
}

// tell tells the first failure, until all is well again. The caller holds mu.
func (st *storing) tell(s *server, why error) {
	if st.told {
		st.log.Debug().Err(why).Str("upstream", s.Name).Msg("lists are not stored")
		return
	}
	st.told = true
	st.log.Warn().Err(why).Str("upstream", s.Name).Msg("lists are not stored: weir goes on without, and tries again from time to time")
}

// retry tries until nothing waits any more.
func (st *storing) retry(ctx context.Context) {
	for pause := firstStoring; ; pause = min(2*pause, lastStoring) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		if st.tryAll() {
			return
		}
	}
}

// tryAll tries once for each server, and reports whether nothing waits any more.
func (st *storing) tryAll() bool {
	for s, u := range st.all() {
		err := s.ctx.Err() // it may have left
		if err == nil && u.lists != nil {
			err = st.write(s, u.variant, u.lists)
		}
		if err == nil && u.failure != nil {
			err = st.write(s, u.variant, u.failure)
		}
		st.mu.Lock()
		switch {
		case err != nil && s.ctx.Err() == nil:
			st.tell(s, err)
		case st.waiting[s] == u || s.ctx.Err() != nil: // nothing newer has come meanwhile
			delete(st.waiting, s)
		}
		st.mu.Unlock()
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.waiting) > 0 {
		return false
	}
	st.told = false
	st.log.Info().Msg("lists are stored again")
	return true
}

// all is a copy of what waits.
func (st *storing) all() map[*server]unstored {
	st.mu.Lock()
	defer st.mu.Unlock()
	return maps.Clone(st.waiting)
}

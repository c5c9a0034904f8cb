package cli

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/internal/live"
	"github.com/weir-mcp/weir/upstream/state"
)

// lightingTime is how long a host is let alone before a weir makes itself known:
// what a host asks first is what it waits for.
const lightingTime = 200 * time.Millisecond

// A beacon lets a weir that serves be asked how it is ("weir servers --live").
type beacon struct {
	r     *reloader
	began time.Time
	ended chan struct{} // closed by out

	mu     sync.Mutex
	lit    *live.Beacon // guarded by mu; nil before light
	over   bool         // guarded by mu
	source string       // guarded by mu; the file, as it was known last
}

func (r *reloader) newBeacon() *beacon {
	return &beacon{r: r, began: time.Now(), ended: make(chan struct{})}
}

// light opens the socket a while later, the first time that it is called. Where
// that cannot be weir goes on without.
func (b *beacon) light() {
	pause := time.NewTimer(lightingTime)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-b.ended:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over || b.lit != nil {
		return
	}
	folder, err := state.UserFolder(b.r.app.getenv)
	if err == nil {
		b.lit, err = live.Light(live.PlacesOf(folder), b)
	}
	if err != nil && !errors.Is(err, state.ErrNoFolder) {
		b.r.log.Warn().Err(err).Msg("weir servers --live will not show this weir")
	}
}

// out takes the socket away.
func (b *beacon) out() {
	close(b.ended)
	b.mu.Lock()
	b.over = true
	lit := b.lit
	b.mu.Unlock()
	lit.Out()
}

// Tell implements live.Asked.
func (b *beacon) Tell() *live.Weir {
	w := describe(b.r.weir)
	w.Since, w.Config = b.began, homeless(b.config())
	return w
}

// Restart implements live.Asked.
func (b *beacon) Restart(server string) error { return b.r.weir.Restart(server) }

// config is the file of the present configuration: while another one is being read,
// as it was before.
func (b *beacon) config() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r.one.TryLock() {
		b.source = b.r.source
		b.r.one.Unlock()
	}
	return b.source
}

// listLive returns how all running weirs of the user are.
func (a *app) listLive(ctx context.Context) ([]*live.Weir, []error, error) {
	folder, err := state.UserFolder(a.getenv)
	if err != nil {
		return nil, nil, err
	}
	weirs, unanswered := live.List(ctx, live.PlacesOf(folder))
	return weirs, unanswered, nil
}

// describe says how an aggregator of this process is.
func describe(weir *aggregator.Aggregator) *live.Weir {
	now := weir.Moment()
	each, all := weir.Figures()
	w := newWeir(now)
	w.All = liveFigures(&all)
	figures := make(map[string]*aggregator.Figures, len(each))
	for i := range each {
		figures[each[i].Server] = &each[i]
	}
	for _, s := range weir.Status() {
		w.Servers = append(w.Servers, liveServer(s, figures[s.Name]))
	}
	return w
}

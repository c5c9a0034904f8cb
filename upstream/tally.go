package upstream

// A Tally is how often a server was connected, and how that went.
type Tally struct {
	Made   uint64 // connections that were ready for use
	Lost   uint64 // those of them that ended, other than by weir's own doing
	Failed uint64 // tries that made none
}

// Add counts what another Tally has counted too.
func (t *Tally) Add(other Tally) {
	t.Made += other.Made
	t.Lost += other.Lost
	t.Failed += other.Failed
}

// Tally returns how often the server was connected so far.
func (u *Upstream) Tally() Tally {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.tally
}

// count notes that one state follows another. The caller holds u.mu.
func (t *Tally) count(from, to Status) {
	switch {
	case to.State == Ready:
		t.Made++
	case from.State == Ready && to.State != Closed && to.Reason != nil:
		t.Lost++
	case from.State == Connecting && (to.State == Backoff || to.State == NeedsLogin || to.State == Failed):
		t.Failed++
	}
}

package process

import (
	"math"
	"time"
)

// Patience is how long a child may take for each step of its end. The zero
// Patience closes stdin, sends SIGTERM and SIGKILL, all at once.
type Patience struct {
	EOF  time.Duration // from closing stdin to SIGTERM
	Term time.Duration // from SIGTERM to SIGKILL
}

// Stop begins the end of the child's whole group and returns at once: stdin is
// closed, and who is left after p.EOF gets SIGTERM, after p.Term more SIGKILL.
// It may be called again with other patience: the earlier deadlines count.
// Where there is no SIGTERM (Windows) the group ends with p.Term.
func (c *Child) Stop(p Patience) {
	c.mu.Lock()
	c.ladder.ask(time.Now(), p)
	c.mu.Unlock()
	select {
	case c.hurry <- struct{}{}:
	default: // told already
	}
}

// climb takes the steps of the ladder that are due. It returns when to look
// again, and whether the end is reached.
func (c *Child) climb() (next time.Duration, over bool) {
	gone := c.isGone()
	c.mu.Lock()
	step, next := c.ladder.step(time.Now())
	c.mu.Unlock()
	if gone {
		return 0, true
	}
	switch step {
	case closeStdin:
		_ = c.stdin.Close() // closed already is as good
	case terminate:
		c.group.terminate()
	case kill:
		c.group.kill()
	case giveUp:
		return 0, true
	case stay:
	}
	select {
	case <-c.exited:
		next = min(next, groupPoll)
	default:
	}
	return next, false
}

// A ladder is the order in which a child is ended. It does nothing before it
// is asked to.
type ladder struct {
	asked     bool
	taken     step
	term, end time.Time // when SIGTERM and SIGKILL are due
}

type step int

const (
	stay step = iota
	closeStdin
	terminate
	kill
	giveUp
)

func (l *ladder) ask(now time.Time, p Patience) {
	term := now.Add(p.EOF)
	end := term.Add(p.Term)
	if !l.asked || term.Before(l.term) {
		l.term = term
	}
	if !l.asked || end.Before(l.end) {
		l.end = end
	}
	l.asked = true
}

// step returns the step to take now, each one once and in order, and how long
// after it the next one is due.
func (l *ladder) step(now time.Time) (step, time.Duration) {
	if !l.asked {
		return stay, math.MaxInt64
	}
	due := [...]time.Time{closeStdin: now, terminate: l.term, kill: l.end, giveUp: l.end.Add(unkillable)}
	next := l.taken + 1
	if next > giveUp {
		return giveUp, 0
	}
	if due[next].After(now) {
		return stay, due[next].Sub(now)
	}
	l.taken = next
	if next == giveUp {
		return giveUp, 0
	}
	return next, max(0, due[next+1].Sub(now))
}

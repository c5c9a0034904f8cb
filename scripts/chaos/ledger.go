package main

import "sync"

// A ledger counts what servers have executed, by the tokens of calls. It is safe
// for concurrent use.
type ledger struct {
	mu    sync.Mutex
	times map[string]int
}

func newLedger() *ledger { return &ledger{times: map[string]int{}} }

func (l *ledger) executed(token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times[token]++
}

func (l *ledger) executions(token string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.times[token]
}

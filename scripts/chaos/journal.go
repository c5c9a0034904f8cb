package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
)

// A journal is what happened in a round, in the order in which it came to pass,
// and what was wrong. It is safe for concurrent use.
type journal struct {
	mu     sync.Mutex
	out    io.Writer // nil for nobody
	number int
	last   []string // the latest entries
	wrong  []string
}

// kept is how many entries are shown with what is wrong.
const kept = 200

// note enters what happened: who did it, and what.
func (j *journal) note(who, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.enter(who, fmt.Sprintf(format, args...))
}

// violated enters that weir has broken its word.
func (j *journal) violated(who, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	what := fmt.Sprintf(format, args...)
	j.wrong = append(j.wrong, who+": "+what)
	j.enter(who, "VIOLATED: "+what)
}

// enter writes an entry down. The caller holds j.mu.
func (j *journal) enter(who, what string) {
	j.number++
	entry := fmt.Sprintf("%d %s %s", j.number, who, what)
	j.last = append(j.last, entry)
	if len(j.last) > 2*kept {
		j.last = slices.Clone(j.last[len(j.last)-kept:])
	}
	if j.out != nil {
		fmt.Fprintln(j.out, entry)
	}
}

// append writes further text behind all entries, where somebody keeps them.
func (j *journal) append(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.out != nil {
		fmt.Fprintln(j.out, text)
	}
}

// violations are all so far.
func (j *journal) violations() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.wrong)
}

// tail is the latest entries.
func (j *journal) tail() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.last)
}

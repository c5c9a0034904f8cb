package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"
)

// notes are what a guide that is written in Go has seen and heard. They are safe
// for concurrent use: clients call their handlers as they like.
type notes struct {
	mu      sync.Mutex
	events  []event           // of the step at hand
	answers []json.RawMessage // that are left for it
	roots   json.RawMessage
	cancel  context.CancelFunc // of the call at hand, when progress comes; nil = none is wanted
	changed chan struct{}      // closed, and replaced, with each event
}

func newNotes() *notes {
	return &notes{roots: json.RawMessage(tourRoots), changed: make(chan struct{})}
}

// follow takes the steps of a tour. take sends what a step says and returns the
// result.
func (n *notes) follow(t *testing.T, to target, through tour, take func(s step, params string) (any, error)) [][]event {
	t.Helper()
	var all [][]event
	for _, s := range through.steps {
		n.begin(t, s)
		result, err := take(s, to.named(t, s))
		if err != nil {
			n.add(event{Error: rawOf(t, map[string]any{"message": err.Error()})})
		} else {
			n.add(event{Result: rawOf(t, result)})
		}
		if s.awaits != "" {
			n.await(t, s.awaits)
		}
		all = append(all, n.end())
	}
	return append(all, n.end())
}

func (n *notes) begin(t *testing.T, s step) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers = nil
	if s.answers == "" {
		return
	}
	if err := json.Unmarshal([]byte(s.answers), &n.answers); err != nil {
		t.Fatal(err)
	}
}

// await waits until something has been told or asked in this step with the text
// inside.
func (n *notes) await(t *testing.T, text string) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		n.mu.Lock()
		found, changed := n.has(t, text), n.changed
		n.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			n.mu.Lock()
			defer n.mu.Unlock()
			t.Fatalf("waited in vain for %s: %s", text, rawOf(t, n.events))
		}
	}
}

// end takes the events.
func (n *notes) end() []event {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := n.events
	n.events = nil
	return taken
}

// has reports whether something was told or asked with the text inside. The
// caller holds n.mu.
func (n *notes) has(t *testing.T, text string) bool {
	t.Helper()
	for _, e := range n.events {
		if bytes.Contains(rawOf(t, e), []byte(text)) {
			return true
		}
	}
	return false
}

func (n *notes) add(e event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, e)
	close(n.changed)
	n.changed = make(chan struct{})
}

// onProgress says that from now on progress is wanted, and what is to be done with
// the first; nil: none is wanted. Servers that do not know of cancellation go on
// to tell of it.
func (n *notes) onProgress(cancel context.CancelFunc) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cancel = cancel
}

// progressed notes progress.
func (n *notes) progressed(params any) {
	n.mu.Lock()
	cancel := n.cancel
	n.mu.Unlock()
	if cancel == nil {
		return
	}
	raw, err := json.Marshal(params)
	if err != nil {
		raw = []byte(quoted(err.Error()))
	}
	n.add(event{Progress: raw})
	cancel()
}

// calling is the context of a call, which ends when the step says so, and what is
// to be done after it.
func (n *notes) calling(ctx context.Context, s step) (context.Context, func()) {
	if s.cancel {
		cancelled, cancel := context.WithCancel(ctx)
		n.onProgress(cancel)
		return cancelled, func() { cancel(); n.onProgress(nil) }
	}
	if s.progress {
		n.onProgress(func() {})
	}
	return ctx, func() { n.onProgress(nil) }
}

// told notes a notification.
func (n *notes) told(method string, params any) {
	raw, err := json.Marshal(params)
	if err != nil {
		raw = []byte(quoted(err.Error()))
	}
	n.add(event{Told: method, Params: raw})
}

var errNoAnswer = errors.New("the host has no answer")

// asked notes a question and gives the answer.
func (n *notes) asked(method string, params, answer any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	n.add(event{Asked: method, Params: raw})
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.answers) == 0 {
		return errNoAnswer
	}
	next := n.answers[0]
	n.answers = n.answers[1:]
	return json.Unmarshal(next, answer)
}

// listRoots answers the question for the roots.
func (n *notes) listRoots(answer any) error {
	n.add(event{Asked: "roots/list"})
	n.mu.Lock()
	defer n.mu.Unlock()
	return json.Unmarshal([]byte(`{"roots":`+string(n.roots)+`}`), answer)
}

func (n *notes) setRoots(roots []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.roots = bytes.Clone(roots)
}

func rawOf(t *testing.T, value any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// acknowledged is what says that a stream of subscriptions is open (2026-07-28,
// subscriptions). No transcript tells of it.
const acknowledged = "notifications/subscriptions/acknowledged"

// paramsOf reads params as a library has them.
func paramsOf[T any](params string) (*T, error) {
	value := new(T)
	return value, json.Unmarshal([]byte(params), value)
}

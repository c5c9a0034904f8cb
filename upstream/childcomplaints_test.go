package upstream

import (
	"strings"
	"testing"
)

// TestOneProcessForAllCalls: elsewhere each call starts a process of its own, so
// that what the server knew is gone with it, or its answer is held back until that
// has ended. The answer that wants 21 calls counts them in one process, which does
// not end by itself.
func TestOneProcessForAllCalls(t *testing.T) {
	u := openChild(t, Config{}, script{Rules: []rule{
		nth(21, "tools/call echo", step{Reply: raw(`{"content":[{"type":"text","text":"all 21 were mine"}]}`)}),
	}})
	for range 10 {
		u.mustCall(t, "echo")
	}
	var together []*sink
	for range 10 {
		s := newSink()
		together = append(together, s)
		u.Do(nil, toolCall(s, "echo", ""))
	}
	for _, s := range together {
		if d := s.wait(t); d.err != nil {
			t.Fatal(d.err)
		}
	}
	if got := u.mustCall(t, "echo").raw; !strings.Contains(got, "all 21 were mine") {
		t.Errorf("got %s, want the answer of one that has seen all", got)
	}
	if st := u.Status(); st.State != Ready {
		t.Errorf("got %+v, want it to run", st)
	}
}

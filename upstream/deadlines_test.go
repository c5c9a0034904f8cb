package upstream

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// Progress keeps a call alive, but not for ever.
func TestProgressForEver(t *testing.T) {
	tests := []struct {
		timeout, most time.Duration
	}{
		{time.Minute, time.Hour},
		{5 * time.Minute, 2 * time.Hour},
		{2 * time.Hour, 24 * time.Hour},
		{30 * time.Hour, 30 * time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.timeout.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openConfig(t, Config{Timeout: tt.timeout}, script{
					Rules: []rule{on("tools/call", repeatProgress(200, tt.timeout/2)...)},
				}, legacyHost)
				s := newSink()
				call := toolCall(s, "echo", "")
				call.Progress = true
				began := time.Now()
				u.Do(nil, call)
				got := <-s.done
				if took := time.Since(began); took != tt.most {
					t.Errorf("got the outcome after %v, want %v", took, tt.most)
				}
				f := fault(t, got.err, KindTimeout, true)
				if told := strings.Contains(f.Text, inSpiteOf); told != (tt.most > tt.timeout) {
					t.Errorf("got %q", f.Text)
				}
				synctest.Wait()
				if n := len(server.Received("notifications/cancelled")); n != 1 {
					t.Errorf("server heard of %d cancellations, want 1", n)
				}
			})
		})
	}
}

// Questions that are answered give a call its time again, but for a day at most;
// and one that is never answered holds up no call for longer.
func TestQuestionsForEver(t *testing.T) {
	t.Run("answered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var steps []step
			for range 100 {
				steps = append(steps, ask(`"q"`, `"method":"roots/list"`), step{Delay: delay(30 * time.Minute)})
			}
			u, _ := openAsking(t, Config{Timeout: time.Hour}, nil, steps...)
			s := newSink()
			began := time.Now()
			u.Do(nil, toolCall(s, "ask", ""))
			f := fault(t, (<-s.done).err, KindTimeout, true)
			if took := time.Since(began); took != 24*time.Hour || !strings.Contains(f.Text, inSpiteOf) {
				t.Errorf("got %q after %v, want 24h", f.Text, took)
			}
		})
	})
	t.Run("not answered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u, _ := openAsking(t, Config{Timeout: time.Minute}, keepOpen, ask(`1`, elicit), step{Await: "never"})
			s := newSink()
			began := time.Now()
			u.Do(nil, toolCall(s, "ask", ""))
			fault(t, (<-s.done).err, KindTimeout, true)
			if took := time.Since(began); took != 24*time.Hour {
				t.Errorf("got the outcome after %v, want 24h", took)
			}
		})
	})
}

// A call that is sent again, because its connection had ended, keeps its end.
func TestEndOfCallSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dueAt []time.Time
		u, _ := openConfig(t, Config{Timeout: time.Hour}, script{
			Tools: []raw{upstreamtest.Tool("echo")}, Rules: []rule{on("tools/call", step{Await: "never"})},
		}, legacyHost)
		call := toolCall(newSink(), "echo", "")
		for range 2 {
			conn := newConnection(u.Upstream)
			conn.mu.Lock()
			conn.enroll(call, time.Now())
			dueAt = append(dueAt, call.end(time.Hour))
			conn.timer.Stop()
			conn.mu.Unlock()
			<-time.After(time.Minute)
		}
		if !dueAt[0].Equal(dueAt[1]) {
			t.Errorf("the end moved from %v to %v", dueAt[0], dueAt[1])
		}
	})
}

package customtools

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestRunningAreBounded: a call more than may run at once is refused, and was not
// made; the others go on, and when they have ended there is room.
func TestRunningAreBounded(t *testing.T) {
	asked, release := make(chan struct{}, maxRunning), make(chan struct{})
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-release
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, "done")
	}))
	defer home.Close()
	c := dial(t, asking(t, "GET", home.URL, nil, ""))
	send := func(id int) {
		c.send(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"run","arguments":{}}}`, id)
	}
	for id := range maxRunning {
		send(id)
	}
	for range maxRunning {
		<-asked
	}
	send(1000)
	if got := c.receive(); !strings.Contains(got, `"id":1000,`) || !strings.Contains(got, `"kind":"rate_limited"`) || !strings.Contains(got, `"retryable":true`) {
		t.Errorf("one too many: got %s, want it refused", got)
	}
	close(release)
	for range maxRunning {
		if got := c.receive(); !strings.Contains(got, `"text":"done"`) {
			t.Errorf("one of those before: got %s", got)
		}
	}
	if got := c.call(`{}`); got.text() != "done" || len(asked) != 1 {
		t.Errorf("afterwards: got %+v", got)
	}
}

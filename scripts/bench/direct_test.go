package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

func TestAtOnceMakesEachCallOnce(t *testing.T) {
	for _, inFlight := range []int{1, 3, 64} {
		var calls atomic.Int64
		err := atOnce(10, inFlight, func(_ int, next func() bool) error {
			for next() {
				calls.Add(1)
			}
			return nil
		})
		if got := calls.Load(); err != nil || got != 10 {
			t.Errorf("%d in flight: got %d calls, %v, want 10", inFlight, got, err)
		}
	}
}

// TestPosterWantsResults: what is quick because it does nothing must not pass
// for quick.
func TestPosterWantsResults(t *testing.T) {
	tests := []struct {
		name, answer string // %d is the id
		status       int
		want         string
	}{
		{"result", `{"jsonrpc":"2.0","id":%d,"result":{}}`, 200, ""},
		{"error", `{"jsonrpc":"2.0","id":%d,"error":{}}`, 200, "answer to call 1:"},
		{"another's", `{"jsonrpc":"2.0","id":9%d,"result":{}}`, 200, "answer to call 1:"},
		{"status", ``, 503, "503 Service Unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var posted atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				posted.Add(1)
				body, _ := io.ReadAll(r.Body)
				id, _ := idOf(body)
				w.WriteHeader(tt.status)
				if tt.answer != "" {
					fmt.Fprintf(w, tt.answer, id)
				}
			}))
			defer s.Close()
			p, err := dialModern(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer p.stop()
			err = p.callEcho(5, 1)
			if tt.want == "" && (err != nil || posted.Load() != 5) {
				t.Errorf("got %d posted, %v, want 5", posted.Load(), err)
			}
			if tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestDriverWantsResults(t *testing.T) {
	for answer, want := range map[string]bool{
		`{"jsonrpc":"2.0","id":1,"result":{}}`:                     true,
		`{"jsonrpc":"2.0","id":1,"error":{"message":"no server"}}`: false,
		`{"jsonrpc":"2.0","id":2,"result":{}}`:                     false,
	} {
		fromGateway, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.WriteString(answer + "\n"); err != nil {
			t.Fatal(err)
		}
		out.Close()
		d := &driver{stdin: null, stdout: fromGateway, buf: make([]byte, 256)}
		if err := d.calls(1, 1, toolCall("echo", echoArguments, "")); (err == nil) != want {
			t.Errorf("%s: got %v", answer, err)
		}
		null.Close()
		fromGateway.Close()
	}
}

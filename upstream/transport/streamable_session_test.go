package transport

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	initializeResult = `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}`
	sessionID        = "s!3cret~"
)

// legacyServer answers the handshake; all else goes to next.
func legacyServer(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			next(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(string(body), `"initialize"`):
			w.Header().Set("mcp-session-id", sessionID)
			writeStream(w, "data: "+initializeResult+"\n\n")
		case strings.Contains(string(body), initializedMethod):
			w.WriteHeader(202)
		default:
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			next(w, r)
		}
	}
}

// shakeHands does what upstream does with a legacy server.
func shakeHands(t *testing.T, s *Streamable, r inspector) {
	t.Helper()
	post(t, s, legacy(1, "initialize"))
	if got := r.next(t); got.Raw != initializeResult || got.Origin != 1 {
		t.Fatalf("got %+v, want the answer to initialize", got)
	}
	s.Established("2025-11-25", false)
	post(t, s, legacy(0, initializedMethod))
}

// A legacy session, with the headers of each of its requests.
func TestStreamableSession(t *testing.T) {
	type request struct{ Method, Body, Version, Session, Accept, Custom string }
	requests := make(chan request, 16)
	note := func(r *http.Request) string {
		body, _ := io.ReadAll(r.Body)
		requests <- request{
			r.Method, string(body), r.Header.Get("MCP-Protocol-Version"), r.Header.Get("Mcp-Session-Id"),
			r.Header.Get("Accept"), r.Header.Get("X-Custom"),
		}
		if r.Header.Get("Mcp-Method")+r.Header.Get("Mcp-Name") != "" {
			t.Error("a legacy request has modern headers")
		}
		return string(body)
	}
	notice := `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`
	handler := legacyServer(func(w http.ResponseWriter, r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(note(r)))
		switch r.Method {
		case http.MethodGet:
			writeStream(w, "data: "+notice+"\n\n")
			<-r.Context().Done()
		case http.MethodDelete:
			w.WriteHeader(405)
		default:
			body, _ := io.ReadAll(r.Body)
			if !strings.Contains(string(body), `"id":7`) {
				w.WriteHeader(202)
				return
			}
			writeJSON(w, 200, answer7)
		}
	})
	serve := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.Header.Get("Mcp-Session-Id") == "" && r.Header.Get("Mcp-Protocol-Version") != "" {
			t.Error("initialize names a version in a header")
		}
		handler(w, r)
	}
	server := newServer(t, serve)
	s, r := connectTo(t, HTTPConfig{URL: server, Limit: httpLimit, Header: http.Header{"X-Custom": {"c"}}})
	shakeHands(t, s, r)

	const both = "application/json, text/event-stream"
	wants := []request{{"GET", "", "2025-11-25", sessionID, "text/event-stream", "c"}}
	if got := r.next(t); got.Raw != notice || got.Origin != 0 {
		t.Errorf("got %+v, want the notification, without an origin", got)
	}
	call := legacy(7, "tools/call")
	post(t, s, call)
	if got := r.next(t); got.Raw != answer7 {
		t.Errorf("got %+v, want the answer", got)
	}
	wants = append(wants, request{"POST", `{"jsonrpc":"2.0","id":7,"method":"tools/call"}`, "2025-11-25", sessionID, both, "c"})
	post(t, s, &Outgoing{Pieces: [][]byte{[]byte(`{"jsonrpc":"2.0","id":"theirs","result":{}}`)}})
	wants = append(wants, request{"POST", `{"jsonrpc":"2.0","id":"theirs","result":{}}`, "2025-11-25", sessionID, both, "c"})
	var got []request
	for range wants {
		got = append(got, <-requests)
	}
	finish(t, s)
	wants = append(wants, request{"DELETE", "", "2025-11-25", sessionID, "", "c"})
	got = append(got, <-requests)
	if diff := cmp.Diff(wants, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if rest := r.rest(); rest != nil {
		t.Errorf("also delivered: %+v", rest)
	}
}

// Some servers refuse requests that overtake notifications/initialized.
// Answers to the server's own requests do not wait: it may wait for them.
func TestStreamableInitializedComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		taken := make(chan struct{})
		rt := bubbleServer(func(req *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(req.Body)
			log = append(log, string(body))
			if string(body) == "initialized" {
				<-taken
			}
			return respond(202, "", ""), nil
		})
		s := NewStreamable(HTTPConfig{URL: "http://server", RoundTripper: rt, Limit: httpLimit}, newInspector())
		put := func(method, body string, id uint64) {
			post(t, s, &Outgoing{Method: method, ID: id, Pieces: [][]byte{[]byte(body)}})
			synctest.Wait()
		}
		put(initializedMethod, "initialized", 0)
		put("tools/list", "list", 2)
		put("", "response", 0)
		close(taken)
		synctest.Wait()
		if want := []string{"initialized", "response", "list"}; !slices.Equal(log, want) {
			t.Errorf("got %v, want %v", log, want)
		}
		s.Close()
		<-s.Done()
	})
}

func TestStreamableSessionLost(t *testing.T) {
	tests := []struct {
		name string
		code int
		body string
		want bool
	}{
		{"404", 404, "", true},
		{"404 with an error", 404, `{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}`, true},
		{"400 that blames the session", 400, `{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}`, true},
		{"400 for another reason", 400, `{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"bad"}}`, false},
		{"500", 500, "session " + sessionID, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ended atomic.Int32
			s, r := connectHTTP(t, legacyServer(func(w http.ResponseWriter, r *http.Request) {
				switch r.Method {
				case http.MethodGet:
					w.WriteHeader(405)
				case http.MethodDelete:
					ended.Add(1)
				default:
					writeJSON(w, tt.code, tt.body)
				}
			}))
			shakeHands(t, s, r)
			post(t, s, legacy(7, "tools/call"))
			got := r.next(t)
			if status, ok := errors.AsType[*StatusError](got.Err); ok && strings.Contains(string(status.Body), sessionID) {
				t.Errorf("error tells the session id: %q", status.Body)
			}
			if lost := errors.Is(got.Err, ErrSessionLost); lost != tt.want {
				t.Errorf("got %+v, want ErrSessionLost: %v", got, tt.want)
			}
			if lost := errors.Is(s.Err(), ErrSessionLost); lost != tt.want {
				t.Errorf("Err: got %v, want ErrSessionLost: %v", s.Err(), tt.want)
			}
			if err := s.Send(nil, legacy(8, "ping")); errors.Is(err, ErrSessionLost) != tt.want {
				t.Errorf("sending after it: got %v, want ErrSessionLost: %v", err, tt.want)
			}
			finish(t, s)
			if got := ended.Load() == 0; got != tt.want {
				t.Errorf("no DELETE: got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestStreamableInvalidSessionID(t *testing.T) {
	s, r := connectHTTP(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Mcp-Session-Id", "two words")
		writeJSON(w, 200, initializeResult)
	})
	post(t, s, legacy(1, "initialize"))
	if got := r.next(t); got.Failed != 1 || !errors.Is(got.Err, errInvalidSession) || strings.Contains(got.Err.Error(), "words") {
		t.Errorf("got %+v, want Failed with errInvalidSession", got)
	}
}

// A server that does not answer DELETE holds Close up for a moment only.
func TestStreamableEndOfSessionIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := connectBubble(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		shakeHands(t, s, r)
		synctest.Wait()
		begin := time.Now()
		s.Close()
		<-s.Done()
		if took := time.Since(begin); took != sessionEnd {
			t.Errorf("Close took %v, want %v", took, sessionEnd)
		}
	})
}

// The stream of an abandoned legacy request stays for a moment, not for ever.
// What a server makes weir say is bounded: so many answers wait for it, and only
// some of them are posted at once. Requests go on.
func TestStreamableNoticesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var posting atomic.Int32
		pong := &Outgoing{Pieces: [][]byte{[]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`)}}
		s, r := connectBubble(func(req *http.Request) (*http.Response, error) {
			if req.Method != http.MethodPost {
				return respond(405, "", ""), nil
			}
			if req.ContentLength == int64(len(pong.Pieces[0])) {
				posting.Add(1)
				defer posting.Add(-1)
				<-req.Context().Done()
				return nil, req.Context().Err()
			}
			return respond(200, typeJSON, answer7), nil
		})
		shakeHands(t, s, r)
		sent := 0
		var err error
		for err == nil && sent <= maxNotices {
			if err = s.Send(nil, pong); err == nil {
				sent++
			}
		}
		synctest.Wait()
		if !errors.Is(err, ErrCongested) || sent != maxNotices || posting.Load() != maxNoticePosts {
			t.Errorf("got %v after %d, %d being posted, want %v after %d, %d being posted",
				err, sent, posting.Load(), ErrCongested, maxNotices, maxNoticePosts)
		}
		post(t, s, legacy(7, "tools/call"))
		if got := r.next(t); got.Raw != answer7 {
			t.Errorf("got %+v, want the answer to a request", got)
		}
		<-time.After(noticeLimit * (maxNotices/maxNoticePosts + 1))
		if err := s.Send(nil, pong); err != nil {
			t.Errorf("when the others are given up: %v", err)
		}
		s.Close()
		<-s.Done()
	})
}

func TestStreamableAbandonLegacy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended time.Time
		s, r := connectBubble(func(req *http.Request) (*http.Response, error) {
			if req.Method != http.MethodPost {
				return respond(405, "", ""), nil
			}
			<-req.Context().Done()
			ended = time.Now()
			return nil, req.Context().Err()
		})
		shakeHands(t, s, r)
		post(t, s, legacy(7, "tools/call"))
		synctest.Wait()
		begin := time.Now()
		if !s.Abandon(7) {
			t.Error("got false, want true: the server is to be told")
		}
		<-time.After(2 * abandonGrace)
		synctest.Wait()
		if got := ended.Sub(begin); got != abandonGrace {
			t.Errorf("the stream ended after %v, want %v", got, abandonGrace)
		}
		s.Close()
		<-s.Done()
		if rest := r.rest(); rest != nil {
			t.Errorf("got %+v after Abandon, want nothing", rest)
		}
	})
}

// The standalone stream is opened again at the server's pace, never in a storm.
func TestStreamableListening(t *testing.T) {
	event := func(id string) string { return "id: " + id + "\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n" }
	tests := []struct {
		name    string
		answer  func(n int) (*http.Response, error)
		hour    [2]int // how many GETs in an hour: at least, at most
		lost    bool
		lastIDs string // of the first three
		missed  bool   // something may be, with each stream but the first
	}{
		{"405", func(int) (*http.Response, error) { return respond(405, "", ""), nil }, [2]int{1, 1}, false, "", false},
		{"404 from the start", func(int) (*http.Response, error) { return respond(404, "", ""), nil }, [2]int{1, 1}, false, "", false},
		{"HTML", func(int) (*http.Response, error) { return respond(200, "text/html", "<p>"), nil }, [2]int{1, 1}, false, "", false},
		{"500", func(int) (*http.Response, error) { return respond(500, "", ""), nil }, [2]int{10, 40}, false, ",,", false},
		{"400", func(int) (*http.Response, error) { return respond(400, "", ""), nil }, [2]int{10, 40}, false, ",,", false},
		{"no connection", func(int) (*http.Response, error) { return nil, errors.New("refused") }, [2]int{10, 40}, false, ",,", false},
		{"retry later", func(int) (*http.Response, error) {
			resp := respond(503, "", "")
			resp.Header.Set("Retry-After", "1800")
			return resp, nil
		}, [2]int{2, 3}, false, ",", false},
		{"empty streams", func(int) (*http.Response, error) { return respond(200, typeStream, ""), nil }, [2]int{10, 40}, false, ",,", true},
		{"at the pace of retry", func(n int) (*http.Response, error) {
			return respond(200, typeStream, "retry: 60000\n"+event(strings.Repeat("i", n))), nil
		}, [2]int{60, 60}, false, ",i,ii", false},
		{"retry of nothing", func(n int) (*http.Response, error) {
			if n > 3 {
				return hold(""), nil
			}
			return respond(200, typeStream, "retry: 0\n"+event("i")), nil
		}, [2]int{4, 4}, false, ",i,i", false},
		{"broken off, and not there for a while", func(n int) (*http.Response, error) {
			if n == 2 {
				return nil, errors.New("refused")
			}
			if n > 3 {
				return hold(""), nil
			}
			return respond(200, typeStream, "data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n"), nil
		}, [2]int{4, 4}, false, ",,", true},
		{"held", func(int) (*http.Response, error) { return hold(":\n\n"), nil }, [2]int{1, 1}, false, "", false},
		{"404 later", func(n int) (*http.Response, error) {
			if n > 1 {
				return respond(404, "", ""), nil
			}
			return respond(200, typeStream, event("i")), nil
		}, [2]int{2, 2}, true, ",i", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lastIDs []string
				opened := 0
				s, r := connectBubble(func(req *http.Request) (*http.Response, error) {
					if req.Method != http.MethodGet {
						return respond(405, "", ""), nil
					}
					lastIDs = append(lastIDs, req.Header.Get("Last-Event-ID"))
					resp, err := tt.answer(len(lastIDs))
					if err == nil && isSuccess(resp) {
						opened++
					}
					return resp, err
				})
				shakeHands(t, s, r)
				<-time.After(time.Hour - time.Second)
				synctest.Wait()
				if n := len(lastIDs); n < tt.hour[0] || n > tt.hour[1] {
					t.Errorf("got %d streams in an hour, want %v", n, tt.hour)
				}
				if got := strings.Join(lastIDs[:min(3, len(lastIDs))], ","); got != tt.lastIDs {
					t.Errorf("got last event ids %q, want %q", got, tt.lastIDs)
				}
				if lost := errors.Is(s.Err(), ErrSessionLost); lost != tt.lost {
					t.Errorf("got %v, want ErrSessionLost: %v", s.Err(), tt.lost)
				}
				s.Close()
				<-s.Done()
				missed := 0
				for _, a := range r.rest() {
					if a.Missed {
						missed++
					}
				}
				if want := opened - 1; tt.missed && missed != want || !tt.missed && missed != 0 {
					t.Errorf("%d times something may have been missed, on %d streams", missed, opened)
				}
			})
		})
	}
}

// A legacy stream that ends after an event id is continued; what comes then
// belongs to the request still.
func TestStreamableResumes(t *testing.T) {
	answer := "data: " + answer7 + "\n\n"
	notice := "id: b\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n"
	type step struct {
		code   int
		stream string
	}
	tests := []struct {
		name  string
		post  string
		gets  []step // what each GET is answered; the last one again and again
		want  []string
		took  time.Duration // at least
		most  time.Duration // at most
		count int           // of GETs
	}{
		{"polling", "id: a\nretry: 5000\ndata:\n\n", []step{{200, answer}}, []string{"a"}, 5 * time.Second, 5 * time.Second, 1},
		{
			"polling again and again", "id: a\nretry: 5000\ndata:\n\n",
			[]step{{200, "id: b\ndata:\n\n"}, {200, "id: c\ndata:\n\n"}, {200, answer}},
			[]string{"a", "b", "c"},
			15 * time.Second, 15 * time.Second, 3,
		},
		{
			"polling in vain", "id: a\nretry: 5000\ndata:\n\n",
			[]step{{200, "id: a\ndata:\n\n"}, {200, "id: a\ndata:\n\n"}, {200, answer}},
			[]string{"a", "a", "a"},
			20 * time.Second, 35 * time.Second, 3,
		},
		{"default pace", "id: a\ndata:\n\n", []step{{200, notice}, {200, answer}}, []string{"a", "b"}, 2 * time.Second, 2 * time.Second, 2},
		{"server is down for a moment", "id: a\n\n", []step{{502, ""}, {0, ""}, {200, answer}}, []string{"a", "a", "a"}, 4 * time.Second, 7 * time.Second, 3},
		{"server stays down", "id: a\n\n", []step{{502, ""}}, nil, time.Second, time.Hour, resumeAttempts},
		{"not offered", "id: a\n\n", []step{{405, ""}}, nil, time.Second, time.Second, 1},
		{"no event id", "data: {\"jsonrpc\":\"2.0\",\"method\":\"n\"}\n\n", nil, nil, 0, 0, 0},
		{"answered", "id: a\n" + answer, nil, []string{}, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lastIDs []string
				s, r := connectBubble(func(req *http.Request) (*http.Response, error) {
					id := req.Header.Get("Last-Event-ID")
					switch {
					case req.Method == http.MethodPost:
						return respond(200, typeStream, tt.post), nil
					case id == "":
						return respond(405, "", ""), nil
					}
					lastIDs = append(lastIDs, id)
					step := tt.gets[min(len(lastIDs), len(tt.gets))-1]
					if step.code == 0 {
						return nil, errors.New("refused")
					}
					return respond(step.code, typeStream, step.stream), nil
				})
				shakeHands(t, s, r)
				begin := time.Now()
				post(t, s, legacy(7, "tools/call"))
				got := <-r.got
				for strings.Contains(got.Raw, `"method"`) {
					got = <-r.got
				}
				if tt.want == nil && (got.Failed != 7 || !isBroken(got.Err)) {
					t.Errorf("got %+v, want Failed with a BrokenError", got)
				}
				if tt.want != nil && (got.Raw != answer7 || got.Origin != 7) {
					t.Errorf("got %+v, want the answer", got)
				}
				if took := time.Since(begin); took < tt.took || took > tt.most {
					t.Errorf("took %v, want %v to %v", took, tt.took, tt.most)
				}
				if len(lastIDs) != tt.count || tt.want != nil && !slices.Equal(lastIDs, tt.want) && tt.count > 0 {
					t.Errorf("got GETs after %q, want %d after %q", lastIDs, tt.count, tt.want)
				}
				s.Close()
				<-s.Done()
			})
		})
	}
}

// A modern request that breaks is lost: there is nothing to continue.
func TestStreamableModernNeverResumes(t *testing.T) {
	s, r := connectHTTP(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			t.Errorf("got a %s", r.Method)
		}
		writeStream(w, "id: a\ndata:\n\n")
	})
	post(t, s, modern(7, "tools/call"))
	if got := r.next(t); !isBroken(got.Err) {
		t.Errorf("got %+v, want a BrokenError", got)
	}
}

func TestPace(t *testing.T) {
	tests := []struct {
		retry       time.Duration
		fruitless   int
		least, most time.Duration
	}{
		{-1, 0, defaultRetry, defaultRetry},
		{0, 0, shortestWait, shortestWait},
		{0, 100, longestWait / 2, longestWait},
		{time.Minute, 0, time.Minute, time.Minute},
		{time.Minute, 1, time.Minute, 2 * time.Minute},
		{time.Minute, 100, longestWait / 2, longestWait},
		{10 * time.Hour, 100, 10 * time.Hour, 10 * time.Hour},
	}
	for _, tt := range tests {
		p := pace{tt.fruitless}
		for range 50 {
			if got := p.wait(tt.retry); got < tt.least || got > tt.most {
				t.Errorf("wait(%v) after %d: got %v, want %v to %v", tt.retry, tt.fruitless, got, tt.least, tt.most)
			}
		}
	}
}

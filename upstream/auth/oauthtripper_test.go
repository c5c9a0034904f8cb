package auth

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// script is a source whose tokens are refused until one is good.
type script struct {
	tokens []secret // to be sent, in this order
	asked  int
	bond   *bond // of all of them
}

func (s *script) token(context.Context) (secret, error) { return s.tokens[0], nil }

func (s *script) bondOf(secret) *bond { return s.bond }

func (s *script) refused(_ context.Context, r *refusal) (secret, error) {
	if s.asked++; s.asked == len(s.tokens) {
		return "", errors.New("no more tokens")
	}
	return s.tokens[s.asked], nil
}

func (s *script) insufficient(context.Context, *refusal) (secret, error) { return "", nil }

func (s *script) accepted(secret) {}

// stage is a server that wants one token.
type stage struct {
	want    string
	got     []string
	closed  int
	refusal int
}

func (s *stage) RoundTrip(req *http.Request) (*http.Response, error) {
	body := ""
	if req.Body != nil {
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = string(text)
		req.Body.Close()
	}
	s.got = append(s.got, req.Header.Get("Authorization")+" "+body)
	resp := &http.Response{StatusCode: http.StatusOK, Body: &closing{strings.NewReader(strings.Repeat("x", 1<<20)), &s.closed}}
	if req.Header.Get("Authorization") != "Bearer "+s.want {
		resp.StatusCode = s.refusal
	}
	return resp, nil
}

type closing struct {
	io.Reader
	closed *int
}

func (c *closing) Close() error {
	*c.closed++
	return nil
}

func TestRequestIsSentAgainWhole(t *testing.T) {
	for name, tt := range map[string]struct {
		tokens  []secret
		noBody  bool
		oneShot bool
		status  int // 0 is an error
		sends   int
	}{
		"good at once":     {tokens: []secret{"good"}, status: 200, sends: 1},
		"without first":    {tokens: []secret{"", "good"}, status: 200, sends: 2},
		"the third":        {tokens: []secret{"old", "older", "good"}, status: 200, sends: 3},
		"no fourth":        {tokens: []secret{"a", "b", "c", "good"}, status: 401, sends: 3},
		"none":             {tokens: []secret{"a"}, sends: 1},
		"no body":          {tokens: []secret{"a", "good"}, noBody: true, status: 200, sends: 2},
		"not to be resent": {tokens: []secret{"a", "good"}, oneShot: true, status: 401, sends: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stage{want: "good", refusal: http.StatusUnauthorized}
			tripper := &oauthTripper{tripper{s}, "https://mcp.example:443", &script{tokens: tt.tokens}}
			var body io.Reader = strings.NewReader("hello")
			want := "hello"
			if tt.noBody {
				body, want = nil, ""
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://MCP.example/x", body)
			if err != nil {
				t.Fatal(err)
			}
			if tt.oneShot {
				req.GetBody = nil
			}
			resp, err := tripper.RoundTrip(req)
			if err == nil {
				defer resp.Body.Close()
			}
			if (err != nil) != (tt.status == 0) || err == nil && resp.StatusCode != tt.status {
				t.Fatalf("got %v, %v, want status %d", resp, err, tt.status)
			}
			if len(s.got) != tt.sends {
				t.Errorf("got %d sends, want %d", len(s.got), tt.sends)
			}
			for _, got := range s.got {
				if !strings.HasSuffix(got, " "+want) {
					t.Errorf("got %q sent, want the body %q", got, want)
				}
			}
			open := 0
			if err == nil {
				open = 1
			}
			if s.closed != tt.sends-open {
				t.Errorf("got %d answers closed, want %d", s.closed, tt.sends-open)
			}
			if req.Header.Get("Authorization") != "" {
				t.Error("the caller's request was changed")
			}
		})
	}
}

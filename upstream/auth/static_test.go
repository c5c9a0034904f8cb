package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/weir-mcp/weir/upstream/auth"
)

// references resolves ${SECRET} to what secret holds, and knows no other.
func references(secret *string) auth.Resolve {
	return func(_ context.Context, text string) (string, error) {
		if strings.Contains(text, "${BROKEN}") {
			return "", errors.New("reading a file: no such file")
		}
		return strings.ReplaceAll(text, "${SECRET}", *secret), nil
	}
}

func TestStaticCredentials(t *testing.T) {
	for name, tt := range map[string]struct {
		config auth.Config
		header string
		want   string
	}{
		"bearer":            {auth.Config{Kind: auth.Bearer, Token: "${SECRET}"}, "Authorization", "Bearer hunter2"},
		"key":               {auth.Config{Kind: auth.APIKey, Value: "${SECRET}"}, "Authorization", "hunter2"},
		"key in a header":   {auth.Config{Kind: auth.APIKey, Value: "${SECRET}", Header: "x-api-key"}, "X-Api-Key", "hunter2"},
		"key with a prefix": {auth.Config{Kind: auth.APIKey, Value: "${SECRET}", Prefix: "Token"}, "Authorization", "Token hunter2"},
		"basic":             {auth.Config{Kind: auth.Basic, Username: "u", Password: "${SECRET}"}, "Authorization", "Basic dTpodW50ZXIy"},
		"none":              {auth.Config{}, "Authorization", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			url := httptestServer(t, func(w http.ResponseWriter, r *http.Request) {
				got = append(got, r.Method+" "+r.Header.Get(tt.header))
				w.WriteHeader(http.StatusUnauthorized)
			})
			secret := "hunter2"
			a := (*auth.Keeper)(nil).Authenticator("gh", url+"/mcp", tt.config, references(&secret))
			tripper, err := a.RoundTripper(t.Context(), http.DefaultTransport)
			if err != nil {
				t.Fatal(err)
			}
			for _, method := range []string{"GET", "POST", "DELETE"} {
				req, _ := http.NewRequestWithContext(t.Context(), method, url+"/mcp/other", nil)
				req.Header.Set(tt.header, "the caller's")
				if tt.want == "" {
					req.Header.Del(tt.header)
				}
				resp, err := tripper.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("got %d, want the answer as it came", resp.StatusCode)
				}
				if tt.want != "" && req.Header.Get(tt.header) != "the caller's" {
					t.Error("the caller's request was changed")
				}
			}
			if want := fmt.Sprintf("[GET %[1]s POST %[1]s DELETE %[1]s]", tt.want); fmt.Sprint(got) != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestStaticCredentialsThatCannotBe(t *testing.T) {
	for name, tt := range map[string]struct {
		url    string
		config auth.Config
		says   string
	}{
		"plain http":   {"http://mcp.example/", auth.Config{Kind: auth.Bearer, Token: "hunter2"}, "plain http"},
		"plain ws":     {"ws://mcp.example/", auth.Config{Kind: auth.Bearer, Token: "hunter2"}, "plain http"},
		"a lan":        {"http://192.168.1.1/", auth.Config{Kind: auth.Bearer, Token: "hunter2"}, "plain http"},
		"blank":        {"https://mcp.example/", auth.Config{Kind: auth.Bearer, Token: " "}, "auth.token"},
		"lines":        {"https://mcp.example/", auth.Config{Kind: auth.APIKey, Value: "hunter2\r\nX: y"}, "auth.value"},
		"colon":        {"https://mcp.example/", auth.Config{Kind: auth.Basic, Username: "a:b", Password: "hunter2"}, "auth.username"},
		"unreadable":   {"https://mcp.example/", auth.Config{Kind: auth.Basic, Username: "a", Password: "${BROKEN}"}, "auth.password"},
		"no endpoint":  {"hunter2 is no URL", auth.Config{Kind: auth.Bearer, Token: "x"}, "url"},
		"OAuth, alone": {"https://mcp.example/", auth.Config{Kind: auth.OAuth2}, "OAuth"},
	} {
		secret := ""
		a := (*auth.Keeper)(nil).Authenticator("gh", tt.url, tt.config, references(&secret))
		_, err := a.RoundTripper(t.Context(), http.DefaultTransport)
		if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %q in it", name, err, tt.says)
		}
	}
}

func TestStaticStamp(t *testing.T) {
	secret := "hunter2"
	a := (*auth.Keeper)(nil).Authenticator("gh", "https://mcp.example/", auth.Config{Kind: auth.Bearer, Token: "${SECRET}"}, references(&secret))
	first := a.Stamp(t.Context())
	if a.Stamp(t.Context()) != first || strings.Contains(first, secret) {
		t.Errorf("got %q", first)
	}
	secret = "hunter3"
	if a.Stamp(t.Context()) == first {
		t.Error("the stamp is the same with another token")
	}
}

// TestCredentialsStayAtHome: on a redirect, and with a request for elsewhere.
func TestCredentialsStayAtHome(t *testing.T) {
	var got string
	elsewhere := httptestServer(t, func(_ http.ResponseWriter, r *http.Request) { got += r.Header.Get("Authorization") })
	home := httptestServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hunter2" {
			t.Errorf("at home: got %q", r.Header.Get("Authorization"))
		}
		http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
	})
	a := (*auth.Keeper)(nil).Authenticator("gh", home, auth.Config{Kind: auth.Bearer, Token: "hunter2"}, nil)
	tripper, err := a.RoundTripper(t.Context(), http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: tripper}
	for _, url := range []string{home, elsewhere} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if got != "" {
		t.Errorf("elsewhere: got %q", got)
	}
}

func TestConfigHidesItself(t *testing.T) {
	c := auth.Config{Kind: auth.OAuth2, Token: "hunter2", Password: "hunter2", OAuth: auth.OAuth{ClientSecret: "hunter2", PrivateKey: "hunter2"}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		for _, value := range []any{c, &c, c.OAuth, struct{ C auth.Config }{c}} {
			if text := fmt.Sprintf(format, value); strings.Contains(text, "hunter2") {
				t.Errorf("%s: got %s", format, text)
			}
		}
	}
}

package authserver

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"testing"
	"time"
)

// A Page is what a browser shows in the end.
type Page struct {
	URL    string
	Status int
	Header http.Header
	Body   string
}

// Browse does what a user's browser does with a URL: it follows it to the
// authorization server, where the user consents at once, and back to the client.
// It returns the page that the client shows then.
func (s *Server) Browse(t testing.TB, url string) Page {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	browser := &http.Client{Transport: transport, Jar: jar, Timeout: time.Minute}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	request.Header.Set("Sec-Fetch-Mode", "navigate")
	response, err := browser.Do(request)
	if err != nil {
		t.Fatalf("browsing: %v", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		t.Fatalf("browsing: %v", err)
	}
	return Page{response.Request.URL.String(), response.StatusCode, response.Header, string(body)}
}

package login

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
)

func (a *Attempt) host(name string) string { return net.JoinHostPort(name, strconv.Itoa(a.port)) }

// serve answers one request. Until the state has been seen in it, it may come from
// any page in any browser of this machine.
func (a *Attempt) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case !a.ours(r):
		writePage(w, http.StatusForbidden, foreignPage)
	case r.URL.Path != callbackPath:
		writePage(w, http.StatusNotFound, nothingPage)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		writePage(w, http.StatusMethodNotAllowed, nothingPage)
	case isPrefetch(r.Header):
		// Nobody sees this page yet, and perhaps nobody ever will.
		writePage(w, http.StatusServiceUnavailable, nothingPage)
	default:
		a.answer(w, r.URL.RawQuery)
	}
}

func (a *Attempt) answer(w http.ResponseWriter, query string) {
	err := a.take(query)
	switch {
	case err == nil:
		<-a.settled
		writePage(w, http.StatusOK, a.shows.outcome(a.err))
	case errors.Is(err, errTooLong):
		writePage(w, http.StatusRequestURITooLong, nothingPage)
	default:
		writePage(w, http.StatusBadRequest, oldPage)
	}
}

// ours is true unless a page of another origin speaks, or one that has made its
// own name resolve to this machine (2025-11-25 and 2026-07-28, Security Best
// Practices, on DNS rebinding). A browser that follows a redirect sends no Origin.
func (a *Attempt) ours(r *http.Request) bool {
	names := [...]string{a.host(loopback), a.host(localhost)}
	known := func(host string) bool { return strings.EqualFold(host, names[0]) || strings.EqualFold(host, names[1]) }
	if !known(r.Host) {
		return false
	}
	for _, origin := range r.Header.Values("Origin") {
		host, ok := strings.CutPrefix(origin, "http://")
		if !ok || !known(host) {
			return false
		}
	}
	return true
}

// isPrefetch is true for a page that is loaded before anybody wants it: by
// Chromium and Safari (Sec-Purpose, and Purpose before it) or Firefox (X-Moz).
func isPrefetch(h http.Header) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz"} {
		if strings.Contains(strings.ToLower(strings.Join(h.Values(name), ",")), "prefetch") {
			return true
		}
	}
	return false
}

package authserver

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A grant is what a user has consented to.
type grant struct {
	issuer    string
	client    string
	redirect  string
	challenge string
	jkt       string // the key that the code is bound to; "" for none
	resource  string // "" for any
	scopes    []string
	asked     []string
	family    string // of all tokens that come of it
	spent     bool   // its code was redeemed
}

// authorize is a user with a browser, who has logged in and consents at once.
// What is wrong with the client or the redirect URI is said to the user, all else
// to the client (RFC 6749, section 4.1.2.1).
func (i *issuer) authorize(w http.ResponseWriter, r *http.Request, o Options) {
	q := r.URL.Query()
	for name, values := range q {
		if len(values) > 1 {
			http.Error(w, name+" is there twice", http.StatusBadRequest)
			return
		}
	}
	client := i.client(o, q.Get("client_id"))
	if client == nil {
		http.Error(w, "unknown client", http.StatusBadRequest)
		return
	}
	redirect := q.Get("redirect_uri")
	if !client.mayReturnTo(redirect, o.AnyPort) {
		http.Error(w, "redirect_uri is not registered", http.StatusBadRequest)
		return
	}
	code, description := i.wrongRequest(o, client, q)
	if code == "" {
		code, description = o.AuthorizeError, o.ErrorDescription
	}
	response := url.Values{}
	if code != "" {
		response.Set("error", code)
		if description != "" {
			response.Set("error_description", description)
		}
	} else {
		response.Set("code", i.consent(o, q))
	}
	i.back(w, r, o, redirect, q.Get("state"), response)
}

// wrongRequest says what of a request is not as it must be.
func (i *issuer) wrongRequest(o Options, client *Client, q url.Values) (code, description string) {
	switch {
	case !slices.Contains(client.grants(), "authorization_code"):
		return "unauthorized_client", "this client may not use this grant"
	case q.Get("response_type") != "code":
		return "unsupported_response_type", "response_type must be code"
	case len(q.Get("code_challenge")) != 43 || q.Get("code_challenge_method") != "S256":
		return "invalid_request", "PKCE with S256 is required"
	case q.Get("state") == "":
		return "invalid_request", "state is required"
	case !o.ResourceIgnored && !i.s.isResource(q.Get("resource")):
		return "invalid_target", "resource is unknown here"
	}
	return "", ""
}

// consent makes the code.
func (i *issuer) consent(o Options, q url.Values) string {
	asked := strings.Fields(q.Get("scope"))
	g := &grant{
		issuer: i.url, client: q.Get("client_id"), redirect: q.Get("redirect_uri"), challenge: q.Get("code_challenge"),
		jkt:   q.Get("dpop_jkt"),
		asked: asked, scopes: o.granted(asked),
	}
	if !o.ResourceIgnored {
		g.resource = q.Get("resource")
	}
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	code := i.s.secret("code-")
	g.family = code
	i.s.codes[code] = g
	return code
}

// granted are the scopes of these that a user can grant.
func (o *Options) granted(asked []string) []string {
	return slices.DeleteFunc(slices.Clone(asked), func(scope string) bool { return slices.Contains(o.Withhold, scope) })
}

// back sends the browser back to the client.
func (i *issuer) back(w http.ResponseWriter, r *http.Request, o Options, redirect, state string, response url.Values) {
	switch o.State {
	case StateEchoed:
		response.Set("state", state)
	case StateChanged:
		response.Set("state", state+"x")
	case StateDropped:
	}
	switch o.Iss {
	case IssRight:
		response.Set("iss", i.url)
	case IssWrong:
		response.Set("iss", "https://other.example")
	case IssMissing:
	}
	target, err := url.Parse(redirect)
	if err != nil {
		http.Error(w, "redirect_uri is no URL", http.StatusBadRequest)
		return
	}
	query := target.Query()
	for name, values := range response {
		query[name] = values
	}
	target.RawQuery = query.Encode()
	http.Redirect(w, r, target.String(), http.StatusFound)
}

// mayReturnTo reports whether a redirect URI is the client's: one that is
// registered to the letter, but for the port of loopback ones if it may differ
// (RFC 8252, section 7.3).
func (c *Client) mayReturnTo(redirect string, anyPort bool) bool {
	target, err := url.Parse(redirect)
	if err != nil || !isRedirect(target) {
		return false
	}
	if c.RedirectURIs == nil {
		return target.Hostname() == "127.0.0.1"
	}
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		if registered == redirect {
			return true
		}
		u, err := url.Parse(registered)
		return err == nil && anyPort && isLoopback(u) && withoutPort(u) == withoutPort(target)
	})
}

// isRedirect reports whether a URL may be a redirect URI at all: https, or http
// to this machine (2025-11-25, Authorization, communication security).
func isRedirect(u *url.URL) bool {
	return u.Fragment == "" && u.User == nil && (u.Scheme == "https" && u.Host != "" || u.Scheme == "http" && isLoopback(u))
}

func isLoopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func withoutPort(u *url.URL) string {
	other := *u
	other.Host = u.Hostname()
	return other.String()
}

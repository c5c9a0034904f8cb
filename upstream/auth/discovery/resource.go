package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/auth/guard"
)

const (
	resourceMetadata = "protected resource metadata"
	resourcePlace    = "/.well-known/oauth-protected-resource"
	maxIssuers       = 16
)

// FindResource finds out what a server says of itself as a protected resource:
// where its challenge says, else at the well-known places, that of its path and
// that of its origin (RFC 9728, sections 3 and 5; 2025-11-25, Authorization,
// protected resource metadata discovery). A server that says nothing in any of
// them is Legacy. One that cannot be asked, or says what cannot be used, is an
// *Error: to take it for another would send the user to another login.
func FindResource(ctx context.Context, c *guard.Client, server *url.URL, ch Challenge) (*Resource, error) {
	server = webURL(server)
	if named := ch.ResourceMetadata; named != "" {
		d, err := fetchDocument(ctx, c, resourceMetadata, named, nil)
		if errors.Is(err, errAbsent) {
			reason := "the server names this place, and there is none"
			return nil, &Error{What: resourceMetadata, URL: guard.Bare(named), Reason: reason, Err: ErrNoMetadata}
		}
		if err != nil {
			return nil, err
		}
		return readResource(c, server, d)
	}
	for _, place := range resourcePlaces(server) {
		d, err := fetchDocument(ctx, c, resourceMetadata, place, nil)
		if errors.Is(err, errAbsent) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return readResource(c, server, d)
	}
	return &Resource{ID: CanonicalResource(server), Issuer: []string{origin(server)}, Legacy: true}, nil
}

// resourcePlaces are where metadata may be that no challenge has named. A path
// that ends in a slash is also looked for without: servers differ on it.
func resourcePlaces(server *url.URL) []string {
	base := origin(server) + resourcePlace
	exact := server.EscapedPath()
	if exact == "/" {
		exact = ""
	}
	return slices.Compact([]string{base + exact, base + trimmedPath(server), base})
}

func readResource(c *guard.Client, server *url.URL, d *document) (*Resource, error) {
	id, err := d.text("resource")
	if err != nil {
		return nil, err
	}
	if !covers(id, server) {
		reason := fmt.Sprintf("it is of another resource, %q, than the server, %q", guard.Bare(id), guard.Bare(CanonicalResource(server)))
		return nil, d.broken(reason, ErrResourceMismatch)
	}
	issuers, err := readIssuers(c, d)
	if err != nil {
		return nil, err
	}
	return &Resource{ID: id, Issuer: issuers, Scopes: d.scopes("scopes_supported")}, nil
}

// readIssuers returns the authorization servers that may be gone to.
func readIssuers(c *guard.Client, d *document) ([]string, error) {
	named, err := d.list("authorization_servers")
	switch {
	case err != nil:
		return nil, err
	case len(named) == 0:
		return nil, d.broken("it names no authorization server", nil)
	case len(named) > maxIssuers:
		return nil, d.broken(fmt.Sprintf("it names more than %d authorization servers", maxIssuers), nil)
	}
	var issuers []string
	var refused error
	for _, issuer := range named {
		switch err := c.Allowed(issuer); {
		case err != nil:
			refused = err
		case !slices.Contains(issuers, issuer):
			issuers = append(issuers, issuer)
		}
	}
	if issuers == nil {
		return nil, d.broken("no authorization server that it names can be used: "+refused.Error(), refused)
	}
	return issuers, nil
}

// covers reports whether a resource is the server, or what it is a part of: the
// same origin, with a path that begins that of the server segment by segment.
// The query is compared if the resource has one.
func covers(resource string, server *url.URL) bool {
	u, err := url.Parse(resource)
	if err != nil || u.Host == "" || u.User != nil || strings.Contains(resource, "#") {
		return false
	}
	u = webURL(u)
	if origin(u) != origin(server) || u.RawQuery != "" && u.RawQuery != server.RawQuery {
		return false
	}
	outer, inner := trimmedPath(u), trimmedPath(server)
	return !hasDots(u.Path) && !hasDots(server.Path) && strings.HasPrefix(inner+"/", outer+"/")
}

// hasDots reports whether a path has segments that lead elsewhere.
func hasDots(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// CanonicalResource is the resource indicator (RFC 8707) of a server that names
// none itself: its URL with scheme and host in lower case, and without user,
// query, fragment, the scheme's own port and the slash that it may end in
// (2025-11-25, Authorization, canonical server URI). The query may hold a key of
// the user's, which is nothing to an authorization server.
func CanonicalResource(server *url.URL) string {
	server = webURL(server)
	return origin(server) + trimmedPath(server)
}

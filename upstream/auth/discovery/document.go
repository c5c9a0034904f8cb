package discovery

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/weir-mcp/weir/upstream/auth/guard"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The bounds of a list in metadata, and of a text in it.
const (
	maxListed = 512
	maxText   = 4 << 10
)

// A document is metadata as it was fetched: a JSON object, of which members are
// read by their exact names.
type document struct {
	what    string
	url     string
	members []jsonrpc.Member
}

// errAbsent is a place where there is no metadata.
var errAbsent = errors.New("not there")

// fetchDocument gets metadata, of which what says in words whose it is. The error
// is errAbsent if the answer says that there is none, else an *Error.
func fetchDocument(ctx context.Context, c *guard.Client, what, address string, header http.Header) (*document, error) {
	header = header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	header.Set("Accept", "application/json")
	status, answered, body, err := c.Get(ctx, address, header)
	if err != nil {
		return nil, (&document{what: what, url: address}).broken(reasonOf(address, err), err)
	}
	return parseDocument(what, address, status, answered, body)
}

// parseDocument reads an answer; see fetchDocument.
func parseDocument(what, address string, status int, header http.Header, body []byte) (*document, error) {
	d := &document{what: what, url: address}
	switch {
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		e := d.broken(fmt.Sprintf("the answer is %d %s", status, http.StatusText(status)), nil)
		e.Status = status
		return nil, e
	case status != http.StatusOK:
		return nil, errAbsent
	}
	var err error
	if d.members, err = jsonrpc.ParseObject(nil, body); err != nil {
		if isPage(header) {
			return nil, errAbsent // of a site that answers whatever is asked with one page
		}
		return nil, d.broken("it is no JSON object", err)
	}
	return d, nil
}

func isPage(header http.Header) bool {
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && (media == "text/html" || media == "application/xhtml+xml")
}

// broken is an Error about the document.
func (d *document) broken(reason string, err error) *Error {
	return &Error{What: d.what, URL: guard.Bare(d.url), Reason: reason, Err: err}
}

// text returns a member that is a string; "" if there is none.
func (d *document) text(name string) (string, error) {
	raw := jsonrpc.Find(d.members, name)
	if raw == nil || string(raw) == "null" {
		return "", nil
	}
	text, err := jsonrpc.String(raw)
	if err != nil {
		return "", d.broken(name+" is no string", err)
	}
	if len(text) > maxText {
		return "", d.broken(fmt.Sprintf("%s is longer than %d bytes", name, maxText), nil)
	}
	return text, nil
}

// list returns a member that is a list of strings; nil if there is none.
func (d *document) list(name string) ([]string, error) {
	raw := jsonrpc.Find(d.members, name)
	if raw == nil || string(raw) == "null" {
		return nil, nil
	}
	items, err := jsonrpc.ParseArray(nil, raw)
	if err != nil {
		return nil, d.broken(name+" is no list of strings", err)
	}
	if len(items) > maxListed {
		return nil, d.broken(fmt.Sprintf("%s has more than %d entries", name, maxListed), nil)
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		text, err := jsonrpc.String(item)
		if err != nil || len(text) > maxText {
			return nil, d.broken(name+" is no list of strings", err)
		}
		list = append(list, text)
	}
	return list, nil
}

// optionalList is list for what can be done without: of another type it is not
// there.
func (d *document) optionalList(name string) []string {
	list, err := d.list(name)
	if err != nil {
		return nil
	}
	return list
}

// scopes returns a member that is a list of scopes; nil if there is none.
func (d *document) scopes(name string) []string {
	list := d.optionalList(name)
	if list == nil {
		return nil
	}
	return append([]string{}, scopesOf(strings.Join(list, " "))...)
}

// is reports whether a member is true.
func (d *document) is(name string) bool {
	return string(jsonrpc.Find(d.members, name)) == "true"
}

// webURL is a server's URL as it is fetched from: of http or https, without user
// and fragment. WebSockets are opened over those.
func webURL(server *url.URL) *url.URL {
	u := *server
	u.Scheme = strings.ToLower(u.Scheme)
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return &u
}

// origin is scheme, host and port of a URL, in lower case and without the port
// that the scheme has by itself (RFC 6454).
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if port := u.Port(); port == "" || port == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return u.Scheme + "://" + host
}

// trimmedPath is a URL's path, escaped, without the slash that it may end in.
func trimmedPath(u *url.URL) string { return strings.TrimSuffix(u.EscapedPath(), "/") }

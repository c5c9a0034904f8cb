package customtools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// A Request is an HTTP request that a call makes.
type Request struct {
	Method  string // required
	Address *Address
	Headers map[string]string // sent with it; may hold references
	Body    *Body             // nil for none
}

// The bounds of an answer.
const (
	maxAnswer    = 1 << 20 // bytes that are returned
	maxComplaint = 2 << 10 // of one with a status of 400 or more
	maxRedirects = 5
)

// newClient returns the client for all requests of a server.
func newClient() *http.Client {
	client := &http.Client{CheckRedirect: followOnlyHome}
	if usual, ok := http.DefaultTransport.(*http.Transport); ok {
		client.Transport = usual.Clone() // whose connections end with the server
	}
	return client
}

// followOnlyHome lets a redirect pass that stays with who was asked: headers and
// body, with the secrets in them, go nowhere else.
func followOnlyHome(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	if next.URL.Scheme != first.Scheme || next.URL.Host != first.Host || len(before) > maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

// run makes the request. The error is what there is to say beside the answer.
func (q *Request) run(ctx context.Context, a *arguments, client *http.Client, resolve Resolver) (answer string, err error) {
	req, err := q.build(ctx, a, resolve)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", requestError(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		return "", complaint(resp)
	}
	return text(ctx, resp)
}

func (q *Request) build(ctx context.Context, a *arguments, resolve Resolver) (*http.Request, error) {
	address, err := q.Address.fill(a)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if q.Body != nil {
		content, ok, err := q.Body.append(nil, a)
		if err != nil {
			return nil, err
		}
		if ok {
			body = bytes.NewReader(content)
		}
	}
	headers, err := resolve.all(ctx, q.Headers)
	if err != nil {
		return nil, &unusableError{"a secret of the tool cannot be read", err}
	}
	req, err := http.NewRequestWithContext(ctx, q.Method, address, body)
	if err != nil {
		return nil, refuse("the arguments make an address that is none")
	}
	req.Header.Set("Accept", "application/json, text/*;q=0.9, */*;q=0.1")
	req.Header.Set("User-Agent", "weir")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	return req, nil
}

// requestError says what became of a request without an answer. The address is
// left out of it.
func requestError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return &unansweredError{err}
}

// An unansweredError is a request that got no answer. It may have had its effect.
type unansweredError struct{ err error }

func (e *unansweredError) Error() string {
	return "The request got no answer: " + e.err.Error() + "."
}
func (e *unansweredError) Unwrap() error { return e.err }

// A statusError is an answer that is no success.
type statusError struct {
	status string
	said   string // the head of the body, or why it is not followed
}

func (e *statusError) Error() string {
	if e.said == "" {
		return "The server answered " + e.status + "."
	}
	return "The server answered " + e.status + ":\n" + e.said
}

func complaint(resp *http.Response) error {
	e := &statusError{status: fmt.Sprintf("HTTP %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))}
	if resp.StatusCode < http.StatusBadRequest {
		e.said = "a redirect, which weir follows only to the same scheme, host and port, and not without end"
		return e
	}
	if isText(resp.Header.Get("Content-Type")) {
		head, _ := io.ReadAll(io.LimitReader(resp.Body, maxComplaint)) // what is there is better than nothing
		e.said = strings.TrimSpace(whole(head))
	}
	return e
}

// text returns the body of an answer that is a success.
func text(ctx context.Context, resp *http.Response) (string, error) {
	if kind := resp.Header.Get("Content-Type"); !isText(kind) {
		return "", &statusError{
			status: fmt.Sprintf("HTTP %d", resp.StatusCode),
			said:   fmt.Sprintf("its content is %.100q, and weir passes text and JSON only", kind),
		}
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", &unansweredError{err}
	case len(head) > maxAnswer:
		return whole(head[:maxAnswer]) + fmt.Sprintf("\n[weir: the answer is longer than %d bytes, the rest is left out]", maxAnswer), nil
	}
	return string(head), nil
}

// isText reports whether a type of content can be shown. What has none is taken
// for text.
func isText(contentType string) bool {
	if contentType == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return false
	case strings.HasPrefix(kind, "text/"), strings.HasSuffix(kind, "+json"), strings.HasSuffix(kind, "+xml"):
		return true
	}
	switch kind {
	case "application/json", "application/xml", "application/yaml", "application/x-ndjson", "application/javascript", "application/x-www-form-urlencoded":
		return true
	}
	return false
}

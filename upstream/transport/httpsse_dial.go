package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// endpointTime is how long a server may take to say where messages go.
const endpointTime = 10 * time.Second

var errNoEndpoint = errors.New("the server did not name an endpoint in time")

// dial opens the stream within ctx, which is not that of the stream.
func (s *SSE) dial(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, endpointTime, errNoEndpoint)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { s.cancel(context.Cause(ctx)) })
	err := s.open()
	if stop() {
		return err
	}
	if err == nil {
		s.stream.Close()
	}
	return &DialError{context.Cause(ctx)}
}

func (s *SSE) open() error {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.config.URL, nil)
	if err != nil {
		return &DialError{fmt.Errorf("reading the URL: %w", withoutURL(err))}
	}
	req.Header = s.config.Header.Clone()
	req.Header.Set("Accept", typeStream)
	resp, err := s.client.Do(req)
	if err != nil {
		return undelivered(err)
	}
	if err := s.begin(resp); err != nil {
		resp.Body.Close()
		return err
	}
	return nil
}

// begin reads the stream up to the endpoint.
func (s *SSE) begin(resp *http.Response) error {
	switch {
	case !isSuccess(resp):
		body, _ := io.ReadAll(io.LimitReader(resp.Body, statusBodyLimit))
		return newStatusError(resp, body, "")
	case mediaType(resp) != typeStream:
		return &DialError{fmt.Errorf("want an event stream, got %q", mediaType(resp))}
	}
	s.stream = resp.Body
	s.events = newEventReader(resp.Body, s.config.Limit, s.in.batch.Flush)
	first, err := s.events.next()
	switch {
	case err != nil:
		return &DialError{fmt.Errorf("waiting for the endpoint: %w", err)}
	case first.name != "endpoint" || first.over != nil:
		return &DialError{errors.New("the first event of the stream does not name an endpoint")}
	}
	s.endpoint, err = endpointURL(resp.Request.URL, string(first.data))
	if err != nil {
		return &DialError{err}
	}
	return nil
}

// endpointURL reads what the endpoint event says, relative to the stream. It
// must be of the same origin, since credentials go there.
func endpointURL(stream *url.URL, text string) (string, error) {
	endpoint, err := stream.Parse(strings.TrimSpace(text))
	if err != nil {
		return "", errors.New("the endpoint that the server names is not a URL")
	}
	if from, to := origin(stream), origin(endpoint); from != to {
		return "", fmt.Errorf("the server names an endpoint of another origin, %q, which is not followed", to)
	}
	endpoint.User, endpoint.Fragment = stream.User, ""
	return endpoint.String(), nil
}

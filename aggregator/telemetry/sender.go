package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	connectTime = 5 * time.Second
	postTime    = 10 * time.Second // of one request
	idleTime    = 90 * time.Second // more than between two documents
	maxHeader   = 64 << 10
	maxAnswer   = 64 << 10 // of what a collector says there is no use for
)

// A sender posts documents. It is not safe for concurrent use.
type sender struct {
	endpoint string
	headers  func(context.Context) (map[string]string, error) // nil once resolved has them
	resolved map[string]string
	client   *http.Client
}

func newSender(cfg *Config) *sender {
	way := cfg.Transport
	if way == nil {
		way = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: connectTime}).DialContext,
			TLSHandshakeTimeout:    connectTime,
			IdleConnTimeout:        idleTime,
			MaxResponseHeaderBytes: maxHeader,
			ForceAttemptHTTP2:      true,
		}
	}
	return &sender{endpoint: strings.TrimRight(cfg.Endpoint, "/"), headers: cfg.Headers, client: &http.Client{
		Timeout: postTime, Transport: way,
		// Headers are for the collector alone, wherever it points to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *sender) close() { s.client.CloseIdleConnections() }

// repeat is whether and when a document may be sent again.
type repeat struct {
	may   bool
	after time.Duration // as the collector wishes; 0 for nothing
}

// post sends a document. Its errors name neither the URL nor a header.
func (s *sender) post(ctx context.Context, path string, document []byte) (repeat, error) {
	if err := s.resolve(ctx); err != nil {
		return repeat{}, fmt.Errorf("headers for the collector: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint+path, bytes.NewReader(document))
	if err != nil {
		return repeat{}, errors.New("the collector's address is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range s.resolved {
		req.Header.Set(name, value)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return repeat{may: ctx.Err() == nil}, fmt.Errorf("sending to the collector: %w", withoutURL(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // so that the connection is good for another one
	if resp.StatusCode/100 == 2 {
		return repeat{}, nil
	}
	return repeat{mayRepeat(resp.StatusCode), retryAfter(resp.Header)}, fmt.Errorf("the collector answered %d", resp.StatusCode)
}

func (s *sender) resolve(ctx context.Context) error {
	if s.headers == nil {
		return nil
	}
	resolved, err := s.headers(ctx)
	if err != nil {
		return err
	}
	s.resolved, s.headers = resolved, nil
	return nil
}

// withoutURL is an error of a request without its address, which may hold what
// nobody should read.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// mayRepeat reports whether a document may be sent again after an answer (OTLP
// 1.x, OTLP/HTTP, retryable response codes).
func mayRepeat(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// retryAfter is how long a collector wants to be left alone, in seconds or until a
// date (RFC 9110, 10.2.3).
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), 3600)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return time.Until(at)
	}
	return 0
}

package config

import (
	"context"
	"errors"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// A Telemetry is what a collector is told, and where that is. The zero Telemetry
// tells nobody anything.
type Telemetry struct {
	Endpoint string // the base of a URL; "" = nothing is told
	Traces   bool
	Metrics  bool
	Ratio    float64 // of traces that begin with weir, 0 to 1
	Service  string  // what weir calls itself there

	// Headers returns those of each request; nil for none. It reads files and asks
	// the keyring, for 10 s at most.
	Headers func(context.Context) (map[string]string, error)
}

type telemetry struct {
	Endpoint *text         `yaml:"endpoint"` // required
	Headers  mapping[text] `yaml:"headers"`
	Traces   *bool         `yaml:"traces"`  // default true
	Metrics  *bool         `yaml:"metrics"` // default true
	Sample   *text         `yaml:"sample"`  // default 1
	Service  *text         `yaml:"service"` // default weir
}

// telemetry reads where telemetry goes. With a variable that is not set it goes
// nowhere, and a warning says so.
func (m *maker) telemetry(e *expander) {
	t := m.doc.Telemetry
	if t == nil {
		return
	}
	made := Telemetry{Traces: t.Traces == nil || *t.Traces, Metrics: t.Metrics == nil || *t.Metrics, Ratio: 1, Service: t.Service.or("weir")}
	if t.Endpoint == nil {
		m.fail(m.doc.TelemetryPos, `telemetry: it needs an "endpoint"`)
		return
	}
	if s := t.Sample; s != nil {
		ratio, err := strconv.ParseFloat(s.value, 64)
		if err != nil || !(ratio >= 0 && ratio <= 1) {
			m.fail(s.pos, "telemetry.sample: want the part of traces to record, from 0 to 1")
		}
		made.Ratio = ratio
	}
	endpoint, headers, ok := m.collector(e, t)
	if !ok || endpoint == "" {
		return
	}
	made.Endpoint = endpoint
	if len(headers) > 0 {
		made.Headers = func(ctx context.Context) (map[string]string, error) { return e.resolveAll(ctx, headers) }
	}
	m.file.Telemetry = made
}

// collector reads the endpoint and the headers, these still escaped. It reports
// false where they are not to be had.
func (m *maker) collector(e *expander, t *telemetry) (endpoint string, headers map[string]string, ok bool) {
	endpoint, deferred, err := e.expand(t.Endpoint.value)
	if err != nil {
		m.warn("%s: telemetry.endpoint: %v; nothing is sent", t.Endpoint.pos, err)
		return "", nil, false
	}
	if deferred {
		m.fail(t.Endpoint.pos, "telemetry.endpoint: ${file:} and ${keyring:} are not possible here (only in headers)")
		return "", nil, false
	}
	if endpoint = unescape(endpoint); endpoint != "" {
		if err := checkCollector(endpoint); err != nil {
			m.fail(t.Endpoint.pos, "telemetry.endpoint: %v", err)
		}
	}
	headers = make(map[string]string, len(t.Headers))
	for _, h := range t.Headers {
		if err := checkHeaderName(strings.ToLower(h.key)); err != nil {
			m.fail(h.pos, "telemetry.headers: %q: %v", h.key, err)
			continue
		}
		value, _, err := e.expand(h.value.value)
		switch {
		case err != nil:
			m.warn("%s: telemetry.headers.%s: %v; nothing is sent", h.value.pos, h.key, err)
			return "", nil, false
		case strings.ContainsFunc(value, isControl):
			m.fail(h.value.pos, "telemetry.headers.%s: it has a control character", h.key)
		}
		headers[textproto.CanonicalMIMEHeaderKey(h.key)] = value
	}
	return endpoint, headers, true
}

// checkCollector says what is wrong with the address of a collector, which it does
// not repeat: there may be a secret in it.
func checkCollector(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return errors.New("it is not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("it must begin with https://, or with http:// for this machine")
	case u.Hostname() == "":
		return errors.New("it has no host")
	case u.User != nil:
		return errors.New("a name or password in it is not possible; use a header")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("it must not have a query or a fragment: /v1/traces and /v1/metrics are put behind it")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return errors.New("http:// is for this machine only (use https)")
	}
	return nil
}

var errHeaderValue = errors.New("it has a control character")

// resolveAll gives escaped values their final form.
func (e *expander) resolveAll(ctx context.Context, values map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(values))
	for name, value := range values {
		resolved, err := e.resolve(ctx, value)
		if err == nil && strings.ContainsFunc(resolved, isControl) {
			err = errHeaderValue
		}
		if err != nil {
			return nil, err
		}
		out[name] = resolved
	}
	return out, nil
}

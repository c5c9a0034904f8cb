package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// A poster speaks Streamable HTTP, one request a call.
type poster struct {
	client http.Client
	url    string
	header http.Header
	meta   string // what requests have besides
}

// newClient holds as many connections as calls are in flight.
func newClient() http.Client {
	return http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: mostInFlight, DisableCompression: true}}
}

// dialLegacy opens a session of 2025-11-25.
func dialLegacy(url string) (caller, error) {
	p := &poster{client: newClient(), url: url, header: jsonHeader()}
	answered, err := p.post([]byte(initialize), nil)
	if err != nil {
		return nil, err
	}
	p.header.Set("Mcp-Protocol-Version", legacyRevision)
	p.header.Set("Mcp-Session-Id", answered.Get("Mcp-Session-Id"))
	_, err = p.post([]byte(initialized), nil)
	return p, err
}

// dialModern needs to ask for nothing.
func dialModern(url string) (caller, error) {
	p := &poster{client: newClient(), url: url, header: jsonHeader(), meta: modernMeta}
	p.header.Set("Mcp-Protocol-Version", modernRevision)
	p.header.Set("Mcp-Method", "tools/call")
	p.header.Set("Mcp-Name", "echo")
	return p, nil
}

func jsonHeader() http.Header {
	return http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
}

func (p *poster) callEcho(n, inFlight int) error {
	return atOnce(n, inFlight, func(_ int, next func() bool) error {
		var body, got bytes.Buffer
		for id := 1; next(); id++ {
			writeEcho(&body, id, p.meta)
			if _, err := p.post(body.Bytes(), &got); err != nil {
				return err
			}
			if err := checkAnswer(got.Bytes(), id); err != nil {
				return err
			}
		}
		return nil
	})
}

// post returns the header of what is answered, which it puts into got unless
// that is nil.
func (p *poster) post(body []byte, got *bytes.Buffer) (http.Header, error) {
	request, err := http.NewRequest(http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = p.header
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return nil, errors.New(response.Status)
	}
	to := io.Discard
	if got != nil {
		got.Reset()
		to = got
	}
	_, err = io.Copy(to, response.Body)
	return response.Header, err
}

func (p *poster) stop() { p.client.CloseIdleConnections() }

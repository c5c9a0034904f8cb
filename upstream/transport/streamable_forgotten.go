package transport

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is about servers that have forgotten a legacy session and do not say
// so by HTTP 404, as they must (2025-11-25, Streamable HTTP, session management).

// isRefusedForSession reports whether a refusal with HTTP 400 speaks of the session.
// Servers after the example of the TypeScript SDK answer so, with a JSON-RPC error
// or in plain words, when they do not know the session.
func (x *exchange) isRefusedForSession(body []byte) bool {
	if x.session == "" || len(body) > shortText {
		return false
	}
	if message, ok := errorMessage(body); ok {
		body = []byte(message)
	}
	return speaksOfSession(body)
}

// shortText is the size of an answer, at most, that says nothing but that the
// session is not known.
const shortText = 2 << 10

func speaksOfSession(text []byte) bool { return bytes.Contains(bytes.ToLower(text), []byte("session")) }

// errorMessage is that of a JSON-RPC error response, whose id may be anything: a
// server that does not know the session may not have read the request.
func errorMessage(raw []byte) (message string, ok bool) {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return "", false
	}
	failure, err := jsonrpc.ParseObject(nil, jsonrpc.Find(members, "error"))
	if err != nil {
		return "", false
	}
	message, err = jsonrpc.String(jsonrpc.Find(failure, "message"))
	return message, err == nil
}

// meetsForgotten reports whether an answer that looks like any other is one of a
// server that does not know the session: a JSON-RPC error of such a sense, to a
// ping too. A tool may have sessions of its own, so the words alone prove nothing:
// and a call that a tool has failed was executed.
func (x *exchange) meetsForgotten(raw []byte) bool {
	if x.session == "" || x.isModern() || x.out.ID == 0 || len(raw) > shortText || !speaksOfSession(raw) {
		return false
	}
	return deniesSession(raw) && x.s.pingDenied(x.session)
}

// deniesSession reports whether a message is an error that says that there is no
// such session.
func deniesSession(raw []byte) bool {
	text, _ := errorMessage(raw)
	message := bytes.ToLower([]byte(text))
	return speaksOfSession(message) && slices.ContainsFunc(denials, func(word string) bool {
		return bytes.Contains(message, []byte(word))
	})
}

var denials = []string{
	"not found", "unknown", "invalid", "no valid", "not valid", "expired", "missing", "terminated", "closed", "not exist", "no session", "no such",
	"not initialized",
}

// pingTime is how long a server may take to answer the ping.
const pingTime = 5 * time.Second

// pingDenied reports whether the server does not know the session of a ping either.
func (s *Streamable) pingDenied(session string) bool {
	ctx, cancel := context.WithTimeout(s.ctx, pingTime)
	defer cancel()
	const ping = `{"jsonrpc":"2.0","id":"session","method":"ping"}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.config.URL, bytes.NewReader([]byte(ping)))
	if err != nil {
		return false
	}
	_, req.Header = s.sessionHeader()
	req.Header.Set(sessionIDHeader, session)
	req.Header.Set("Content-Type", typeJSON)
	req.Header.Set("Accept", typeJSON+", "+typeStream)
	resp, err := s.client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close() // it may be a stream without end
	return resp.StatusCode == http.StatusNotFound || deniesSession(firstMessage(resp))
}

// firstMessage is the first of an answer, if it is short.
func firstMessage(resp *http.Response) []byte {
	if mediaType(resp) == typeStream {
		ev, err := newEventReader(resp.Body, shortText, func() {}).next()
		if err != nil {
			return nil
		}
		return ev.data
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, shortText))
	return body
}

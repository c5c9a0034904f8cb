package upstreamtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// The revisions at the two sides of the border between the eras.
const (
	Legacy = "2025-11-25"
	Modern = "2026-07-28"
)

// A Script says what a server is and how it misbehaves. The zero Script is a
// well-behaved legacy server without tools.
type Script struct {
	Name         string            `json:"name,omitempty"`         // serverInfo.name; "" = "scripted"
	ServerInfo   json.RawMessage   `json:"serverInfo,omitempty"`   // all of it, with a name of its own; nil = Name and a version
	Versions     []string          `json:"versions,omitempty"`     // revisions it speaks, best first; nil = Legacy
	Capabilities json.RawMessage   `json:"capabilities,omitempty"` // nil = {"tools":{"listChanged":true}}
	Instructions string            `json:"instructions,omitempty"`
	Tools        []json.RawMessage `json:"tools,omitempty"`    // definitions, sent as they are
	PageSize     int               `json:"pageSize,omitempty"` // tools in a page; 0 = all
	TTL          int               `json:"ttlMs,omitempty"`    // of modern lists
	CacheScope   string            `json:"cacheScope,omitempty"`

	Start []Step `json:"start,omitempty"` // done before the first message is read; not over Streamable HTTP
	Rules []Rule `json:"rules,omitempty"` // the first that matches stands in for the server's own answer

	SSE         bool `json:"sse,omitempty"`         // HTTP: answer with an event stream always, not only on need
	Sessionless bool `json:"sessionless,omitempty"` // HTTP: a legacy server without Mcp-Session-Id
	Indent      bool `json:"indent,omitempty"`      // HTTP: messages have line ends and indentation

	Log     string `json:"log,omitempty"`     // a file to append each received message to
	Unnoted bool   `json:"unnoted,omitempty"` // Received and Await know nothing: for millions of messages
}

// A Rule is what the server does on a message.
type Rule struct {
	On  string `json:"on"`            // a method, or a method and a tool's name: "tools/call slow"
	Nth int    `json:"nth,omitempty"` // only on the nth such message, counted from 1; 0 = on each
	Do  []Step `json:"do"`            // in this order; none: never answer
}

// A Step is one thing done; exactly one of its first group of fields is set.
//
// Reply, Error, Send and Text may contain "$id", "$token", "$params" and
// "$arguments" (with the quotes), which become the raw JSON of the request at
// hand; $n, which counts repetitions from 1; and $fill. A step that mentions a
// "$token" is passed over where the request has none. After the client has
// cancelled the request no step is done, but those behind an Await of "cancel".
type Step struct {
	Reply   json.RawMessage   `json:"reply,omitempty"`   // the result of the request
	Error   json.RawMessage   `json:"error,omitempty"`   // its error
	Send    json.RawMessage   `json:"send,omitempty"`    // any message
	Text    string            `json:"text,omitempty"`    // any text, as it is, without a line end
	Bytes   []byte            `json:"bytes,omitempty"`   // any bytes, base64 in JSON
	Stderr  string            `json:"stderr,omitempty"`  // a line for standard error; not over HTTP
	Delay   Duration          `json:"delay,omitempty"`   // be slow
	Await   string            `json:"await,omitempty"`   // wait for a Release of this name; "cancel": for the client to cancel; "response ID": for its response
	Release string            `json:"release,omitempty"` // let all go on that wait for this name, now and later
	Tools   []json.RawMessage `json:"tools,omitempty"`   // list these from now on, and say so
	Status  int               `json:"status,omitempty"`  // HTTP: answer with this status and no body; see HTTPWithSSE and WebSocket
	Forget  bool              `json:"forget,omitempty"`  // HTTP: forget all sessions
	Default bool              `json:"default,omitempty"` // what the server would do without a rule
	Exit    bool              `json:"exit,omitempty"`    // end: a child exits with Code, others break the connection

	Repeat int `json:"repeat,omitempty"` // of Send, Text, Bytes and Stderr; 0 = once
	Fill   int `json:"fill,omitempty"`   // bytes of x that stand in for $fill
	Code   int `json:"code,omitempty"`   // of Exit
}

// A Duration is written as text in JSON: "50ms".
type Duration time.Duration

// UnmarshalText parses a duration as time.ParseDuration does.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) {
	return []byte(time.Duration(d).String()), nil
}

// Load reads a script from a JSON file. An unknown key is an error. What the
// server sends of it stands without the white space of the file.
func Load(file string) (Script, error) {
	var s Script
	text, err := os.ReadFile(file)
	if err != nil {
		return s, fmt.Errorf("reading script: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return s, fmt.Errorf("script %q: %w", file, err)
	}
	d := json.NewDecoder(&compact)
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("script %q: %w", file, err)
	}
	return s, nil
}

// Save writes the script to a file for Load, its raw JSON as it is.
func (s *Script) Save(file string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return fmt.Errorf("writing script: %w", err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("writing script: %w", err)
	}
	return nil
}

// Tool returns a plain definition of a tool of this name.
func Tool(name string) json.RawMessage {
	text, err := json.Marshal(name)
	if err != nil {
		panic(err)
	}
	return json.RawMessage(`{"name":` + string(text) + `,"description":"a scripted tool","inputSchema":{"type":"object"}}`)
}

func (s *Script) speaks(version string) bool {
	for _, v := range s.versions() {
		if v == version {
			return true
		}
	}
	return false
}

func (s *Script) versions() []string {
	if len(s.Versions) == 0 {
		return []string{Legacy}
	}
	return s.Versions
}

// speaksModern reports whether the server knows the modern era at all.
func (s *Script) speaksModern() bool {
	for _, v := range s.versions() {
		if v >= Modern {
			return true
		}
	}
	return false
}

// bestLegacy is the version to counter an unknown one with, "" without any.
func (s *Script) bestLegacy() string {
	for _, v := range s.versions() {
		if v < Modern {
			return v
		}
	}
	return ""
}

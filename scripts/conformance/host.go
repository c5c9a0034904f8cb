package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

const maxMessage = 64 << 20

// A host is a small one: it sends a request, waits for the answer, and meanwhile
// answers what it is asked. It is for one goroutine.
type host struct {
	ctx     context.Context // of the program, which lives no longer than its host
	version string
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	lines   *jsonrpc.Reader
	trace   io.Writer
	last    int  // id
	changed bool // the tools have, since this was reset

	visits sync.WaitGroup // to links, which the user opens meanwhile
	pages  chan string    // what was there
}

// maxVisits is far more than any scenario has.
const maxVisits = 100

const hostCapabilities = `{"elicitation":{"form":{},"url":{}},"roots":{},"sampling":{}}`

// startHost starts weir with the server at url as its one upstream and, in the
// legacy era, shakes hands. It is the caller's to close.
func startHost(ctx context.Context, p *place, version string, trace io.Writer) (*host, error) {
	h := &host{ctx: ctx, version: version, cmd: p.weir(ctx, "serve"), trace: trace, pages: make(chan string, maxVisits)}
	stdin, err := h.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.stdin, h.lines = stdin, jsonrpc.NewReader(stdout, maxMessage, nil)
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	if h.isModern() {
		return h, nil
	}
	if err := h.shakeHands(); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *host) isModern() bool { return h.version >= "2026-07-28" }

func (h *host) shakeHands() error {
	members := `"protocolVersion":"` + h.version + `","capabilities":` + hostCapabilities + `,"clientInfo":{"name":"host","version":"1"}`
	if _, err := h.request("initialize", members); err != nil {
		return err
	}
	return h.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

// close ends weir and waits for it, and for the user to have read all pages.
func (h *host) close() error {
	err := errors.Join(h.stdin.Close(), h.cmd.Wait())
	h.visits.Wait()
	close(h.pages)
	for page := range h.pages {
		fmt.Fprintln(h.trace, "☐", page)
	}
	return err
}

func (h *host) send(line string) error {
	fmt.Fprintln(h.trace, "→", line)
	_, err := io.WriteString(h.stdin, line+"\n")
	return err
}

// request sends a request and returns the fields of its result, after all that
// the server asked for in between. members are those of params, without _meta.
func (h *host) request(method, members string) ([]jsonrpc.Member, error) {
	extra := ""
	for {
		fields, err := h.exchange(method, join(members, extra))
		if err != nil || string(jsonrpc.Find(fields, "resultType")) != `"input_required"` {
			return fields, err
		}
		if extra, err = h.inputs(fields); err != nil {
			return nil, err
		}
	}
}

// exchange sends one request and waits for its answer.
func (h *host) exchange(method, members string) ([]jsonrpc.Member, error) {
	h.last++
	id := strconv.Itoa(h.last)
	if h.isModern() {
		members = join(members, `"_meta":{"io.modelcontextprotocol/protocolVersion":"`+h.version+
			`","io.modelcontextprotocol/clientCapabilities":`+hostCapabilities+
			`,"io.modelcontextprotocol/clientInfo":{"name":"host","version":"1"}}`)
	}
	if err := h.send(`{"jsonrpc":"2.0","id":` + id + `,"method":"` + method + `","params":{` + members + `}}`); err != nil {
		return nil, err
	}
	for {
		m, err := h.next()
		if err != nil {
			return nil, fmt.Errorf("waiting for %s: %w", method, err)
		}
		switch {
		case m.Kind == jsonrpc.Request:
			if err := h.answer(m); err != nil {
				return nil, err
			}
		case m.Kind == jsonrpc.Notification:
			h.hear(m)
		case m.Kind == jsonrpc.Failure && string(m.ID) == id:
			return nil, fmt.Errorf("%s: %s", method, m.Error)
		case m.Kind == jsonrpc.Response && string(m.ID) == id:
			return m.Fields, nil
		}
	}
}

// awaitChange waits until weir says that its tools have changed.
func (h *host) awaitChange() error {
	for !h.changed {
		m, err := h.next()
		if err != nil {
			return err
		}
		h.hear(m)
	}
	return nil
}

func (h *host) hear(m *jsonrpc.Message) {
	if string(m.Method) == "notifications/tools/list_changed" {
		h.changed = true
	}
}

func (h *host) next() (*jsonrpc.Message, error) {
	line, err := h.lines.Next()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(h.trace, "← %s\n", line)
	m := &jsonrpc.Message{}
	return m, m.Parse(slices.Clone(line))
}

// answer answers a request of the server.
func (h *host) answer(m *jsonrpc.Message) error {
	if h.isModern() {
		return fmt.Errorf("in this era a server sends no requests: %s", m.Raw)
	}
	result, err := h.response(string(m.Method), m.Fields)
	if err != nil {
		return err
	}
	return h.send(`{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":` + result + `}`)
}

// inputs are the members by which a request is tried again: the answers to all
// that the server asked for, and its state as it came.
func (h *host) inputs(fields []jsonrpc.Member) (string, error) {
	var members []jsonrpc.Member
	if raw := jsonrpc.Find(fields, "inputRequests"); raw != nil {
		questions, err := jsonrpc.ParseObject(nil, raw)
		if err != nil {
			return "", err
		}
		for i, question := range questions {
			request, err := jsonrpc.ParseObject(nil, question.Value)
			if err != nil {
				return "", err
			}
			method, err := jsonrpc.String(jsonrpc.Find(request, "method"))
			if err != nil {
				return "", err
			}
			params, err := object(jsonrpc.Find(request, "params"))
			if err != nil {
				return "", err
			}
			result, err := h.response(method, params)
			if err != nil {
				return "", err
			}
			questions[i].Value = []byte(result)
		}
		members = append(members, jsonrpc.NewMember("inputResponses", jsonrpc.AppendObject(nil, questions)))
	}
	if state := jsonrpc.Find(fields, "requestState"); state != nil {
		members = append(members, jsonrpc.NewMember("requestState", state))
	}
	raw := jsonrpc.AppendObject(nil, members)
	return string(raw[1 : len(raw)-1]), nil
}

// object returns the members of an object that may be missing.
func object(raw []byte) ([]jsonrpc.Member, error) {
	if raw == nil {
		return nil, nil
	}
	return jsonrpc.ParseObject(nil, raw)
}

// response is the result of a request of a server's: an obliging user's.
func (h *host) response(method string, params []jsonrpc.Member) (string, error) {
	switch method {
	case "ping":
		return `{}`, nil
	case "roots/list":
		return `{"roots":[]}`, nil
	case "sampling/createMessage":
		return `{"role":"assistant","content":{"type":"text","text":"yes"},"model":"none","stopReason":"endTurn"}`, nil
	case "elicitation/create":
		if string(jsonrpc.Find(params, "mode")) == `"url"` {
			link, err := jsonrpc.String(jsonrpc.Find(params, "url"))
			h.visit(link)
			return `{"action":"accept"}`, err
		}
		content, err := fillIn(params)
		return `{"action":"accept","content":` + content + `}`, err
	}
	return "", fmt.Errorf("the server asked for %q", method)
}

// fillIn fills in a form, with the defaults where there are some.
func fillIn(params []jsonrpc.Member) (string, error) {
	schema, err := object(jsonrpc.Find(params, "requestedSchema"))
	if err != nil {
		return "", err
	}
	properties, err := object(jsonrpc.Find(schema, "properties"))
	if err != nil {
		return "", err
	}
	for i, property := range properties {
		definition, err := jsonrpc.ParseObject(nil, property.Value)
		if err != nil {
			return "", err
		}
		value := jsonrpc.Find(definition, "default")
		if value == nil && string(jsonrpc.Find(definition, "type")) == `"boolean"` {
			value = []byte("true")
		}
		properties[i].Value = value // nil: left empty
	}
	return string(jsonrpc.AppendObject(nil, properties)), nil
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "," + b
}

// openTrace makes the file for what the host says and hears.
func openTrace(dir string) (*os.File, error) { return os.Create(filepath.Join(dir, "messages.txt")) }

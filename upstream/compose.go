package upstream

import (
	"slices"
	"strconv"
	"sync"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// A composer writes requests without copying large members. It is reused.
type composer struct {
	out    transport.Outgoing
	pieces [][]byte
	buf    []byte // the piece under way is buf[from:]
	from   int

	// The member of the method that was written last. Most requests are of that too.
	method string
	named  []byte
}

var composers sync.Pool

func newComposer() *composer {
	if w, ok := composers.Get().(*composer); ok {
		return w
	}
	return new(composer)
}

// release makes the composer ready for its next use. Memory that a transport
// may have kept is left to it.
func (w *composer) release() {
	clear(w.pieces)
	w.out = transport.Outgoing{}
	w.pieces, w.from = w.pieces[:0], 0
	if w.buf = w.buf[:0]; cap(w.buf) >= jsonrpc.Large {
		w.buf = nil
	}
	composers.Put(w)
}

func (w *composer) add(p []byte) {
	if len(p) < jsonrpc.Large {
		w.buf = append(w.buf, p...)
		return
	}
	w.endPiece()
	w.pieces = append(w.pieces, p)
}

// name writes the member of the method.
func (w *composer) name(method string) {
	if w.method != method {
		w.method = method
		w.named = jsonrpc.AppendString(append(w.named[:0], `,"method":`...), method)
	}
	w.buf = append(w.buf, w.named...)
}

func (w *composer) text(s string) { w.buf = append(w.buf, s...) }

func (w *composer) endPiece() {
	if w.from < len(w.buf) {
		w.pieces = append(w.pieces, w.buf[w.from:len(w.buf):len(w.buf)])
		w.from = len(w.buf)
	}
}

// request writes call as the request id for the connection's era. What it
// returns is good until release.
func (w *composer) request(c *connection, call *Call, id uint64) *transport.Outgoing {
	facts := c.facts.Load()
	w.text(`{"jsonrpc":"2.0","id":`)
	w.buf = strconv.AppendUint(w.buf, id, 10)
	w.name(call.Method)
	m := metaWriter{composer: w, facts: facts, clientInfo: c.u.set.clientInfo, withheld: c.u.cfg.Withheld, peer: c.peer, call: call, id: id}
	m.params()
	w.text("}")
	w.endPiece()

	w.out.Pieces, w.out.Method, w.out.ID = w.pieces, call.Method, id
	if facts.Modern {
		w.out.Version = facts.Version
		if c.u.cfg.Transport == HTTP {
			w.out.Name, w.out.Params = nameHeader(call), paramHeaders(call)
		}
	}
	return &w.out
}

// metaWriter writes the params of one request, with the _meta of its hop.
type metaWriter struct {
	*composer
	facts      *Facts
	clientInfo []byte
	withheld   []string
	peer       *Peer
	call       *Call
	id         uint64
}

func (w *metaWriter) params() {
	wanted := w.facts.Modern || w.call.Progress
	if len(w.call.Params) == 0 && !wanted {
		if w.call.Params != nil {
			w.text(`,"params":{}`)
		}
		return
	}
	w.text(`,"params":{`)
	comma, hasMeta := "", false
	for i := range w.call.Params {
		p := &w.call.Params[i]
		isMeta := string(p.Key) == "_meta"
		if isMeta && !wanted && !w.passes() {
			continue
		}
		w.text(comma)
		comma = ","
		w.buf = append(append(w.buf, p.Name...), ':')
		if isMeta && (wanted || slices.ContainsFunc(w.call.Meta, hopKey)) {
			w.meta()
		} else {
			w.add(p.Value)
		}
		hasMeta = hasMeta || isMeta
	}
	if wanted && !hasMeta {
		w.text(comma)
		w.text(`"_meta":`)
		w.meta()
	}
	w.text("}")
}

// passes reports whether anything of a host's _meta is for a legacy server.
// An empty one is left alone; one of protocol keys only goes.
func (w *metaWriter) passes() bool {
	own := func(m jsonrpc.Member) bool { return !hopKey(m) }
	return len(w.call.Meta) == 0 || slices.ContainsFunc(w.call.Meta, own)
}

// hopKey reports whether a member of _meta is the modern protocol's own and
// thus not for a legacy server (2026-07-28, basic, _meta).
func hopKey(m jsonrpc.Member) bool {
	switch string(m.Key) {
	case MetaVersion, MetaCapabilities, MetaClientInfo, MetaLogLevel, MetaProgress:
		return true
	}
	return false
}

// meta writes the _meta of a request: the host's members but for those of its
// hop, and those of ours.
func (w *metaWriter) meta() {
	w.text("{")
	start := len(w.buf)
	capabilities := w.call.Capabilities
	if capabilities == nil {
		capabilities = w.peer.capabilities()
	}
	for _, m := range w.call.Meta {
		switch {
		case !hopKey(m), w.facts.Modern && string(m.Key) == MetaLogLevel:
			w.buf = append(append(w.buf, m.Name...), ':')
			w.buf = append(append(w.buf, m.Value...), ',')
		case string(m.Key) == MetaCapabilities:
			capabilities = m.Value
		}
	}
	if w.call.Progress {
		w.text(`"` + MetaProgress + `":`)
		w.buf = append(strconv.AppendUint(w.buf, w.id, 10), ',')
	}
	if w.facts.Modern {
		w.text(`"` + MetaVersion + `":"`)
		w.text(w.facts.Version)
		w.text(`","` + MetaCapabilities + `":`)
		w.buf = append(w.buf, Withhold(capabilities, w.withheld)...)
		w.text(`,"` + MetaClientInfo + `":`)
		w.buf = append(append(w.buf, w.clientInfo...), ',')
	}
	if len(w.buf) > start {
		w.buf = w.buf[:len(w.buf)-1]
	}
	w.text("}")
}

// nameHeader is what Mcp-Name says of a call: its tool, prompt, resource or
// task; "" for other methods, which have no such header (2026-07-28, Streamable
// HTTP, and the tasks extension).
func nameHeader(call *Call) string {
	var member string
	switch call.Method {
	case "tools/call", "prompts/get":
		member = "name"
	case "resources/read":
		member = "uri"
	case "tasks/get", "tasks/update", "tasks/cancel":
		member = "taskId"
	default:
		return ""
	}
	if call.Name != "" {
		return call.Name
	}
	name, _ := jsonrpc.String(jsonrpc.Find(call.Params, member)) // the server says what is wrong with it
	return name
}

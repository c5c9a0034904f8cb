package transport

import (
	"bytes"
	"errors"
	"io"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// inbox hands the messages of one stream to the receiver. It is for one
// goroutine.
type inbox struct {
	recv     Receiver
	limit    int
	origin   uint64
	id       []byte          // of the request whose answer belongs here; nil for none
	settle   func()          // told just before that answer is handed over
	answered func(id []byte) // told the same of any answer, with a nil id too; nil for nobody

	// forgets is asked of each event whether it is no answer but says that the
	// session is lost; nil for nobody.
	forgets func(raw []byte) bool

	batch   jsonrpc.Batch
	msg     jsonrpc.Message
	settled bool
	missed  error // a message without an id that could be used: maybe the answer
}

// drain hands over the events of a stream until it ends, and returns how many
// there were. The error is nil if the server ended the stream in order.
func (in *inbox) drain(events *eventReader) (count int, err error) {
	defer in.batch.Flush()
	for {
		ev, err := events.next()
		if errors.Is(err, io.EOF) {
			return count, nil
		}
		if err != nil {
			return count, err
		}
		count++
		switch {
		case ev.name != "" && ev.name != "message":
			// 2025-11-25, Streamable HTTP: messages come in events of that name.
		case ev.over != nil:
			id := ev.over.ID()
			in.malformed(id, &jsonrpc.LineTooLongError{Limit: in.limit, ID: id})
		case in.forgets != nil && in.forgets(ev.data):
			return count, ErrSessionLost
		default:
			in.take(ev.data)
		}
	}
}

// take hands over one message or, from a server of 2025-03-26, a batch.
func (in *inbox) take(raw []byte) {
	err := in.parse(raw)
	if !errors.Is(err, jsonrpc.ErrBatch) {
		in.handOver(raw, err)
		return
	}
	if len(raw) > batchLimit {
		in.malformed(nil, &jsonrpc.InvalidError{What: "batch is too long"})
		return
	}
	elements, err := jsonrpc.ParseArray(nil, raw)
	if err != nil {
		in.malformed(nil, err)
		return
	}
	for _, element := range elements {
		in.handOver(element, in.parse(element))
	}
}

// parse reads raw into msg. An error response without an id, on a request's own
// stream, is given the id of the request: its server could not read it.
func (in *inbox) parse(raw []byte) error {
	err := in.msg.Parse(raw)
	if in.id == nil || in.msg.ID != nil || in.msg.Error == nil {
		return err
	}
	id := jsonrpc.Find(in.msg.Members, "id")
	switch {
	case err == nil && id == nil:
		within := bytes.IndexByte(raw, '{') + 1
		named := append(append([]byte(`"id":`), in.id...), ',')
		raw = jsonrpc.Splice(nil, raw, jsonrpc.Edit{At: raw[within:within], With: named})
	case string(id) == "null":
		raw = jsonrpc.Splice(nil, raw, jsonrpc.Edit{At: id, With: in.id})
	default:
		return err
	}
	return in.msg.Parse(raw)
}

// handOver hands over msg, or the error that parsing raw into it gave.
func (in *inbox) handOver(raw []byte, err error) {
	if err != nil {
		in.malformed(jsonrpc.FindID(raw), err)
		return
	}
	if in.msg.Kind == jsonrpc.Response || in.msg.Kind == jsonrpc.Failure {
		in.settleIf(in.msg.ID)
	}
	onOneLine(in.msg.Raw)
	in.recv.Receive(&in.batch, &in.msg, in.origin)
}

// onOneLine makes tabs of line ends, since what is passed on may travel in lines.
// Between the tokens of JSON both are white space, within a string both are wrong.
func onOneLine(raw []byte) {
	for _, end := range []byte{'\n', '\r'} {
		for rest := raw; ; {
			i := bytes.IndexByte(rest, end)
			if i < 0 {
				break
			}
			rest[i] = '\t'
			rest = rest[i+1:]
		}
	}
}

func (in *inbox) malformed(id []byte, err error) {
	in.settleIf(id)
	if id == nil {
		in.missed = err
	}
	in.recv.Malformed(&in.batch, id, err)
}

func (in *inbox) settleIf(id []byte) {
	if in.answered != nil {
		in.answered(id)
	}
	if in.id == nil || in.settled || !bytes.Equal(id, in.id) {
		return
	}
	in.settled = true
	in.settle()
}

// failure returns the error of a JSON-RPC error response to the request, or
// nil if body is something else.
func (in *inbox) failure(body []byte) []byte {
	if len(body) == 0 || in.parse(body) != nil || in.msg.Kind != jsonrpc.Failure {
		return nil
	}
	if in.id != nil && !bytes.Equal(in.msg.ID, in.id) {
		return nil
	}
	return in.msg.Error
}

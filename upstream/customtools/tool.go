package customtools

import (
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// Name is what the server of all custom tools is called.
const Name = "tools"

// DefaultTimeout is how long a call may take where the tool does not say.
const DefaultTimeout = time.Minute

// A Tool is one custom tool. It is not changed any more.
type Tool struct {
	Name        string // required
	Title       string
	Description string
	Annotations []byte // raw object; nil for none
	Input       *Input // required
	Timeout     time.Duration

	// What it does: one of the two.
	Command *Command
	Request *Request
}

// Definition is the tool as it is listed, raw.
func (t *Tool) Definition() []byte {
	members := []jsonrpc.Member{jsonrpc.NewMember("name", jsonrpc.AppendString(nil, t.Name))}
	if t.Title != "" {
		members = append(members, jsonrpc.NewMember("title", jsonrpc.AppendString(nil, t.Title)))
	}
	members = append(members,
		jsonrpc.NewMember("description", jsonrpc.AppendString(nil, t.Description)),
		jsonrpc.NewMember("inputSchema", t.Input.raw),
		jsonrpc.NewMember("annotations", t.Annotations), // left out if there are none
	)
	return jsonrpc.AppendObject(nil, members)
}

func (t *Tool) timeout() time.Duration {
	if t.Timeout == 0 {
		return DefaultTimeout
	}
	return t.Timeout
}

package upstream

import (
	"bytes"
	"slices"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// Withhold returns a host's capabilities, a raw object, without those that are
// named: "sampling" is left out as a capability, and as a kind of request that
// the host makes a task of (2025-11-25, tasks). What is no object has none.
func Withhold(capabilities []byte, names []string) []byte {
	if len(names) == 0 {
		return capabilities
	}
	members, err := jsonrpc.ParseObject(nil, capabilities)
	if err != nil {
		return []byte("{}")
	}
	left := without(members, names)
	for i := range left {
		if string(left[i].Key) == "tasks" {
			left[i].Value = withholdTasks(left[i].Value, names)
		}
	}
	return jsonrpc.AppendObject(nil, left)
}

// withholdTasks takes the names out of the requests of a raw tasks capability.
func withholdTasks(tasks []byte, names []string) []byte {
	members, err := jsonrpc.ParseObject(nil, tasks)
	if err != nil {
		return tasks
	}
	for i := range members {
		if requests, err := jsonrpc.ParseObject(nil, members[i].Value); err == nil && string(members[i].Key) == "requests" {
			members[i].Value = jsonrpc.AppendObject(nil, without(requests, names))
		}
	}
	return jsonrpc.AppendObject(nil, members)
}

// without takes out the members with these names, in any case: some servers read
// them so.
func without(members []jsonrpc.Member, names []string) []jsonrpc.Member {
	return slices.DeleteFunc(members, func(m jsonrpc.Member) bool {
		return slices.ContainsFunc(names, func(name string) bool { return bytes.EqualFold(m.Key, []byte(name)) })
	})
}

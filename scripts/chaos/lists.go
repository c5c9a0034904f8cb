package main

import (
	"fmt"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// listTools lists all tools by their exposed names, page by page.
func (h *host) listTools() ([]string, error) {
	var names []string
	members := ""
	for {
		r, err := h.send("tools/list", members, &request{})
		if err != nil {
			return nil, err
		}
		if err := h.await("the answer to tools/list", func() bool { return r.answer != nil }); err != nil {
			return nil, err
		}
		tools, err := jsonrpc.ParseArray(nil, jsonrpc.Find(r.answer.Fields, "tools"))
		if err != nil {
			return nil, fmt.Errorf("%s: tools/list: %.300s", h.name, r.answer.Raw)
		}
		for _, tool := range tools {
			definition, err := jsonrpc.ParseObject(nil, tool)
			if err != nil {
				return nil, err
			}
			name, err := jsonrpc.String(jsonrpc.Find(definition, "name"))
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
		cursor := jsonrpc.Find(r.answer.Fields, "nextCursor")
		if cursor == nil {
			return names, nil
		}
		members = `"cursor":` + string(cursor)
	}
}

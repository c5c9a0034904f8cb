package catalog

import (
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// traits are what is to be known of an item beside its name, found once with it:
// of tools, but for unclean.
type traits uint8

const (
	// looseOutput: an output schema that is none of an object. The modern era
	// allows it (2026-07-28, tools); strict hosts of the legacy one refuse the
	// whole list for it.
	looseOutput traits = 1 << iota

	// appOnly: for the apps of the host, not for its model (MCP Apps,
	// _meta.ui.visibility).
	appOnly

	// hasPage: a resource to show in the host goes with the tool (MCP Apps,
	// _meta.ui.resourceUri).
	hasPage

	// unclean: hygiene takes something out of what is shown of it.
	unclean

	// needsTask: it can only be called as a task of the core (2025-11-25, tasks).
	needsTask
)

// The older of the two ways to name the page of a tool.
const oldPageKey = "ui/resourceUri"

func traitsOf(tool []jsonrpc.Member) (t traits) {
	for i := range tool {
		switch value := tool[i].Value; string(tool[i].Key) {
		case "outputSchema":
			if !describesObject(value) {
				t |= looseOutput
			}
		case "execution":
			if string(taskSupport(value)) == `"required"` {
				t |= needsTask
			}
		case "_meta":
			t |= traitsOfMeta(value)
		}
	}
	return t
}

// taskSupport is that of the execution of a tool, raw; nil for none.
func taskSupport(execution []byte) []byte {
	var room [4]jsonrpc.Member
	members, err := jsonrpc.ParseObject(room[:0], execution)
	if err != nil {
		return nil
	}
	return jsonrpc.Find(members, "taskSupport")
}

// describesObject reports whether a schema has the type "object" at its root.
func describesObject(schema []byte) bool {
	var room [8]jsonrpc.Member
	members, err := jsonrpc.ParseObject(room[:0], schema)
	if err != nil {
		return false
	}
	text, err := jsonrpc.String(jsonrpc.Find(members, "type"))
	return err == nil && text == "object"
}

func traitsOfMeta(meta []byte) (t traits) {
	if len(pages(nil, meta)) > 0 {
		t |= hasPage
	}
	members, err := jsonrpc.ParseObject(nil, meta)
	if err != nil {
		return t
	}
	if members, err = jsonrpc.ParseObject(nil, jsonrpc.Find(members, "ui")); err != nil {
		return t
	}
	visibility, err := jsonrpc.ParseArray(nil, jsonrpc.Find(members, "visibility"))
	if err != nil || len(visibility) != 1 {
		return t
	}
	if whom, err := jsonrpc.String(visibility[0]); err == nil && whom == "app" {
		t |= appOnly
	}
	return t
}

// pages appends the URIs of pages that the _meta of a tool names, as they stand
// in it: raw strings, in their order.
func pages(to [][]byte, meta []byte) [][]byte {
	members, err := jsonrpc.ParseObject(nil, meta)
	if err != nil {
		return to
	}
	for i := range members {
		switch value := members[i].Value; string(members[i].Key) {
		case oldPageKey:
			to = appendPage(to, value)
		case "ui":
			ui, _ := jsonrpc.ParseObject(nil, value)
			for k := range ui {
				if string(ui[k].Key) == "resourceUri" {
					to = appendPage(to, ui[k].Value)
				}
			}
		}
	}
	return to
}

func appendPage(to [][]byte, value []byte) [][]byte {
	if value[0] == '"' {
		to = append(to, value)
	}
	return to
}

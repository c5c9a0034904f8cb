package upstream

import "github.com/weir-mcp/weir/upstream/jsonrpc"

// declares reports whether the server has the capability.
func declares(facts Facts, capability string) bool {
	value := memberOf(facts.Capabilities, capability)
	return len(value) > 0 && value[0] == '{'
}

// supports reports whether the server has a capability with this setting.
func supports(facts Facts, capability, setting string) bool {
	return string(memberOf(memberOf(facts.Capabilities, capability), setting)) == "true"
}

// extends reports whether the server has the extension.
func extends(facts Facts, extension string) bool {
	value := memberOf(memberOf(facts.Capabilities, "extensions"), extension)
	return len(value) > 0 && value[0] == '{'
}

// memberOf returns a member of a raw object; nil if it has none, or is none.
func memberOf(object []byte, key string) []byte {
	members, err := jsonrpc.ParseObject(nil, object)
	if err != nil {
		return nil
	}
	return jsonrpc.Find(members, key)
}

package namespace

import "strings"

// Resolve returns the index of the item that a call means by name. That is the
// item with this exposed name; else the one of the server that the name begins
// with, by name, prefix or alias (SERVER, separator, TOOL) or as other gateways
// write it (mcp_SERVER__TOOL), where TOOL is the original or what follows the
// prefix in the exposed name; else the one with this original name; else the one
// whose original name ends so behind a separator, as a gateway's does.
//
// But for the exposed name, exactly one such item must be permitted; permitted
// takes its index. The caller still has to judge what it gets.
func (t *Table) Resolve(name string, permitted func(item int) bool) (item int, ok bool) {
	if item, ok = t.byName[name]; ok {
		return item, true
	}
	if named := t.underServer(name); len(named) > 0 {
		return only(named, permitted)
	}
	if found := t.original(func(original string) bool { return original == name }); len(found) > 0 || name == "" {
		return only(found, permitted)
	}
	return only(t.original(func(original string) bool { return strings.HasSuffix(original, DefaultSeparator+name) }), permitted)
}

// underServer returns the items that a name with a server in it can mean.
func (t *Table) underServer(name string) (found []int) {
	for server, heads := range t.heads {
		for _, head := range heads {
			if tool, ok := strings.CutPrefix(name, head); ok {
				found = t.appendNamed(found, server, tool)
			}
		}
	}
	return found
}

// appendNamed appends the items of a server that are called tool behind its
// prefix, or were called so originally.
func (t *Table) appendNamed(to []int, server int, tool string) []int {
	exposed, ok := t.byName[t.rules.head(t.servers[server].Prefix)+tool]
	if ok && t.items[exposed].Server == server {
		return append(to, exposed)
	}
	for i, item := range t.items {
		if item.Server == server && item.Original == tool && t.Names[i] != "" {
			return append(to, i)
		}
	}
	return to
}

// original returns the items with such an original name.
func (t *Table) original(such func(string) bool) (found []int) {
	for i, item := range t.items {
		if t.Names[i] != "" && such(item.Original) {
			found = append(found, i)
		}
	}
	return found
}

// only returns the one item that is permitted.
func only(items []int, permitted func(int) bool) (item int, ok bool) {
	for _, i := range items {
		if !permitted(i) {
			continue
		}
		if ok && i != item {
			return 0, false
		}
		item, ok = i, true
	}
	return item, ok
}

// Behind returns what stands in a name behind the longest beginning by which a
// call names the server, listed or not; false if the name does not begin so.
func Behind(r Rules, s Server, name string) (tool string, ok bool) {
	for _, head := range r.callHeads(s) {
		if rest, begins := strings.CutPrefix(name, head); begins && (!ok || len(rest) < len(tool)) {
			tool, ok = rest, true
		}
	}
	return tool, ok
}

// callHeads are the beginnings by which a call names a server.
func (r Rules) callHeads(s Server) []string {
	heads := make([]string, 0, 3+2*len(s.Aliases))
	heads = append(heads, s.Name+r.separator(), "mcp_"+s.Name+DefaultSeparator)
	for _, alias := range s.Aliases {
		heads = append(heads, alias+r.separator(), "mcp_"+alias+DefaultSeparator)
	}
	if s.Prefix != "" && s.Prefix != s.Name {
		heads = append(heads, r.head(s.Prefix))
	}
	return heads
}

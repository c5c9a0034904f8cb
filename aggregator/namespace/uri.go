package namespace

import "strings"

// Labels rewrite URIs that two servers have, so that each leads to one of them.
// The URI of a server with the label "b" is rewritten like this:
//
//	file:///a          b+file:///a
//	ui://app/a.html    ui://b.app/a.html
//
// Hosts fetch http and https URIs themselves, so those are never rewritten. A
// template is rewritten as a URI is, and what it then matches is rewritten too.
//
// Labels are immutable, and safe for concurrent use.
type Labels struct {
	labels  []string // by server; "" = it has none
	servers map[string]int
}

// NewLabels gives each server its label: its name as a URI scheme may be, with
// "-" for "_", and "s" before a digit that it begins with. A server has none if
// that is the label of one before it.
func NewLabels(servers []Server) *Labels {
	l := &Labels{labels: make([]string, len(servers)), servers: make(map[string]int, len(servers))}
	for i := range servers {
		label := strings.ReplaceAll(servers[i].Name, "_", "-")
		if label != "" && label[0]-'0' < 10 {
			label = "s" + label
		}
		if _, taken := l.servers[label]; taken || label == "" || strings.ContainsAny(label, ".+:/") {
			continue
		}
		l.labels[i], l.servers[label] = label, i
	}
	return l
}

const uiScheme = "ui://"

// Rewrite returns the URI under which the host sees a URI of a server that
// another one has as well. It reports false if the URI cannot be rewritten.
func (l *Labels) Rewrite(server int, uri string) (exposed string, ok bool) {
	label := l.labels[server]
	if label == "" || hasScheme(uri, "http") || hasScheme(uri, "https") {
		return "", false
	}
	if rest, ui := strings.CutPrefix(uri, uiScheme); ui {
		return uiScheme + label + "." + rest, true
	}
	return label + "+" + uri, true
}

// Original returns what Rewrite has made a URI from. It reports false if Rewrite
// makes no such URI.
func (l *Labels) Original(exposed string) (server int, uri string, ok bool) {
	rest, ui := strings.CutPrefix(exposed, uiScheme)
	mark, scheme := "+", ""
	if ui {
		mark, scheme = ".", uiScheme
	}
	label, rest, found := strings.Cut(rest, mark)
	server, known := l.servers[label]
	if !found || !known {
		return 0, "", false
	}
	uri = scheme + rest
	again, ok := l.Rewrite(server, uri)
	return server, uri, ok && again == exposed
}

// hasScheme reports whether a URI has a scheme, which has no case.
func hasScheme(uri, scheme string) bool {
	return len(uri) > len(scheme) && uri[len(scheme)] == ':' && strings.EqualFold(uri[:len(scheme)], scheme)
}

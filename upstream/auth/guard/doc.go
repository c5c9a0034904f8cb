// Package guard fetches what URLs name that strangers wrote: over https, or http
// within this machine where the user's own server is there; never from inside the
// user's network where that server is not; and never much, or for long (2025-11-25
// and 2026-07-28, Security Best Practices, server-side request forgery).
//
// # Design
//
// A URL is judged twice. Allowed looks at its text. Then each connection is
// judged by the very address that its socket is about to connect to, after names
// are resolved: a name that resolves to a harmless address when somebody looks,
// and to another when it counts, gains nothing. What a proxy resolves cannot be
// seen here, so before a request goes to one, its host is resolved here as well.
//
// Where the configured server is decides what else may be reached. Plain http
// within this machine is for servers that are named as of this machine, by an
// address or a name like localhost: whoever runs a server far away also decides
// what its name resolves to, and could make it resolve to 127.0.0.1 for a moment.
// Over https that is worth nothing without a certificate, so there what the
// server's name resolves to is good enough, and weir can log in to servers of
// an office network, a VPN, a container.
package guard

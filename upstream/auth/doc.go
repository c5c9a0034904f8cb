// Package auth authenticates weir to upstream servers: by credentials that the
// user has, and by OAuth 2.1, for which it finds out what a server wants, logs
// the user in with a browser, renews what expires, and keeps it (2025-11-25 and
// 2026-07-28, Authorization). All of it goes into an [http.RoundTripper], so that
// every transport over HTTP has it.
//
// It knows nothing of MCP messages, and never sends a token anywhere but to the
// server it was issued for.
//
// # Design
//
// A [Keeper] is shared by the servers of a process, an [Authenticator] is one
// server's, and each of its RoundTrippers one connection's. How a server is
// authenticated to is one of three: static credentials, which only go with each
// request; a machine, which gets tokens by an identity of its own and keeps them
// in memory; and a person, whose tokens came from a login and lie in the store,
// which all processes share.
//
// What is known of a person's login here is what was last read. Before anything is
// given up, the store is looked at again, if it has changed: another process may
// have logged in, or renewed. A renewal takes the lock of the login, reads it anew,
// asks the server only if nobody else has, stores what it got, and only then lets
// requests have it. It is not ended by the request that wanted it: a refresh token
// that was sent is spent, and the answer holds the next.
//
// Nothing is asked again and again. A refused token is replaced once; what
// replaces it and is refused too ends it, until there is another login (which
// Stamp tells from a renewal, so that processes do not wake each other in turns)
// or a new connection. A server that is in trouble is left alone for as long as it
// says, and longer each time. Nobody is asked twice for scopes that did not help.
//
// Tokens that are bound to a key go through a bond: it signs a proof for each
// request, takes up the nonces that servers want, and knows of a server that was
// found to take such tokens without. The key is kept with the login, since the
// refresh token is bound to it as well.
//
// A login is a dialogue with an authorization server that the server itself has
// named, so all that comes of it is checked: by package discovery, by who answers
// (RFC 9207), and by the bounds of what a token can be. What strangers wrote is
// shown clipped, and not at all where it repeats a secret.
package auth

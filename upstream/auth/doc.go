// Package auth authenticates weir to upstream servers: by credentials that the
// user has, and by OAuth 2.1, for which it finds out what a server wants, logs
// the user in with a browser, renews what expires, and keeps it (2025-11-25 and
// 2026-07-28, Authorization). All of it goes into an [http.RoundTripper], so that
// every transport over HTTP has it.
//
// It knows nothing of MCP messages, and never sends a token anywhere but to the
// server it was issued for.
package auth

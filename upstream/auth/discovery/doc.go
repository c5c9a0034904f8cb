// Package discovery finds out who gives out tokens for a server, and how
// (2025-11-25 and 2026-07-28, Authorization, authorization server discovery; RFC
// 9728, RFC 8414; back to 2025-03-26). All that it reads was written by
// strangers: it checks what may be used, and goes nowhere that it need not.
package discovery

// Package login is the part of a login that a person sees: the browser, what it
// comes back to, and the page that says how it went (2025-11-25 and 2026-07-28,
// Authorization; RFC 8252, loopback interface redirection).
package login

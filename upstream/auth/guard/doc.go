// Package guard fetches what URLs name that strangers wrote: over https, or http
// within this machine where the user's own server is there; never from inside the
// user's network where that server is not; and never much, or for long (2025-11-25
// and 2026-07-28, Security Best Practices, server-side request forgery).
package guard

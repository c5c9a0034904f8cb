// Package keyring reads and writes the system's keyring, in bounded time: one that
// is locked asks the user, who may not be there.
//
// # Design
//
// The keyring is that of go-keyring: the Secret Service of a Linux desktop, the
// keychain of macOS, the Windows credential manager. None of them takes a
// context, so each call runs on a goroutine of its own. A call whose caller has
// gone is left to itself, since it cannot be interrupted; it ends when the prompt
// that it waits for is answered, or with the process. While there is one like
// that, further calls fail at once: so there is never more than one, and a user
// who does not answer is not asked again.
package keyring

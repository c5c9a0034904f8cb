// Package keyring reads and writes the system's keyring, in bounded time: one that
// is locked asks the user, who may not be there.
package keyring

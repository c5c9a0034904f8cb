// Package credentials keeps logins and registrations between runs, for many weir
// processes at once: sealed under a key in the system's keyring where there is
// one, else in files that only the user can read.
//
// # Design
//
// Each login is a file of its own in the folder of state, named by a digest of
// its Key, and so is each registration. Keyrings take little, and ask for much:
// so they hold one key, and the files are sealed under it (AES-256-GCM, bound to
// the name of the file). A file tells whether it is sealed, so a user may gain or
// lose a keyring: what is plain is sealed when it is next written, and what was
// sealed waits for the keyring.
//
// A login is found by its Key, or by the configured endpoint: a small file for
// each endpoint and account names the logins that serve it. Two endpoints of one
// resource share a login, as its Key says, rather than taking it from each other.
//
// Readers take no lock, since files are replaced whole. Writers of one login take
// turns, for as long as they need: who renews a login asks a server meanwhile, and
// another process that asked with the same refresh token would lose it for both
// (OAuth 2.1, section 4.3.1).
package credentials

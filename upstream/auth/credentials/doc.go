// Package credentials keeps logins and registrations between runs, for many weir
// processes at once: sealed under a key in the system's keyring where there is
// one, else in files that only the user can read.
package credentials

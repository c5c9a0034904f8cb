// Package state keeps small files of the user's between runs: what was
// approved, pinned, logged in. Several weir processes may use one folder at
// once. A file is replaced whole and under a lock, so that readers need none.
//
// It does not know what is in the files, and is no cache: what lies here must
// not be lost.
package state

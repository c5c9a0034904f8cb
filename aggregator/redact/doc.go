// Package redact takes secrets out of text that is to be kept or shown. It knows
// some kinds of secrets by how they look, and others by the name of the member,
// header or variable they stand in; it does not guess: a run of random letters
// may as well be a digest, an id or a picture. What it does not know stays: it
// makes an accident less likely, and is no promise.
//
// It is pure. Patterns are scanners of their own, not regular expressions: a
// result of many megabytes passes a few dozen of them, each byte being looked at
// once, and making a Redactor costs a start nothing.
package redact

// Package redact takes secrets out of text that is to be kept or shown. It knows
// some kinds of secrets by how they look, and members of objects by their name;
// it does not guess. What it does not know stays: it makes an accident less
// likely, and is no promise.
package redact

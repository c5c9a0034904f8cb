// Package customtools serves the tools that a user has written into the
// configuration: each is a command, run without a shell, or an HTTP request. They
// are an MCP server like any other, of both eras, within the process: what calls
// it, cancels it, names it and judges it need not know.
//
// # Design
//
// What a tool does is fixed by its templates; arguments only fill in values. A
// [Template] is taken apart once, when the configuration is read, so that no
// value is ever looked at for placeholders. A value can become part of one element
// of the argument vector, of one segment of a path, of one value of a query or of
// one JSON value, and cannot end it: values are escaped for where they go, and
// refused where no escape helps (a value that begins with "-" at the head of an
// element, ".." in a path, NUL anywhere).
//
// Nothing runs before the arguments fit the tool's own schema. Secrets reach a
// command by its environment and a request by its headers, and are never part of
// a text that is returned.
package customtools

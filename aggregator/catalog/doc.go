// Package catalog holds what the upstreams have to offer: the lists of each, as
// it last told them; the store that keeps them on disk; and the merged view of
// all of them that the host sees.
//
// It asks no upstream anything, knows no policy, logs nothing and reads no
// clock: what went wrong is returned, and the time is given.
//
// # Design
//
// A definition is raw bytes from the upstream to the host. The only thing known
// of it is its name and where that stands (of a resource, its URI), and a few
// traits, found once, when [ParseItem] takes the definition over; among them
// whether package hygiene has anything to take out, which is done while a list is
// written.
// Everything else passes to the byte; the exposed name is put in its place while
// a list is written, so that there is no second copy of any definition.
//
// A [Snapshot] is immutable and made anew when an input changed. Names come from
// package namespace, by table. Resources keep their URIs, so the way from a URI
// to its server is a search: the lists, then the templates (places.go).
//
// Templates are matched by a matcher of our own. What servers match their
// templates with takes values that RFC 6570 would have escaped, so one that is
// exact would miss what the server means; and its time must be bounded whatever a
// server calls a template.
//
// The [Store] keeps one file per server, with a variant of its lists for each
// sort of host (era and declared capabilities): some servers list more to a host
// that has roots. Files are read at every start, and a thousand definitions must
// not cost a millisecond; so a file is a checksum, one line of lengths per
// variant, and the definitions as they were, which are not parsed again. That
// trusts the checksum to find accidents, and the folder, which is closed to
// other users, to keep off forgers: who can write there can as well write the
// configuration. BenchmarkLoad50 measures it, and what validating would add.
//
// Nothing in the folder is needed. Whatever is damaged, unreadable or not there
// is as if the server had not been listed before.
package catalog

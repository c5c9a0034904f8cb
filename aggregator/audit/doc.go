// Package audit writes down what hosts asked for and what became of it: one
// line of JSON for each request, in one file that all weir processes of a user
// append to, rotated by size.
//
// It is a record of decisions, not a log of weir's own doings, and decides
// nothing: a [Record] is filled by whoever has handled the request. A [Log]
// takes Records from the path of calls at next to no cost, and one goroutine of
// its own encodes and writes them. [Files] and [Reader] are the way back.
//
// # Design
//
// A call never waits for the disk, unless more records are waiting for it than
// have room: then for a second at most, once. What cannot be written in the end
// is counted, and the count is written as soon as anything can be; so that a
// gap can be seen. A disk that is full, or a folder that cannot be written to,
// stops no call.
//
// Every write is of whole lines, to a file opened for appending, so that the
// lines of several processes never mix. Whoever finds the file too long renames
// it, under a lock; the others notice with their next write. What a crash or a
// full disk has cut off stands on a line of its own, which readers skip.
package audit

// Package prelude answers what a host asks first before the rest of weir is
// there: from a record of what a start like this one answers.
//
// To load the program, read the configuration and the stored lists, and merge
// them takes several times as long as to write the answer. It gives the same
// answer at every start until one of the things it is made of changes. So a weir
// that serves rehearses the next start while nobody waits for it, and keeps what
// it would answer together with all that this was made of. The next start looks
// whether all that is still so, which is quick, answers from the record, and only
// then goes on to become what would have answered.
//
// # What a record depends on
//
// The program itself, its arguments and the variables that decide where things
// lie and whom it serves stand in the name of a record, and so does the first
// line of the host, to the byte: a host that declares something else has a record
// of its own. In the record stand the digest of each file that the configuration
// was made of, or that it was not there; the digest of each variable that it
// refers to; and the stamp of each file that weir replaces whole and never writes
// to: stored lists, pins. A record of which anything is not as it was is not used.
// Nor is one that others may have written, that is damaged, or that was made at a
// time to come.
//
// Requests are compared to the byte too, but for their ids. The first line that
// the record does not know ends the prelude.
//
// # What becomes of the answers
//
// Nothing is taken over from a record but bytes for the host. All lines that it
// wrote are read once more by the session, which so learns what it has to know,
// writes to the audit log what it writes there, and answers: what it answers to
// requests that were answered is compared and not sent. Where a list is another
// one after all, since a file was replaced in that very moment, the host is told
// that it has changed. Calls are never answered here.
//
// # Where it runs
//
// [Play] is called by package first before other packages are initialized. It
// may wait for the host, a few milliseconds each time, but in nothing that could
// take longer; and it takes the input of no process that was not a serving one
// with the same arguments before.
//
// It was made for Unix. Elsewhere there are no records.
package prelude

// Package formats writes tools as the function definitions of model APIs, reads
// the calls that models make of them, and writes the answers as those APIs want
// them back. It is pure: bytes go in, bytes and notes come out.
//
// # Design
//
// A schema passes as it came wherever the API takes it so. Where it does not,
// the members in the way are rewritten and all others keep their bytes and their
// order; what is lost is told in a note, for whoever asked.
//
// Strict modes take a part of JSON Schema. What only narrows a value (a length,
// a count, a pattern) can be left out: the server checks it anyway. What says
// which values there are at all (maps with any key, values of any type) cannot:
// such a tool is written as one that is not strict, and the note says where and
// why. So no call that a server would have taken becomes impossible unsaid.
//
// OpenAI's strict mode knows no optional arguments: they are required there, and
// may be null. On the way back these nulls are taken out again (WithoutNulls), by
// the schema that the server wrote.
//
// Names are those that weir exposes. Those that an API does not take are
// rewritten by the rule of all names (package namespace), and the way back is a
// table, not a guess.
package formats

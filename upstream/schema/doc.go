// Package schema checks JSON values against JSON Schemas, and says of a value
// that does not fit everything that is wrong with it, in words for whoever wrote
// the value.
//
// It knows the drafts 2020-12 (which a schema without $schema has) and draft-07.
// Schemas come from servers, values from hosts: both are hostile. No schema is
// fetched from anywhere, a schema is bounded in size, and checking in steps,
// whatever schema and value are.
//
// # Design
//
// [Compile] makes nodes of a schema once; nodes are found by where they stand in
// the text, so that a reference leads to the same node as the place it names, and
// schemas may be recursive. [Schema.Check] walks them together with the value
// and goes on after a failure, but for what has no meaning then.
//
// Numbers are compared exactly, whatever their size: 5.0 is an integer, and
// 9007199254740993 is not 9007199254740992.
//
// Not supported, and an error of Compile: other drafts, $dynamicRef, references
// out of the schema, and patterns that RE2 does not have (look-around, back
// references). "format" and the keywords for encoded contents are not checked,
// as both drafts allow.
//
// # Why an own one
//
// github.com/google/jsonschema-go (v0.4.3) was tried first. It stops at the first
// problem, reads all numbers as floating-point ones, and trusts the schema: with
// {"$ref":"#"} it overflows the stack, which ends the process, and two dozen
// nested definitions keep it busy for minutes. A server could end weir with its
// list of tools. It is what the tests compare with, and its copy of the official
// test suite is what they run.
package schema

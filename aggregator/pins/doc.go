// Package pins remembers how each server defined its tools and prompts, and what
// its instructions were, when weir first saw them: so that a server which changes
// a definition behind the user's back is found out.
//
// It asks no server anything, knows no policy and no host, logs nothing and reads
// no clock: what went wrong is returned, and the time is given.
//
// # Design
//
// A pin is one accepted definition of one item of one server: SHA-256 over its
// canonical text, and the text as the server sent it, so that a difference can be
// shown. The first definition seen is accepted unseen, others by the user only
// ([Store.Approve]). An item may have several: a server may define a tool
// otherwise for hosts of another protocol revision, and each of its definitions
// was accepted then. A definition that was replaced stays accepted for as long as
// there is room; the user has looked at it once.
//
// What is pinned hangs on the server's configured name alone. Were it to hang on
// the command as well, then a changed version number in the command would drop
// what was known of the tools, at the very moment when it counts; and the
// commonest way in which tools change, "npx -y package@latest", changes no
// command at all. [Store.Forget] is for a server that is taken out.
//
// An item that a server does not list any more keeps its pins: to take a tool
// away and bring it back otherwise gains nothing. A tool that appears later is
// accepted like those of the first list. Resources come and go with what they
// stand for, and are not pinned.
//
// The canonical text has members in the order of their keys, one spelling of each
// string, and no white space, so that a server which writes the same in another
// order has changed nothing. Numbers stay as they are spelled: there are readers
// to which 1 and 1.0 are not the same. Members of the same name keep their order,
// for some readers take the first of them and some the last.
//
// A file is one JSON text for each server, to be read by people too. Unchanged
// lists cost one read of it and a comparison with the texts in it: nothing is
// hashed where the bytes are the same. What cannot be read is not replaced until
// the user says so.
package pins

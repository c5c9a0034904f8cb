// Package approval keeps what waits for a person's yes, and what a person has
// said yes to, for all weir processes of the user.
//
// A [Call] is what somebody wants to do. The weir that is asked to do it looks
// with [Session.Approved] whether that was approved; if not it asks its host's
// user itself and tells [Session.Grant], or enters the call with [Session.Wait],
// for the user to see in a terminal. There [Store.Waiting] lists it and
// [Store.Approve] grants it, and the same call goes through when it comes again.
//
// # Design
//
// Nothing that approves is ever told to a host: not the id of a request, nor
// that of a session. What approves is to write into the file, which only the
// user can. Whoever runs programs as the user, without a sandbox, is thus beyond
// this boundary, as they are beyond that of the configuration itself.
//
// A grant is bound to the principal, the server's name, the kind and name of
// what is used, and, but for the scopes of a whole tool, to the arguments, of
// which only white space and the order of members do not matter. One for a whole
// tool is bound to its definition instead. What cannot be read approves nothing.
package approval

// Package namespace turns the names that upstreams use into the names that the
// host sees, and back. It is pure: no state but the tables it returns, no I/O.
//
// # Design
//
// An exposed name is prefix, separator and original. Hosts take few characters
// and little length, so a name that is not legal, or too long, is made so and
// ends in a digest of its server and original. Collisions aside, a name
// therefore depends on its own server and tool only: not on the other servers,
// their order, or the time.
//
// What is left are collisions, and names that look like another server's. They
// are settled by Assign, in the order of the items, for all items at once.
//
// URIs are names too, but the host knows them from elsewhere as well, so they
// stay as they are. Only where two servers have one URI is that of the second
// rewritten, by a rule that can be read backwards without a table (Labels).
//
// The way back of a name is the table that Assign returns. A name is never taken
// apart by looking for a separator in it.
package namespace

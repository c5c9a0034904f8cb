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
// The way back is the table that Assign returns. A name is never taken apart by
// looking for a separator in it.
package namespace

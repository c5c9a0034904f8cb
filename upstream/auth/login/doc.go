// Package login is the part of a login that a person sees: the browser, what it
// comes back to, and the page that says how it went (2025-11-25 and 2026-07-28,
// Authorization; RFC 8252, loopback interface redirection).
//
// # Design
//
// An [Attempt] is one login, once: a listener on this machine, a state, and one
// goroutine that waits for whatever comes first of the answer, the end of its
// time and its Close, and that ends all the others before it ends itself. What
// the answer is worth is for the caller to find out (Options.Redeem), while the
// browser waits for the page that tells the outcome.
//
// Whoever can make a browser load a page can make it load this one. So an answer
// counts only with the state, which nobody has but the authorization server and
// whoever saw its page; and what comes without it learns nothing, neither names
// nor whether a login is under way.
//
// The pages load nothing, run nothing and can be framed by nobody. They are made
// of texts by hand: html/template would keep the methods of all types in the
// binary.
package login

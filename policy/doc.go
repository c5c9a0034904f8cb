// Package policy decides. It is a function from a request to a verdict: no
// context, no clock, no log, no transport.
//
// A [Config] is what stands in the configuration, a [Policy] the same compiled,
// and [Policy.Decide] the decision. Whatever cannot be understood is an error
// of Compile, and what no rule speaks of is denied where the policy says no
// other: a nil Policy and a zero Verdict deny.
//
// # The decision
//
// The levels are deny, read, execute and admin; each includes those before it. A
// rule matches by its server pattern, its kind, its name pattern and its
// condition (when); what it leaves out does not narrow it.
//
//  1. The gate (servers) is asked first. What it keeps out is denied.
//  2. Any matching rule with the level deny denies, wherever it stands.
//  3. Else the first matching rule that has a level decides.
//  4. Else the default does.
//
// Server patterns match names and aliases. The server weir, on which weir's own
// tools stand, is under no glob and no default: only a rule or a deny of the gate
// that has that very name is about it. Tools that the configuration makes stand
// on the server tools, which is like any other.
//
// # Approval
//
// A rule with ask: true demands that a person approves, beside the level that the
// four steps result in. It may have a level of its own or none. Approvals are
// collected from all matching rules, so that no rule can spare one, and "ask:
// false" is an error rather than a promise that nobody keeps. What is denied is
// not asked about, and nothing is asked in a list.
//
// # Conditions
//
// A when is an expression in CEL (https://cel.dev) that is true or false, with
// these variables:
//
//	args       the arguments of a call or a prompt, a map; empty for resources
//	tool       name, title, annotations; empty for what is no tool
//	server     name, tags
//	principal  key, team, org, profile; each text, empty if there is none
//	client     name, version; the host's own word
//
// In args a number without fraction and exponent is a whole number of 64 bits,
// any other number a double. Arguments that could be read in two ways (a member
// twice in one object), that hold a larger whole number, that nest more than 64
// deep or that are no object cannot be judged, whichever of them a condition
// looks at. Where a server says nothing, annotations have readOnlyHint false,
// destructiveHint the opposite of readOnlyHint, idempotentHint false,
// openWorldHint true, and title "". A hint that is no boolean cannot be judged.
// CEL's optional syntax is on (args.?path), regular expressions are RE2, and the
// work of an evaluation is limited.
//
// A condition that cannot be evaluated (a missing member, a wrong type, too much
// work, arguments that cannot be judged) closes: its rule matches as far as it
// denies or asks, and does not match as far as it gives a level. So of a rule with
// a level and ask: true, the approval is demanded and the level not given. The
// verdict names the member that is missing and how to test for it.
//
// What does not vouch for itself does not open: a rule that gives a level may not
// look at client, nor at what a server says of its tools (all of tool but
// tool.name) unless every server that its pattern matches is trusted. Both are
// errors of Compile; servers that come to be known later are held to the second
// by Decide.
//
// # Lists
//
// In a list there are no arguments. There a rule whose condition mentions args
// neither hides nor grants, and [Verdict.Level] is what the other rules result
// in. [Verdict.Best] is the most that a call could get:
//
//   - deny, if a rule denies whose condition does not mention args;
//   - else the highest of these levels: of the matching rules whose condition
//     mentions args, up to the first matching rule that has a level and whose
//     condition does not; of that rule; or of the default, if there is none.
//
// What an expression mentions counts, not what it comes to: "args.x == 1 || true"
// mentions args. Best is the same for a list and for every call, and never less
// than the level of a call; an item is listed if it is read or more. For a
// resource, args are known to be empty: a condition that mentions them is
// evaluated in a list as in a use. For the server itself ([AnyKind]) they are
// never known.
package policy

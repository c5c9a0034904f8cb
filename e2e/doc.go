// Package e2e has no code, only tests: of the real binary, with real servers
// behind it and real clients before it.
//
//   - testdata/*.txtar are scripts; script_test.go says what they can do.
//   - matrix_test.go holds what a host sees through weir against what it sees
//     without, over both transports and both eras.
//   - real_test.go does so with the servers and clients of npm/ and of the Go
//     modules.
//   - sdkserver_test.go does so with servers made with the Go libraries.
//   - realhosts_test.go, and the files beside it, are the hosts that people use:
//     what they write, in which environment they start weir, how they end it.
//   - oidc_test.go logs in at an authorization server that others have made.
//   - complaints_test.go is what users of other gateways complain of at logins.
//   - onelogin_test.go is many weirs with one login.
//   - planted_test.go looks for secrets in all that weir says and leaves.
//   - weirs_test.go is weirs behind weirs, beyond what the table plays with them.
//   - leaks_test.go counts what weir holds open.
//   - imports_test.go holds the packages to their order.
//
// The package bridge below it is for scripts/conformance, which holds weir to
// the official conformance suite.
package e2e

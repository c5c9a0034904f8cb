// Package config reads mcp.yaml, and the server files of other programs, into
// values that the rest of weir can use as they are: validated, expanded, with
// the place in the file that each came from.
//
// # Design
//
// A file is read into a tree of nodes that know their lines: YAML by yaml.v3,
// JSON (with comments and trailing commas) by a small parser of our own, since
// YAML refuses the tabs that JSON files are indented with. A strict decoder
// carries the tree into Go structs: unknown and repeated keys and wrong types are
// errors with file and line, and all of them are reported at once. The structs are the documentation of the format.
//
// What goes wrong stays as small as it can: what makes a single server useless
// is written into its upstream.Config as Broken, and the others go on. A file
// that is not understood, and anything wrong with a policy, is an error of Load:
// nothing is served by guess.
//
// # Foreign files
//
// A file with mcpServers at its top is another program's (Claude Desktop, Claude
// Code, Cursor, Windsurf, Gemini CLI). One with servers is VS Code's if it has
// inputs at its top, or any server has a type: weir's own servers say transport
// instead. In foreign files unknown keys are warnings, and a server that is not
// understood is Broken by itself.
//
// # References
//
// ${VAR}, ${VAR:-default} (for a variable that is unset or empty), ${env:VAR},
// ${file:PATH} and ${keyring:service/account} stand for a value; $${ is ${ as it
// stands, and every other $ is itself. They stand in values of servers (command,
// args, env, cwd, url, headers, auth) and in env_file; anywhere else ${ is an error.
// What a reference gives is not expanded again. A variable of the environment
// goes before one of env_file, as people know it from other programs: so one
// can be set for a single run.
package config

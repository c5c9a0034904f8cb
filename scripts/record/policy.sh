#!/usr/bin/env bash
# What docs/policy.svg shows: the commands that answer why. Run by hand, with weir
# on PATH, in a home folder of its own; see main.go.
set -u
mkdir -p ~/.config/weir
cat > ~/.config/weir/mcp.yaml <<'YAML'
servers:
  desk: {command: weir, args: [demo-server]}
policy:
  default: execute
  rules:
    - {server: "*", tool: "delete_*", level: deny}
    - {server: desk, tool: add, level: deny, when: "args.a > 100"}
    - {server: desk, tool: echo, ask: true}
    - {server: desk, tool: ecco, level: read}
YAML
weir tools > /dev/null
show() {
	printf '\033[2m$\033[0m %s\n' "$1"
	eval "$1"
	echo
}
show 'weir policy explain desk__delete_everything'
show 'weir policy explain desk__add a=500 b=1'
show 'weir policy lint'
weir call desk__echo text=hello > /dev/null 2>&1
show 'weir approve --list'
show 'weir logs --last 3'

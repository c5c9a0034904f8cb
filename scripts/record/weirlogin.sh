#!/usr/bin/env bash
# What docs/login.svg shows: a login in a terminal. Run by hand, with weir on PATH,
# in a home folder of its own; see main.go. The server is that of
# e2e/npm/oidc.mjs, on the ports 8480 and 8481; curl is the browser of its user.
set -u
trap 'kill "$server"; wait "$server" 2>/dev/null' EXIT
PORT=8480 node "$(dirname "$0")/../../e2e/npm/oidc.mjs" 8481 3600 > /dev/null 2>&1 &
server=$!
until curl -s -o /dev/null http://127.0.0.1:8481/seen; do :; done
mkdir -p ~/.config/weir
cat > ~/.config/weir/mcp.yaml <<'YAML'
servers:
  notes: {url: "http://127.0.0.1:8481/mcp"}
YAML
cat > ~/browser <<'SH'
#!/bin/sh
exec curl -sL -c ~/jar -b ~/jar -o /dev/null "$1"
SH
chmod +x ~/browser
export BROWSER=~/browser
show() {
	printf '\033[2m$\033[0m %s\n' "$1"
	eval "$1"
	echo
}
show 'weir login'
show 'weir login notes' | sed -E 's/^(http.{86}).*/\1…/'
show 'weir auth'

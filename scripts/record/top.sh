#!/usr/bin/env bash
# What "weir top" shows of a weir that a host has used: two servers that are well,
# one that is not there. Wants weir on the PATH, and tmux.
set -euo pipefail
home=$(mktemp -d)
export HOME=$home XDG_CONFIG_HOME='' XDG_STATE_HOME='' XDG_CACHE_HOME=''
mkdir -p "$home/.config/weir"
cat >"$home/.config/weir/mcp.yaml" <<'END'
servers:
  notes: {command: weir, args: [demo-server]}
  files: {command: weir, args: [demo-server]}
  tickets: {url: "http://127.0.0.1:1/mcp", start: eager}
policy: {default: execute, rules: [{server: files, tool: "*fail*", level: deny}]}
END
call() { printf '{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"%s","arguments":%s}}\n' "$1" "$2" "$3"; }
host() {
	printf '%s\n' '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"Cursor","version":"1.7"}}}'
	printf '%s\n' '{"jsonrpc":"2.0","method":"notifications/initialized"}' '{"jsonrpc":"2.0","id":2,"method":"tools/list"}'
	sleep 3
	for i in $(seq 3 40); do call "$i" notes__echo '{"text":"x"}'; done
	call 41 files__echo '{"text":"x"}'
	call 42 tickets__search '{}'
	call 43 notes__echo '{"text":"y"}'
	sleep 8
}
host | weir serve >"$home/out" 2>"$home/log" &
sleep 6
tmux -S "$home/tmux" -f /dev/null new-session -d -x 96 -y 24 "env TERM=xterm weir top"
sleep 2
tmux -S "$home/tmux" send-keys Down Down
sleep 1
# tmux writes its own codes: those that main.go knows are left.
tmux -S "$home/tmux" capture-pane -ep | sed $'s/\x1b\\[49m//g; s/\x1b\\[39m/\x1b[0m/g; s/\x1b\\[0;/\x1b[/g'
tmux -S "$home/tmux" kill-server
wait
rm -rf "$home"

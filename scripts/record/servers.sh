#!/usr/bin/env bash
# What "weir servers" says of two servers that are well, one that wants a login, one
# that is not there and one that is switched off. Wants weir on the PATH, and python3
# for a server that asks for a login.
set -euo pipefail
home=$(mktemp -d)
export HOME=$home XDG_CONFIG_HOME='' XDG_STATE_HOME='' XDG_CACHE_HOME='' COLUMNS=104
mkdir -p "$home/.config/weir"
python3 -c '
import http.server
class H(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(401); self.send_header("WWW-Authenticate", "Bearer"); self.end_headers()
    do_GET = do_POST
    def log_message(self, *a): pass
s = http.server.HTTPServer(("127.0.0.1", 0), H)
print(s.server_port, flush=True)
s.serve_forever()' >"$home/port" &
trap 'kill %1; rm -rf "$home"' EXIT
until [ -s "$home/port" ]; do sleep 0.1; done
cat >"$home/.config/weir/mcp.yaml" <<END
servers:
  files: {command: weir, args: [demo-server]}
  notes: {command: weir, args: [demo-server], tools: {exclude: ["delete_*"]}}
  tickets: {url: "http://127.0.0.1:$(cat "$home/port")/mcp", auth: {type: oauth2}}
  search: {command: search-server}
  old: {command: weir, args: [demo-server], enabled: false}
END
printf '\033[2m$\033[0m weir servers\n\n'
weir servers || true

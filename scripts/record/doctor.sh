#!/usr/bin/env bash
# What docs/doctor.svg shows: a weir with the troubles that people have. Run by hand,
# with weir on PATH, in a home folder of its own, 110 columns wide; see main.go.
set -u
stty cols 110 2> /dev/null
mkdir -p ~/.config/weir ~/.cursor ~/.codex
cat > ~/.config/weir/mcp.yaml <<'YAML'
servers:
  notes: {command: weir, args: [demo-server], env: {PLACE: "${PLACE}"}}
  company-issues:
    command: weir
    args: [demo-server]
    overrides: {echo: {name: "create_pull_request_review_comment_reply_draft"}}
  search: {command: uvx, args: [mcp-server-fetch]}
  tickets: {url: "http://127.0.0.1:1/mcp"}
names: {max: 100}
YAML
chmod 600 ~/.config/weir/mcp.yaml
export PLACE=Paris
cat > ~/.cursor/mcp.json <<JSON
{"mcpServers": {"weir": {"command": "$(command -v weir)", "args": ["serve"]}, "notes": {"command": "weir", "args": ["demo-server"], "env": {"PLACE": "Paris"}}}}
JSON
printf '[mcp_servers.weir]\ncommand = "%s"\nargs = ["serve"]\n' ~/old/weir > ~/.codex/config.toml
mkdir -p ~/.local/state/weir
printf '{}' > ~/.local/state/weir/approvals.json
chmod 644 ~/.local/state/weir/approvals.json
weir doctor

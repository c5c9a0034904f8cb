#!/usr/bin/env bash
# What docs/login-worked.png and docs/login-failed.png show: the page that a browser
# comes back to. Run by hand, with Debian's Chromium; the test of the pages takes
# the pictures that it looks at.
set -euo pipefail
cd "$(dirname "$0")/../.."
go test ./upstream/auth/login -count=1 -run 'TestInChromium/^login-(worked|failed)$' -screenshots "$PWD/docs"
ls -l docs/login-*.png

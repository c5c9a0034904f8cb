// Package demo is a small MCP server with a handful of tools to try weir on:
// over a byte stream for "weir demo-server", over Streamable HTTP on loopback
// for "weir demo". It speaks every protocol revision from 2024-11-05 to
// 2026-07-28, each request in the era it comes in.
//
// It is no framework: it has tools only, its list never changes, it asks the
// client nothing and keeps nothing but the ids of what is running.
package demo

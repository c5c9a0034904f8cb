package auth

import (
	"strings"
	"testing"
)

// TestSaid has what authorization servers write, and what they must not be heard
// to say.
func TestSaid(t *testing.T) {
	const sent = "hunter2"
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"Invalid refresh token", "Invalid refresh token"},
		{"AADSTS50011: The redirect URI 'http://127.0.0.1:4711/callback' does not match", "AADSTS50011: The redirect URI 'http://127.0.0.1:4711/callback' does not match"},
		{"resource https://mcp-2.acme.example/v1/mcp is unknown", "resource https://mcp-2.acme.example/v1/mcp is unknown"},
		{"no refresh_token, authorization_code wanted", "no refresh_token, authorization_code wanted"},
		{"wrong password hunter2", ""},
		{"unknown token 2YotnFZFEjr1zCsicMWpAA", "unknown token [hidden]"},
		{"token=tGzv3JOkF0XG5Qx2TlKWIA;", "[hidden];"},
		{"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlMTIz", "[hidden].[hidden].[hidden]"},
		{"https://evil.example/2YotnFZFEjr1zCsicMWpAA", "https://evil.example/[hidden]"},
		{"a\x1b[31m\nb", "a [31m b"},
		{strings.Repeat("x ", 200), strings.Repeat("x ", 100) + "…"},
	} {
		if got := said(tt.text, shownMost, sent); got != tt.want {
			t.Errorf("said(%q): got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestErrorCode(t *testing.T) {
	const sent = "hunter2"
	for _, tt := range []struct{ text, want string }{
		{"invalid_grant", "invalid_grant"},
		{"urn:ietf:params:oauth:grant-type", "urn:ietf:params:oauth:grant-type"},
		{"no " + sent, ""},
		{"no_" + sent, ""},
		{"2YotnFZFEjr1zCsicMWpAA", ""},
		{"two words", ""},
		{strings.Repeat("x", 65), ""},
	} {
		if got := errorCode(tt.text, sent); got != tt.want {
			t.Errorf("errorCode(%q): got %q, want %q", tt.text, got, tt.want)
		}
	}
}

package aggregator

import (
	"errors"
	"testing"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/auth"
)

// A list that failed is asked for again but where only other credentials help.
func TestRefusesCredentials(t *testing.T) {
	fault := func(err error) *upstream.Fault { return &upstream.Fault{Server: "u", Err: err} }
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{"no login", upstream.AuthenticationError{Fault: fault(&auth.LoginError{})}, true},
		{"login for more", upstream.AuthorizationError{Fault: fault(&auth.LoginError{StepUp: true})}, true},
		{"no token", upstream.AuthenticationError{Fault: fault(&auth.TokenError{Code: "invalid_client"})}, true},
		{"no token now", upstream.AuthenticationError{Fault: fault(&auth.TokenError{Temporary: true})}, false},
		{"status", upstream.AuthorizationError{Fault: fault(nil)}, true},
		{"lost", upstream.ConnectionError{Fault: fault(nil)}, false},
		{"unknown", errors.New("x"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := refusesCredentials(tt.err); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

package auth

import (
	"testing"
	"time"

	"github.com/weir-mcp/weir/upstream/auth/credentials"
	"github.com/weir-mcp/weir/upstream/auth/discovery"
	"github.com/weir-mcp/weir/upstream/state"
)

// TestOpenServerIsGlancedAtNowAndThen: a login elsewhere, at a server that asks for
// none, is seen when a moment is over, with a new connection, and when the server
// asks.
func TestOpenServerIsGlancedAtNowAndThen(t *testing.T) {
	const endpoint = "https://mcp.example/mcp"
	tests := []struct {
		name string
		then func(p *person)
		want secret
	}{
		{"at once", func(*person) {}, ""},
		{"when the moment is over", func(p *person) { p.looked = time.Now().Add(-glanceTime) }, "token"},
		{"with a new connection", func(p *person) { p.use(p.set) }, "token"},
		{"once the server has asked", func(p *person) { p.challenged = true }, "token"},
		{"after the server's question", func(p *person) {
			if got, err := p.refused(t.Context(), &refusal{challenge: discovery.Challenge{}}); got != "token" || err != nil {
				t.Errorf("what to send again: got %q, %v", string(got), err)
			}
		}, "token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store := credentials.Open(state.At(t.TempDir()), nil)
			k := NewKeeper(Options{Store: store})
			t.Cleanup(k.Close)
			p := newPerson(k.Authenticator("gh", endpoint, Config{Kind: OAuth2}, nil))
			if got, err := p.token(t.Context()); got != "" || err != nil || p.looked.IsZero() {
				t.Fatalf("before the login: got %q, %v, looked %v", string(got), err, p.looked)
			}
			login := &credentials.Login{
				Key: credentials.Key{Issuer: "https://as.example", Client: "c"}, Endpoint: endpoint, Access: "token", Type: bearerToken,
			}
			if err := store.Save(t.Context(), login); err != nil {
				t.Fatal(err)
			}
			p.looked = time.Now().Add(time.Hour) // however slow this is, the moment is not over
			tt.then(p)
			if got, err := p.token(t.Context()); got != tt.want || err != nil {
				t.Errorf("got %q, %v, want %q", string(got), err, string(tt.want))
			}
		})
	}
}

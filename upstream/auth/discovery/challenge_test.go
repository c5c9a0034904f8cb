package discovery

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseChallenge(t *testing.T) {
	const place = "https://mcp.example.com/.well-known/oauth-protected-resource"
	full := Challenge{ResourceMetadata: place, Scopes: []string{"read", "write"}, Error: "insufficient_scope"}
	for _, test := range []struct {
		name    string
		headers []string
		want    *Challenge // nil if there is none
	}{
		{"nothing", nil, nil},
		{"empty", []string{"", " ,, "}, nil},
		{"another scheme", []string{`Basic realm="Bearer error=x"`, "Negotiate YWJj==", "NTLM"}, nil},
		{"a token68 that reads like a scheme", []string{`Custom Bearer, Basic realm="x"`, "Custom\tbearer== "}, nil},
		{"a parameter that reads like a scheme", []string{`Bearer="x", scope="read"`}, nil},
		{"nothing more", []string{"Bearer"}, &Challenge{}},
		{"in the order of the RFC", []string{`Bearer resource_metadata="` + place + `", scope="read write", error="insufficient_scope"`}, &full},
		{"names in any case", []string{`bEARER Resource_Metadata="` + place + `",SCOPE="read write",ERROR="insufficient_scope"`}, &full},
		{"spaces around =", []string{`Bearer resource_metadata = "` + place + `" ,	scope= "read write", error ="insufficient_scope"`}, &full},
		{"without quotes", []string{"Bearer resource_metadata=" + place + ", error=insufficient_scope, scope=read"}, &Challenge{ResourceMetadata: place, Scopes: []string{"read"}, Error: "insufficient_scope"}},
		{"without commas", []string{`Bearer resource_metadata="` + place + `" scope="read write" error="insufficient_scope"`}, &full},
		{
			"escapes and commas in quotes",
			[]string{`Bearer realm="a \"b\", scope=\"no\", Basic", resource_metadata="https:\/\/mcp.example.com/a,b"`},
			&Challenge{ResourceMetadata: "https://mcp.example.com/a,b"},
		},
		{"after another challenge", []string{`Basic realm="x", scope="no", Bearer scope="read"`}, &Challenge{Scopes: []string{"read"}}},
		{"before another challenge", []string{`Bearer scope="read", Basic realm="x", error="invalid_token"`}, &Challenge{Scopes: []string{"read"}}},
		{"after a token68", []string{`Negotiate YWJj/+==, Bearer scope="read"`}, &Challenge{Scopes: []string{"read"}}},
		{"after a token68 without padding", []string{`Negotiate YWJj , Bearer scope="read"`}, &Challenge{Scopes: []string{"read"}}},
		{"a scheme alone before", []string{`Negotiate, Bearer scope="read"`}, &Challenge{Scopes: []string{"read"}}},
		{"in the second header", []string{`Basic realm="x"`, `Bearer scope="read"`}, &Challenge{Scopes: []string{"read"}}},
		{"parameters do not go on in the next header", []string{"Bearer", `scope="no"`}, &Challenge{}},
		{"the first of two counts", []string{`Bearer scope="read", Bearer scope="write", error="invalid_token"`}, &Challenge{Scopes: []string{"read"}, Error: "invalid_token"}},
		{
			"the first of two headers counts",
			[]string{`Bearer error="invalid_token"`, `Bearer error="x", resource_metadata="` + place + `"`},
			&Challenge{ResourceMetadata: place, Error: "invalid_token"},
		},
		{"the first of a parameter twice counts", []string{`Bearer scope="read", scope="write"`}, &Challenge{Scopes: []string{"read"}}},
		{"DPoP", []string{`DPoP algs="ES256", resource_metadata="` + place + `"`}, &Challenge{ResourceMetadata: place, DPoP: true}},
		{
			"DPoP fills in",
			[]string{`DPoP scope="no", error="use_dpop_nonce"`, `Bearer scope="read"`},
			&Challenge{Scopes: []string{"read"}, Error: "use_dpop_nonce", DPoP: true, ProofError: "use_dpop_nonce"},
		},
		{
			"DPoP says something else",
			[]string{`Bearer error="invalid_token", DPoP error="use_dpop_nonce", DPoP error="x"`},
			&Challenge{Error: "invalid_token", DPoP: true, ProofError: "use_dpop_nonce"},
		},
		{"a code of DPoP that cannot be", []string{"DPoP error=\"\x1b\""}, &Challenge{DPoP: true}},
		{"no end of the quote", []string{`Bearer scope="read", resource_metadata="https://evil`}, &Challenge{Scopes: []string{"read"}}},
		{"a backslash at the end", []string{`Bearer scope="read\`}, &Challenge{}},
		{"a quote that belongs to nothing", []string{`"Bearer scope=no ", Bearer scope="read"`}, &Challenge{Scopes: []string{"read"}}},
		{"rubbish between", []string{`=@;Bearer scope="read";,`}, &Challenge{Scopes: []string{"read"}}},
		{"no value", []string{`Bearer scope=, resource_metadata="` + place + `"`}, &Challenge{ResourceMetadata: place}},
		{"empty values", []string{`Bearer scope="", error="", resource_metadata=""`}, &Challenge{}},
		{"scopes that cannot be", []string{"Bearer scope=\"read \x1b[31m \u00fc re\\\"ad write read\""}, &Challenge{Scopes: []string{"read", "write"}}},
		{"codes that cannot be", []string{"Bearer error=\"\x1b]0;x\"", `Bearer error="` + strings.Repeat("x", 65) + `"`}, &Challenge{}},
	} {
		got, ok := ParseChallenge(test.headers)
		if ok != (test.want != nil) {
			t.Errorf("%s: there is a challenge: %v, want %v", test.name, ok, test.want != nil)
			continue
		}
		if test.want == nil {
			test.want = &Challenge{}
		}
		if diff := cmp.Diff(*test.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", test.name, diff)
		}
	}
}

func TestChallengeBounds(t *testing.T) {
	long := `Bearer error="invalid_token", x="` + strings.Repeat("x", maxChallengeBytes) + `"`
	if c, ok := ParseChallenge([]string{long}); ok {
		t.Errorf("a header of %d bytes was read: %v", len(long), c)
	}
	if _, ok := ParseChallenge([]string{long, "Bearer"}); ok {
		t.Error("what is behind the limit was read")
	}
	many := strings.Repeat("Basic, ", maxChallenges)
	if _, ok := ParseChallenge([]string{many + "Bearer"}); ok {
		t.Errorf("challenge %d was read", maxChallenges+1)
	}
	if _, ok := ParseChallenge([]string{many[len("Basic, "):] + "Bearer"}); !ok {
		t.Errorf("challenge %d was not read", maxChallenges)
	}
	var scopes strings.Builder
	for i := range maxScopes + 1 {
		fmt.Fprintf(&scopes, "s%d ", i)
	}
	if c, _ := ParseChallenge([]string{`Bearer scope="` + scopes.String() + `"`}); len(c.Scopes) != maxScopes {
		t.Errorf("got %d scopes, want %d", len(c.Scopes), maxScopes)
	}
}

// FuzzParseChallenge also holds that what comes after a header does not change
// what was said in it.
func FuzzParseChallenge(f *testing.F) {
	for _, seed := range []string{
		`Bearer resource_metadata="https://a/b", scope="a b", error="x"`, `Basic YWJj==, Bearer scope=a`, `Bearer a="\"`, "Bearer\t, DPoP algs=x scope = y", `"`, "=,=", "a=b",
	} {
		f.Add(seed, "Bearer error=x")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		c, ok := ParseChallenge([]string{first})
		for _, scope := range c.Scopes {
			if !isScope(scope) {
				t.Fatalf("%q is no scope", scope)
			}
		}
		if c.Error != "" && !isErrorCode(c.Error) {
			t.Fatalf("%q is no code", c.Error)
		}
		if !ok && (c.Error != "" || c.ResourceMetadata != "" || c.Scopes != nil) {
			t.Fatalf("no challenge says something: %v", c)
		}
		if strings.Contains(strings.ToLower(first), "dpop") {
			return // a challenge for bearer tokens goes before it
		}
		both, _ := ParseChallenge([]string{first, second})
		if c.Error != "" && both.Error != c.Error || c.ResourceMetadata != "" && both.ResourceMetadata != c.ResourceMetadata ||
			c.Scopes != nil && !slices.Equal(both.Scopes, c.Scopes) {
			t.Fatalf("%v became %v", c, both)
		}
	})
}

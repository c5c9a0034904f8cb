package redact

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
)

// repeated is a body of n bytes for tests, of no meaning.
func repeated(unit string, n int) string { return strings.Repeat(unit, n/len(unit)+1)[:n] }

func TestDetectors(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"
	a36, b40 := repeated("aB3x", 36), repeated("aB3x_", 40)
	for _, tt := range []struct{ name, text, want string }{
		{"github", "ghp_" + a36 + " ghs_" + a36 + ".b, github_pat_" + repeated("a1_", 82), "# #, #"},
		{"github", "x_ghp_" + a36 + " ghp_" + repeated("x", 36) + " ghp_short ghp_", ""},
		{"gitlab", "glpat-" + repeated("a1-", 20) + ";", "#;"},
		{"aws", "AWS_ACCESS_KEY_ID=AKIA" + repeated("A1B2", 16) + "/x", "AWS_ACCESS_KEY_ID=#/x"},
		{"aws", "AKIA" + repeated("a1B2", 16) + " AKIA" + repeated("A1B2", 17) + " aAKIA" + repeated("A1B2", 16) + " /AKIA" + repeated("A1B2", 16), ""},
		{"google", "?key=AIza" + repeated("aB3_x-", 35) + "&x GOCSPX-" + repeated("aB3", 28) + " ya29." + b40, "?key=#&x # #"},
		{"google", "AIza" + repeated("aB3x", 36) + " +AIza" + repeated("aB3x", 35) + " /AIza" + repeated("aB3x", 35), ""},
		{"slack", "https://hooks.slack.com/services/T0/B0/" + repeated("aB3", 24) + " xoxb-12-34-abc1", "https://# #"},
		{"slack", "xoxb- xoxox-aaaaaaaaaaa", ""},
		{"stripe", "sk_live_" + repeated("aB3", 24) + " whsec_" + repeated("a/+b", 32), "# #"},
		{"stripe", "pk_live_" + repeated("aB3", 24) + " sk_live_x task_live_" + repeated("aB3", 24), ""},
		{"openai", "sk-" + repeated("aB3", 48) + " sk-proj-" + b40, "# #"},
		{"openai", "sk-" + repeated("aB3", 47) + " task-" + repeated("aB3", 48) + " sk-learn-" + repeated("a-b", 20), ""},
		{"anthropic", "'sk-ant-api03-" + b40 + "'", "'#'"},
		{"npm", "//registry/:_authToken=npm_" + a36, "//registry/:_authToken=#"},
		{"npm", "npm_config_registry npm_" + a36 + "x", ""},
		{"pypi", "pypi-AgEIcHlwaS5vcmc" + b40, "#"},
		{"pypi", "pypi-mirror-" + b40, ""},
		{"private_key", "a\n" + key + "\nb\n-----BEGIN RSA PRIVATE KEY-----\nMI", "a\n#\nb\n#"},
		{"private_key", strings.Replace(key, "END PRIVATE KEY", "BEGIN EC PRIVATE KEY", 1) + "z", "##"},
		{"private_key", "-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY----- -----BEGIN ", ""},
		{"jwt", "x=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln;", "x=#;"},
		{"jwt", "eyJhbGciOiJIUzI1NiJ9 eyJhbGciOiJIUzI1NiJ9.abcdefghijklmno.c2ln a.eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.x", ""},
		{"bearer", "Authorization: bearer  abc.def-ghi_jkl1+/== x", "Authorization: bearer  # x"},
		{"bearer", "Bearer authentication-is-required, forbearer 0123456789abcdef Bearer short1 Bearer", ""},
		{"basic_auth_url", "postgres://app:s3cr%40t@db:5432/x http://u:p@h", "postgres://app:#@db:5432/x http://u:#@h"},
		{"basic_auth_url", "https://user@host https://h:80/a@b https://h/?a:b@c http://u:$PASS@h http://u:@h http://u:<pass>@h", ""},
		{SecretKeys, "X-Api-Key: abc123def\r\nCookie: a=b; c=d\nAuthorization: Basic dXNlcjpwYXNz\nx", "X-Api-Key: #\r\nCookie: #\nAuthorization: Basic #\nx"},
		{SecretKeys, "DB_PASSWORD=hunter GITHUB_TOKEN=abcd ?access_token=abc123&x=1", "DB_PASSWORD=# GITHUB_TOKEN=# ?access_token=#&x=1"},
		{SecretKeys, `{"password": "hunter","api_key":"x1y2","a":{\"client_secret\":\"a\\b1\"}} 'token' => 'abcd'`, `{"password": "#","api_key":"#","a":{\"client_secret\":\"#\"}} 'token' => '#'`},
		{SecretKeys, "password: hunter22\npassword := \"swordfish\"", "password: #\npassword := \"#\""},
		{SecretKeys, `password: required. The secret: never tell. "token": "string" password = getPassword() secret = config["x"] password: ${PASSWORD} password=""`, ""},
		{SecretKeys, "nextPageToken=abc123456 max_tokens: 100000 tokenizer: gpt2tok1 a==b :: = https://x", ""},
		{SecretKeys, "Authorization: required for all of these endpoints. Cookie: we use them. Authorization: Bearer abc", ""},
		{All, "b5a1c1b9-3c9e-4f57-9d7e-0a5e2f3c4d5e 9fceb02d0ae598e95dc970b74767f19372d61af8 sha256:" + repeated("0a1b", 64), ""},
	} {
		want := strings.ReplaceAll(tt.want, "#", "[redacted:"+tt.name+"]")
		if tt.want == "" {
			want = tt.text
		}
		if got := mustNew(t, tt.name).Text(tt.text); got != want {
			t.Errorf("%s: %q:\ngot  %q\nwant %q", tt.name, tt.text, got, want)
		}
	}
}

// Pictures are left alone, whatever they spell.
func TestPicturesAreLeftAlone(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	picture := make([]byte, 4<<20)
	for i := range picture {
		picture[i] = byte(random.Uint32())
	}
	text := base64.StdEncoding.EncodeToString(picture)
	text = text[:1000] + "AIza" + text[1000:2000] + "/AKIAABCDEFGHIJKLMNOP+" + text[2000:]
	if got := mustNew(t, All).Text(text); got != text {
		t.Error("got another picture, want it as it was")
	}
}

// A value that only shows what a secret looks like is left alone.
func TestSchemasAreLeftAlone(t *testing.T) {
	for _, raw := range []string{
		`{"properties":{"password":{"type":"string","minLength":8},"token":{"$ref":"#/x"}}}`,
		`{"nextPageToken":"abc"}`,
	} {
		if got := string(mustNew(t, All).JSON(nil, []byte(raw))); got != raw {
			t.Errorf("got %s, want %s", got, raw)
		}
	}
	if got := string((*Redactor)(nil).JSON(nil, []byte(`{"password":"x"}`))); got != `{"password":"x"}` {
		t.Errorf("without a Redactor: got %s", got)
	}
}

// FuzzText: a text in which all is found has nothing more to find.
func FuzzText(f *testing.F) {
	f.Add("password='a\\'b' x://u:p@h Cookie: a=b\nAuthorization: Basic 123456789 eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c")
	f.Add("-----BEGIN PRIVATE KEY----------BEGIN PRIVATE KEY-----")
	r := mustNew(f, All)
	f.Fuzz(func(t *testing.T, text string) {
		once := r.Text(text)
		if twice := r.Text(once); twice != once {
			t.Errorf("%q became %q, then %q", text, once, twice)
		}
	})
}

// The time must be in proportion to the text, whatever is in it.
func BenchmarkText(b *testing.B) {
	r := mustNew(b, All)
	for _, unit := range []string{
		"Reads things, one by one. ", "password:", "cookie:", "authorization=:", `password="`, "ya29.", "eyJaaaaaaaaaaaaa.", "://a:b",
		"-----BEGIN PRIVATE KEY", "hooks.slack.com/services/", "Bearer ", "password: password: ", "ghs_",
	} {
		text := strings.Repeat(unit, 1<<20/len(unit))
		b.Run(unit, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r.Text(text)
			}
		})
	}
}

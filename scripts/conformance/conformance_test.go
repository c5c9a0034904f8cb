package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets the suite start this program as its client.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == hostCommand {
		hostMain(os.Args[2])
		return
	}
	os.Exit(m.Run())
}

// TestConformance runs all there is.
func TestConformance(t *testing.T) {
	if _, err := os.Stat("../../e2e/npm/node_modules"); errors.Is(err, os.ErrNotExist) {
		t.Skip("e2e/npm/node_modules is missing; to get it: npm ci --prefix e2e/npm")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	var table bytes.Buffer
	err := run(t.Context(), nil, &table)
	t.Log("\n" + table.String())
	if err != nil {
		t.Error(err)
	}
}

func checks(pairs ...string) []check {
	var list []check
	for _, pair := range pairs {
		id, status, _ := strings.Cut(pair, " ")
		list = append(list, check{ID: id, Status: status, ErrorMessage: "why " + id})
	}
	return list
}

func TestCompare(t *testing.T) {
	tests := []struct {
		name            string
		direct, through []check
		want            []difference
	}{
		{"the same", checks("a SUCCESS", "b FAILURE"), checks("b FAILURE", "a SUCCESS"), nil},
		{"worse", checks("a SUCCESS"), checks("a FAILURE"), []difference{{"a", "SUCCESS", "FAILURE", "why a"}}},
		{"better", checks("a WARNING"), checks("a SUCCESS"), []difference{{"a", "WARNING", "SUCCESS", ""}}},
		{"missing", checks("a SUCCESS", "b SUCCESS"), checks("b SUCCESS"), []difference{{"a", "SUCCESS", "", ""}}},
		{"once less", checks("a SUCCESS", "a SUCCESS"), checks("a SUCCESS"), []difference{{"a", "SUCCESS SUCCESS", "SUCCESS", ""}}},
		{"in another order", checks("a SUCCESS", "a FAILURE"), checks("a FAILURE", "a SUCCESS"), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, compare(test.direct, test.through), cmp.AllowUnexported(difference{})); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name    string
		through []check
		want    []difference
	}{
		{"passed", checks("a SUCCESS", "b SKIPPED"), nil},
		{"failed", checks("a SUCCESS", "b WARNING"), []difference{{check: "b", through: "WARNING", message: "why b"}}},
		{"failed once", checks("a FAILURE", "a SUCCESS"), []difference{{check: "a", through: "FAILURE SUCCESS", message: "why a"}}},
		{"nothing checked", nil, []difference{{check: "scenario", message: "no check was made"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, faults(test.through), cmp.AllowUnexported(difference{})); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReport(t *testing.T) {
	different := row{
		leg: "server/0.2/2025-11-25/x/http", scenario: "s", direct: checks("a SUCCESS"), through: checks("a FAILURE"),
		differences: []difference{{"a", "SUCCESS", "FAILURE", "why"}},
	}
	same := row{leg: different.leg, scenario: "s", direct: checks("a SUCCESS"), through: checks("a SUCCESS")}
	tests := []struct {
		name     string
		row      row
		baseline string
		table    string // what the row says
		problem  string // "" is none
	}{
		{"same", same, "", "the same", ""},
		{"different", different, "", "NO", `s: a: direct "SUCCESS", through weir "FAILURE": why`},
		{"expected", different, "differs server/*/2025-11-25/*/* s a: it must", "it must", ""},
		{"expected of another leg", different, "differs client/*/*/*/* s a: it must", "NO", "why"},
		{"expected of another check", different, "differs */*/*/*/* s b: it must", "NO", "baseline.txt:1: s b: this difference is gone"},
		{"expected and gone", same, "# a remark\ndiffers */*/*/*/* s a: it must", "the same", "baseline.txt:2: s a: this difference is gone"},
		{"expected in what does not run", same, "differs */*/*/*/* other a: it must", "the same", ""},
		{"only to be run again", different, "retry */*/*/*/* s a: busy", "NO", "why"},
		{"perhaps", same, "may-differ */*/*/*/* s a: it comes and goes", "the same", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			expected, err := parseBaseline(test.baseline)
			if err != nil {
				t.Fatal(err)
			}
			var table bytes.Buffer
			err = report(&table, []row{test.row}, expected)
			lines := strings.Split(table.String(), "\n")
			if len(lines) != 3 || !strings.HasSuffix(lines[1], "  "+test.table) {
				t.Errorf("got table\n%s, want one row that ends with %q", table.String(), test.table)
			}
			if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
		})
	}
}

func TestRetry(t *testing.T) {
	r := row{leg: "client/0.2/2025-11-25/x/http", scenario: "s", differences: []difference{{check: "a"}}}
	tests := []struct {
		name     string
		row      row
		baseline string
		want     bool
	}{
		{"allowed", r, "retry client/*/*/*/* s *: busy", true},
		{"not allowed", r, "retry client/*/*/*/* other *: busy", false},
		{"another check", r, "retry client/*/*/*/* s b: busy", false},
		{"expected", r, "retry client/*/*/*/* s *: busy\ndiffers client/*/*/*/* s a: it must", false},
		{"passed", row{leg: r.leg, scenario: "s"}, "retry client/*/*/*/* s *: busy", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b, err := parseBaseline(test.baseline)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.wantsRetry(test.row); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestBaselineErrors(t *testing.T) {
	for _, text := range []string{
		"differs a s c without a reason",
		"differs a s: too few",
		"sometimes a s c: unknown word",
		"differs [ s c: bad pattern",
	} {
		if _, err := parseBaseline("\n" + text); err == nil || !strings.HasPrefix(err.Error(), "baseline.txt:2: ") {
			t.Errorf("%q: got %v, want an error with its line", text, err)
		}
	}
}

// TestAuthOf: a user configures what was agreed on beforehand, and nothing else.
func TestAuthOf(t *testing.T) {
	const given = `{"name":"x","client_id":"me","client_secret":"s","private_key_pem":"-----BEGIN\n","issuer":"https://a.example"}`
	const enterprise = `{"client_id":"me","client_secret":"s","idp_client_id":"i","idp_id_token":"d.e.f",` +
		`"idp_issuer":"https://i.example","idp_token_endpoint":"https://i.example/t"}`
	tests := []struct{ scenario, given, want string }{
		{"tools_call", "", ""},
		{"auth/metadata-default", "", ""},
		{"auth/metadata-default", given, ""},
		{"auth/basic-cimd", "", `{"client_metadata_url":"` + metadataURL + `","type":"oauth2"}`},
		{"auth/pre-registration", `{"client_id":"me","client_secret":"s"}`, `{"client_id":"me","client_secret":"s","type":"oauth2"}`},
		{"auth/pre-registration", given, `{"client_id":"me","client_secret":"s","issuer":"https://a.example","type":"oauth2"}`},
		{"auth/client-credentials-basic", given, `{"client_id":"me","client_secret":"s","grant":"client_credentials","type":"oauth2"}`},
		{"auth/wif-jwt-bearer", `{"client_id":"me","valid_jwt":"a.b.c"}`, `{"assertion":"a.b.c","grant":"jwt_bearer","type":"oauth2"}`},
		{
			"auth/enterprise-managed-authorization", enterprise,
			`{"client_id":"me","client_secret":"s","grant":"enterprise",` +
				`"identity_provider":{"client_id":"i","issuer":"https://i.example","subject_token":"d.e.f"},"type":"oauth2"}`,
		},
		{
			"auth/cross-app-access-complete-flow", enterprise,
			`{"client_id":"me","client_secret":"s","grant":"enterprise",` +
				`"identity_provider":{"client_id":"i","subject_token":"d.e.f","token_url":"https://i.example/t"},"type":"oauth2"}`,
		},
		{"auth/client-credentials-jwt", given, `{"client_id":"me","grant":"client_credentials","private_key":"-----BEGIN\n","type":"oauth2"}`},
	}
	for _, test := range tests {
		if got, err := authOf(test.scenario, test.given); err != nil || got != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.scenario, got, err, test.want)
		}
	}
	if _, err := authOf("auth/pre-registration", "no JSON"); err == nil {
		t.Error("what is no JSON is taken")
	}
}

func TestReadScores(t *testing.T) {
	dir := t.TempDir()
	const at = "-2026-01-02T03-04-05-678Z"
	for folder, text := range map[string]string{
		"tools_call" + at:       `[{"id":"a","status":"SUCCESS"},{"id":"b","status":"INFO"}]`,
		"server-ping" + at:      `[]`,
		"auth/basic-cimd" + at:  `[{"id":"c","status":"FAILURE","description":"why"}]`,
		"auth/broken-off" + at:  "",
		"place/auth/other" + at: `[]`,
		"auth/not-a-result":     `[]`,
	} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, folder, "checks.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readScores(dir)
	want := scores{
		"tools_call":      {{ID: "a", Status: "SUCCESS"}},
		"ping":            {},
		"auth/basic-cimd": {{ID: "c", Status: "FAILURE", Description: "why"}},
		"auth/broken-off": {{ID: "scenario", Status: "FAILURE", ErrorMessage: "did not come to its end"}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("got %v, scores (-want +got):\n%s", err, diff)
	}
	if got := messages(got["auth/basic-cimd"], "c"); got != "why" {
		t.Errorf("got message %q, want the description", got)
	}
}

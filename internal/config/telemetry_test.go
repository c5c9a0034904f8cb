package config

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func loadTelemetry(t *testing.T, text string) (*File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mcp.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(Options{Path: path})
}

func TestTelemetry(t *testing.T) {
	t.Setenv("COLLECTOR", "https://collector.example")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		text    string
		want    Telemetry
		headers map[string]string
		warning string
	}{
		"none": {text: "servers: {}"},
		"whole": {
			text: `telemetry: {endpoint: "http://[::1]:4318/x", traces: true, metrics: false, sample: 0.25, service: desk, ` +
				`headers: {x-key: "Bearer ${file:` + secret + `}", X-Plain: "$${a}"}}`,
			want:    Telemetry{Endpoint: "http://[::1]:4318/x", Traces: true, Ratio: 0.25, Service: "desk"},
			headers: map[string]string{"X-Key": "Bearer s3cret", "X-Plain": "${a}"},
		},
		"a variable": {
			text: "telemetry: {endpoint: '${COLLECTOR}'}",
			want: Telemetry{Endpoint: "https://collector.example", Traces: true, Metrics: true, Ratio: 1, Service: "weir"},
		},
		"a variable that is empty":   {text: "telemetry: {endpoint: '${WEIR_TEST_UNSET:-}'}"},
		"a variable that is not set": {text: "telemetry: {endpoint: '${WEIR_TEST_UNSET}'}", warning: "telemetry.endpoint: variable WEIR_TEST_UNSET is not set; nothing is sent"},
		"a header that is not set": {
			text:    "telemetry: {endpoint: '${COLLECTOR}', headers: {X-Key: '${WEIR_TEST_UNSET}'}}",
			warning: "telemetry.headers.X-Key: variable WEIR_TEST_UNSET is not set; nothing is sent",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := loadTelemetry(t, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			got := f.Telemetry
			if tt.headers != nil {
				headers, err := got.Headers(t.Context())
				if diff := cmp.Diff(tt.headers, headers); diff != "" || err != nil {
					t.Errorf("%v; -want +got\n%s", err, diff)
				}
			} else if got.Headers != nil {
				t.Error("got headers, want none")
			}
			got.Headers = nil
			if got.Endpoint != tt.want.Endpoint || got.Traces != tt.want.Traces || got.Metrics != tt.want.Metrics || got.Ratio != tt.want.Ratio || got.Service != tt.want.Service {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if tt.warning != "" && (len(f.Warnings) != 1 || !strings.HasSuffix(f.Warnings[0], tt.warning)) || tt.warning == "" && len(f.Warnings) != 0 {
				t.Errorf("got %q, want the warning %q", f.Warnings, tt.warning)
			}
		})
	}
}

// TestBadTelemetry: nothing is sent anywhere by mistake, and no address is repeated.
func TestBadTelemetry(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                                                       `telemetry: it needs an "endpoint"`,
		`{traces: true}`:                                           `telemetry: it needs an "endpoint"`,
		`{endpoint: "http://collector.example"}`:                   "http:// is for this machine only",
		`{endpoint: "ftp://collector.example"}`:                    "it must begin with https://",
		`{endpoint: "collector.example:4318"}`:                     "it must begin with https://",
		`{endpoint: "https://"}`:                                   "it has no host",
		`{endpoint: "https://s3cret:x@c.example"}`:                 "a name or password in it is not possible",
		`{endpoint: "https://c.example?key=s3cret"}`:               "it must not have a query",
		`{endpoint: "https://c.example", sample: 2}`:               "want the part of traces to record, from 0 to 1",
		`{endpoint: "https://c.example", sample: NaN}`:             "want the part of traces to record, from 0 to 1",
		`{endpoint: "https://c.example", traces: "yes"}`:           "want true or false",
		`{endpoint: "${file:/a}"}`:                                 "${file:} and ${keyring:} are not possible here",
		`{endpoint: "https://c.example", headers: {Host: x}}`:      "weir sets this header itself",
		`{endpoint: "https://c.example", headers: {X: "a\u0007"}}`: "it has a control character",
		`{endpoint: "https://c.example", header: {X: a}}`:          `unknown key "header" (did you mean "headers"?)`,
	} {
		_, err := loadTelemetry(t, "telemetry: "+text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestTelemetryHeadersThatAreGone: what a file holds is not repeated either.
func TestTelemetryHeadersThatAreGone(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret\x07"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{secret, secret + "gone"} {
		f, err := loadTelemetry(t, "telemetry: {endpoint: 'https://c.example', headers: {X: '${file:"+path+"}'}}")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Telemetry.Headers(context.Background()); err == nil || got != nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

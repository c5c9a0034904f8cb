package upstream

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// A call that resumes what a modern server began is not sent to a legacy one.
func TestResumes(t *testing.T) {
	for _, version := range []string{upstreamtest.Legacy, upstreamtest.Modern} {
		t.Run(version, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, server := openScript(t, script{Versions: []string{version}}, Peer{Modern: version == upstreamtest.Modern, Version: version})
				s := newSink()
				call := toolCall(s, "echo", `"requestState":"x"`)
				call.Resumes = true
				u.Do(nil, call)
				d := s.wait(t)
				if sent := len(server.Received("tools/call")); version == upstreamtest.Modern {
					if d.err != nil || sent != 1 {
						t.Errorf("got error %v, %d sent", d.err, sent)
					}
				} else if fault(t, d.err, KindProtocol, true); sent != 0 { // what it resumes may have run
					t.Errorf("%d sent", sent)
				}
			})
		})
	}
}

// What is declared for the host: the handshake says it once, else each request.
func TestCapabilitiesDeclared(t *testing.T) {
	const ofPeer, ofCall, ofMeta = `{"roots":{"x":1e0}}`, `{"sampling":{}}`, `{"elicitation":{}}`
	t.Run("legacy", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := legacyHost
			p.Capabilities = []byte(ofPeer)
			u, server := openScript(t, script{}, p)
			u.mustCall(t, "echo")
			if got := string(server.Received("initialize")[0].Message); !strings.Contains(got, `"capabilities":`+ofPeer+`,`) {
				t.Errorf("got %s", got)
			}
		})
	})
	tests := []struct{ peer, call, meta, want string }{
		{``, ``, ``, `{}`},
		{ofPeer, ``, ``, ofPeer},
		{ofPeer, ofCall, ``, ofCall},
		{ofPeer, ofCall, ofMeta, ofMeta},
		{ofPeer, ``, ofMeta, ofMeta},
	}
	for _, test := range tests {
		t.Run(test.peer+test.call+test.meta, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := modernHost
				if test.peer != "" {
					p.Capabilities = []byte(test.peer)
				}
				u, server := openScript(t, script{Versions: []string{modernVersion}}, p)
				for range 2 { // queued, and sent at once
					s := newSink()
					call := toolCall(s, "echo", "")
					if test.meta != "" {
						call = toolCall(s, "echo", `"_meta":{"`+MetaCapabilities+`":`+test.meta+`}`)
					}
					var ours []byte
					if test.call != "" {
						ours = []byte(test.call)
						call.Capabilities = ours
					}
					u.Do(nil, call)
					copy(ours, `{"gone":1}`) // good during Do only
					s.wait(t)
				}
				for _, r := range server.Received("tools/call") {
					if got := string(r.Message); !strings.Contains(got, `"`+MetaCapabilities+`":`+test.want+`,`) {
						t.Errorf("got %s, want %s", got, test.want)
					}
				}
			})
		})
	}
}

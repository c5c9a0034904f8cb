package aggregator

import (
	"cmp"
	"strings"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is where the eras differ on the host side: how the era of a
// request is found, what starts a conversation, and what a result must carry.

// era finds the era of a request, each by itself: a host may speak both on one
// pipe (2026-07-28, versioning).
func (s *session) era(r *request) *refusal {
	version := jsonrpc.Find(r.meta, upstream.MetaVersion)
	if version == nil {
		return s.legacyEra(r)
	}
	text, err := jsonrpc.String(version)
	if err != nil {
		return &refusal{code: codeInvalidParams, message: "Invalid params: " + upstream.MetaVersion + " must be a string"}
	}
	if text != upstream.ModernVersion {
		return unsupportedVersion(text)
	}
	if c := jsonrpc.Find(r.meta, upstream.MetaCapabilities); c == nil || c[0] != '{' {
		return &refusal{code: codeInvalidParams, message: "Invalid params: _meta needs the object " + upstream.MetaCapabilities}
	}
	r.modern, r.version = true, upstream.ModernVersion
	s.noteClient(jsonrpc.Find(r.meta, upstream.MetaClientInfo))
	if level := jsonrpc.Find(r.meta, upstream.MetaLogLevel); level != nil {
		var known bool
		if r.level, known = readLevel(level); !known {
			return &refusal{code: codeInvalidParams, message: "Invalid params: unknown log level in " + upstream.MetaLogLevel}
		}
	}
	return nil
}

// legacyEra is a request without a modern _meta: before initialize that can be
// initialize itself, or ping.
func (s *session) legacyEra(r *request) *refusal {
	switch {
	case s.declared.Load().version != "", string(r.method) == "initialize", string(r.method) == "ping":
		return nil
	case string(r.method) == "server/discover":
		return &refusal{code: codeInvalidParams, message: "Invalid params: server/discover needs " + upstream.MetaVersion + " in _meta"}
	}
	return &refusal{
		code:    codeInvalidRequest,
		message: "Invalid request: send initialize first, or " + upstream.MetaVersion + " in _meta",
	}
}

// unsupportedVersion is error −32022 (2026-07-28, versioning).
func unsupportedVersion(requested string) *refusal {
	data := append([]byte(`{"supported":`), supportedVersions()...)
	data = jsonrpc.AppendString(append(data, `,"requested":`...), clip(requested))
	return &refusal{code: codeUnsupportedVersion, message: "Unsupported protocol version", data: append(data, '}')}
}

func supportedVersions() []byte { return jsonrpc.AppendStrings(nil, upstream.Versions()) }

// initialize answers the legacy handshake with the host's own revision if weir
// speaks it, else with the newest (2025-11-25, lifecycle).
func (s *session) initialize(r *request) {
	version, err := jsonrpc.String(jsonrpc.Find(r.params, "protocolVersion"))
	if err != nil {
		s.refuse(&s.batch, r.id, codeInvalidParams, "Invalid params: initialize needs protocolVersion")
		return
	}
	if !upstream.LegacyVersion(version) {
		version = upstream.LatestLegacy
	}
	d := readDeclared(jsonrpc.Find(r.params, "capabilities"))
	d.version = version
	s.declared.Store(d)
	s.noteClient(jsonrpc.Find(r.params, "clientInfo"))
	s.a.open(s.peer(r))
	result := append([]byte(`{"protocolVersion":`), jsonrpc.AppendString(nil, version)...)
	result = s.appendSelf(result, version)
	result = append(append(result, `,"serverInfo":`...), s.a.serverInfo...)
	s.reply(&s.batch, r.id, append(result, '}'))
}

// discover answers server/discover (2026-07-28, discovery).
func (s *session) discover(r *request) {
	result := append([]byte(`{"resultType":"complete","supportedVersions":`), supportedVersions()...)
	result = s.appendSelf(result, r.version)
	result = append(result, `,"ttlMs":0,"cacheScope":"private",`...)
	s.reply(&s.batch, r.id, append(s.a.appendServerMeta(result), '}'))
}

// appendSelf appends what both handshakes say of weir to a host of this revision:
// the capabilities and the instructions, those of all servers together.
func (s *session) appendSelf(dst []byte, revision string) []byte {
	v := s.view()
	claims := v.claims()
	dst = claims.Append(append(dst, `,"capabilities":`...), revision)
	instructions := cmp.Or(v.notice, v.snapshot.Instructions(v.instructs))
	if text := v.instructsToFind(); text != "" { // first, since some hosts cut off the end
		instructions = strings.TrimRight(text+"\n\n"+instructions, "\n")
	}
	if text := v.instructsToLogIn(); text != "" {
		instructions = strings.TrimLeft(instructions+"\n\n"+text, "\n")
	}
	if instructions != "" {
		dst = jsonrpc.AppendString(append(dst, `,"instructions":`...), instructions)
	}
	return dst
}

// ping is answered here and goes nowhere (2025-11-25, ping).
func (s *session) ping(r *request) { s.reply(&s.batch, r.id, []byte("{}")) }

// appendServerMeta appends the member "_meta" that tells who answers.
func (a *Aggregator) appendServerMeta(dst []byte) []byte {
	dst = append(dst, `"_meta":{"`+upstream.MetaServerInfo+`":`...)
	return append(append(dst, a.serverInfo...), '}')
}

// appendIdentity appends the edit that adds who answers to a _meta that lacks
// it.
func (a *Aggregator) appendIdentity(edits []jsonrpc.Edit, meta []byte) []jsonrpc.Edit {
	var room [8]jsonrpc.Member
	members, err := jsonrpc.ParseObject(room[:0], meta)
	if err != nil || jsonrpc.Find(members, upstream.MetaServerInfo) != nil {
		return edits
	}
	with := append([]byte(`"`+upstream.MetaServerInfo+`":`), a.serverInfo...)
	return append(edits, insertion(meta, members, append(with, ',')))
}

// insertion is the edit that puts text, members with a comma behind each, before
// the members of an object.
func insertion(object []byte, members []jsonrpc.Member, text []byte) jsonrpc.Edit {
	if len(members) == 0 {
		text = text[:len(text)-1]
	}
	return jsonrpc.Edit{At: object[1:1], With: text}
}

// complete reports whether a result is the outcome of its request. Others ask
// for something that the legacy era has no word for.
func complete(fields []jsonrpc.Member) bool {
	kind := jsonrpc.Find(fields, "resultType")
	return kind == nil || string(kind) == `"complete"`
}

package aggregator

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// request is one request of the host while the reader handles it. All raw
// fields alias the line it came in.
type request struct {
	id      []byte
	key     callKey // of id
	method  []byte
	params  []jsonrpc.Member
	meta    []jsonrpc.Member // the members of params._meta
	token   []byte           // params._meta.progressToken, raw: a string or a number; nil without
	modern  bool
	version string   // of a modern request
	level   logLevel // likewise, of the log messages that it wants
	told    account
}

// method is how a request is handled in one era; nil means that the method is
// not of that era.
type method func(*session, *request)

// methods is every method that hosts may call.
var methods = map[string]byEra{
	"initialize":      {legacy: (*session).initialize},
	"ping":            {legacy: (*session).ping},
	"server/discover": {modern: (*session).discover},

	"tools/list":               both(listing(catalog.Tools)),
	"prompts/list":             both(listing(catalog.Prompts)),
	"resources/list":           both(listing(catalog.Resources)),
	"resources/templates/list": both(listing(catalog.Templates)),

	"tools/call":            callingTools,
	"tasks/get":             both(forwarding(taskGet)),
	"tasks/cancel":          both(forwarding(taskCancel)),
	"tasks/result":          {legacy: forwarding(taskResult)},
	"tasks/update":          {modern: forwarding(taskUpdate)},
	"tasks/list":            {legacy: (*session).listTasks},
	"prompts/get":           both(forwarding(promptGet)),
	"resources/read":        both(forwarding(resourceRead)),
	"completion/complete":   both(forwarding(completion)),
	"resources/subscribe":   {legacy: forwarding(resourceSubscribe)},
	"resources/unsubscribe": {legacy: (*session).unsubscribe},
	"logging/setLevel":      {legacy: (*session).setLevel},
	"subscriptions/listen":  {modern: (*session).listen},
}

var callingTools = both(forwarding(toolCall))

// methodOf is the method of this name: that of nearly all requests without a look
// into the table.
func methodOf(name []byte) byEra {
	if string(name) == toolCall.method {
		return callingTools
	}
	return methods[string(name)]
}

// byEra is a method in the two eras.
type byEra struct{ legacy, modern method }

func both(m method) byEra { return byEra{legacy: m, modern: m} }

// take checks a request, finds its era, and handles it.
func (s *session) take(m *jsonrpc.Message) {
	s.request = request{id: m.ID, key: keyOf(m.ID), method: m.Method, params: m.Fields, level: noLevel, told: s.openAccount(m)}
	r := &s.request
	refused := s.parse(r, m)
	s.trace(r)
	if refused == nil {
		refused = s.route(r)
	}
	if refused != nil {
		s.recordTurnedDown(r)
		s.refuseWith(&s.batch, m.ID, refused)
	}
}

// parse takes a request apart. What could be read in more than one way is
// refused: readers differ on which of two equal members counts, and some take
// no notice of case.
func (s *session) parse(r *request, m *jsonrpc.Message) *refusal {
	if m.Params != nil && m.Params[0] != '{' {
		return &refusal{code: codeInvalidParams, message: "Invalid params: want an object"}
	}
	if !m.IsPlain() {
		if why := ambiguous(m.Members, messageMembers); why != "" {
			return &refusal{code: codeInvalidRequest, message: "Invalid request: " + why}
		}
	}
	if why := ambiguous(r.params, paramsMembers); why != "" {
		return &refusal{code: codeInvalidRequest, message: "Invalid request: " + why + " in params"}
	}
	meta := jsonrpc.Find(r.params, "_meta")
	if meta == nil {
		return nil
	}
	members, err := jsonrpc.ParseObject(s.meta[:0], meta)
	if err != nil {
		return &refusal{code: codeInvalidParams, message: "Invalid params: _meta must be an object"}
	}
	s.meta, r.meta = members, members
	if why := ambiguous(members, metaMembers); why != "" {
		return &refusal{code: codeInvalidRequest, message: "Invalid request: " + why + " in _meta"}
	}
	if token := jsonrpc.Find(members, upstream.MetaProgress); token != nil && isToken(token) {
		r.token = token
	}
	return nil
}

// isToken reports whether raw can be a progress token. Some hosts write null
// for none.
func isToken(raw []byte) bool { return raw[0] == '"' || raw[0] == '-' || raw[0]-'0' < 10 }

// route finds the method for the request's era.
func (s *session) route(r *request) *refusal {
	if s.inFlight(r.key) {
		return &refusal{code: codeInvalidRequest, message: "Invalid request: a request with this id is in flight"}
	}
	if refused := s.era(r); refused != nil {
		return refused
	}
	known := methodOf(r.method)
	handle := known.legacy
	if r.modern {
		handle = known.modern
	}
	if handle == nil {
		return &refusal{code: codeMethodNotFound, message: "Method not found: " + clip(string(r.method))}
	}
	if !s.a.opened.Load() && (r.modern || s.declared.Load().version != "") {
		s.a.open(s.peer(r))
	}
	handle(s, r)
	return nil
}

// The members that the protocol knows, of a message and of params. A member
// that differs from one of them in case only is refused.
var (
	messageMembers = names("jsonrpc", "id", "method", "params", "result", "error")
	paramsMembers  = names(
		"name", "arguments", "_meta", "uri", "cursor", "ref", "argument", "context", "level", "task", "taskId",
		"inputResponses", "requestState", "notifications", "protocolVersion", "capabilities", "clientInfo",
	)
	metaMembers = names(
		upstream.MetaProgress, upstream.MetaVersion, upstream.MetaCapabilities,
		upstream.MetaClientInfo, upstream.MetaLogLevel,
	)
)

// nameSet is names of members, found by how they begin.
type nameSet struct {
	all   [][]byte
	begun [1 << beginBits][][]byte // by the low bits of the first byte, which are those of both cases
}

const beginBits = 5

func names(texts ...string) *nameSet {
	set := new(nameSet)
	for _, text := range texts {
		name := []byte(text)
		set.all = append(set.all, name)
		begun := &set.begun[name[0]%(1<<beginBits)]
		*begun = append(*begun, name)
	}
	return set
}

// near are the names that key may be, or look like. A nil set has none.
func (set *nameSet) near(key []byte) [][]byte {
	switch {
	case set == nil, len(key) == 0:
		return nil
	case key[0] >= utf8.RuneSelf: // some fold to an ASCII letter
		return set.all
	}
	return set.begun[key[0]%(1<<beginBits)]
}

// ambiguous says what could be read in two ways among members, or "".
func ambiguous(members []jsonrpc.Member, protocol *nameSet) string {
	if len(members) > maxCompared {
		return "too many members"
	}
	for i := range members {
		key := members[i].Key
		for k := range i {
			if bytes.Equal(key, members[k].Key) {
				return fmt.Sprintf("member %q stands twice", clip(string(key)))
			}
		}
		if name := lookalike(key, protocol); name != nil {
			return fmt.Sprintf("member %q looks like %q", clip(string(key)), name)
		}
	}
	return ""
}

// lookalike returns the name that key is but for case, as Unicode folds it; nil
// if key is a name itself or like none.
func lookalike(key []byte, protocol *nameSet) (like []byte) {
	for _, name := range protocol.near(key) {
		if bytes.Equal(key, name) {
			return nil
		}
		// What folds to an ASCII letter has as many bytes or more.
		if len(key) >= len(name) && bytes.EqualFold(key, name) {
			like = name
		}
	}
	return like
}

// maxCompared is how many members an object of the protocol may have: their
// comparison is quadratic.
const maxCompared = 200

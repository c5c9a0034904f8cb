package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
	"github.com/weir-mcp/weir/upstream/transport"
)

// Bounds of one list, against servers that page without end.
const (
	maxPages = 1000
	maxItems = 100_000
)

// A List is everything a server lists of one kind.
type List struct {
	Items [][]byte // raw, in the server's order
	Facts Facts    // of the connection it came on

	// Hints of a modern server (2026-07-28, caching): how long the list is
	// fresh, the shortest of its pages; "public" if no page said otherwise, ""
	// if none said anything.
	TTL    time.Duration
	HasTTL bool
	Scope  string
}

// A listKind is one thing that servers list.
type listKind struct {
	method     string
	member     string // of the result
	capability string // without which a server has none
	changed    string // the notification that tells of changes
	filter     string // the member of a subscription's filter that asks for it
	noun       string
}

var (
	toolList = listKind{
		"tools/list", "tools", "tools", "notifications/tools/list_changed", "toolsListChanged", "tools",
	}
	promptList = listKind{
		"prompts/list", "prompts", "prompts", "notifications/prompts/list_changed", "promptsListChanged", "prompts",
	}
	resourceList = listKind{
		"resources/list", "resources", "resources", "notifications/resources/list_changed", "resourcesListChanged", "resources",
	}
	templateList = listKind{
		"resources/templates/list", "resourceTemplates", "resources", "notifications/resources/list_changed", "resourcesListChanged",
		"resource templates",
	}
)

// isAmong reports whether one of these methods asks for what the changes of this
// list are told with.
func (k *listKind) isAmong(methods []string) bool {
	return slices.Contains(methods, k.method) || k == &resourceList && slices.Contains(methods, templateList.method)
}

// ListTools asks for all pages of tools/list, connecting if need be. A server
// that declared no tools has none and is not asked. The error is as that of
// [Upstream.Ask]; the pages take the list timeout at most.
func (u *Upstream) ListTools(ctx context.Context) (List, error) {
	list, err := u.list(ctx, toolList)
	if err != nil {
		return List{}, err
	}
	u.dropBadHeaders(&list)
	return list, nil
}

// ListPrompts is as ListTools, for prompts/list.
func (u *Upstream) ListPrompts(ctx context.Context) (List, error) { return u.list(ctx, promptList) }

// ListResources is as ListTools, for resources/list.
func (u *Upstream) ListResources(ctx context.Context) (List, error) { return u.list(ctx, resourceList) }

// ListTemplates is as ListTools, for resources/templates/list. A server with
// resources that does not know the method has no templates.
func (u *Upstream) ListTemplates(ctx context.Context) (List, error) {
	list, err := u.list(ctx, templateList)
	if refusal, ok := errors.AsType[*ReplyError](err); ok && refusal.Code == codeMethodNotFound {
		return list, nil
	}
	return list, err
}

// list follows the pages, and does so once more from the first if the server
// does not know its own cursor any more (2026-07-28, pagination).
func (u *Upstream) list(ctx context.Context, kind listKind) (List, error) {
	facts, err := u.Connect(ctx)
	if err != nil || !declares(facts, kind.capability) {
		return List{Facts: facts}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, u.cfg.ListTimeout, u.listTimeout(kind))
	defer cancel()
	list, err := u.pages(ctx, facts, kind)
	if errors.Is(err, errCursor) {
		list, err = u.pages(ctx, facts, kind)
	}
	if err != nil {
		return List{Facts: facts}, err
	}
	return list, nil
}

func (u *Upstream) listTimeout(kind listKind) error {
	return TimeoutError{&Fault{
		Server: u.cfg.Name, Retryable: true,
		Text: fmt.Sprintf("the server did not list its %s within %v", kind.noun, u.cfg.ListTimeout),
	}}
}

// errCursor marks a server's refusal of a cursor of its own.
var errCursor = errors.New("cursor refused")

func (u *Upstream) pages(ctx context.Context, facts Facts, kind listKind) (List, error) {
	list := List{Facts: facts}
	var cursor []byte
	seen := map[string]bool{}
	size := 0
	for range maxPages {
		w := newWaiter(kind.method, cursorParams(cursor), -1)
		w.call.lists = true
		reply, err := u.await(ctx, w)
		if refusal, ok := errors.AsType[*ReplyError](err); ok && cursor != nil && refusal.Code == codeInvalidParams {
			return List{}, fmt.Errorf("%w: %w", errCursor, err)
		}
		if err != nil {
			return List{}, err
		}
		if err := list.add(reply.Fields, kind.member); err != nil {
			return List{}, u.protocolFailure(fmt.Sprintf("the server's answer to %s is no list", kind.method), err)
		}
		size += len(reply.Result)
		// An empty string is a cursor too.
		cursor = jsonrpc.Find(reply.Fields, "nextCursor")
		if cursor == nil || string(cursor) == "null" {
			return list, nil
		}
		if seen[string(cursor)] {
			return List{}, u.protocolFailure(fmt.Sprintf("the server's %s goes round in circles", kind.method), nil)
		}
		seen[string(cursor)] = true
		if len(list.Items) > maxItems || size > u.messageLimit() {
			break
		}
	}
	return List{}, u.protocolFailure(fmt.Sprintf("the server's %s has no end", kind.method), nil)
}

func cursorParams(cursor []byte) []jsonrpc.Member {
	if cursor == nil {
		return nil
	}
	return []jsonrpc.Member{jsonrpc.NewMember("cursor", cursor)}
}

// add takes the items and hints of one page. Some servers write null for no
// items.
func (l *List) add(fields []jsonrpc.Member, member string) error {
	raw := jsonrpc.Find(fields, member)
	if string(raw) != "null" {
		if len(raw) > manyBytes && commas(raw) >= maxItems {
			return errTooMany
		}
		items, err := jsonrpc.ParseArray(l.Items, raw)
		if err != nil {
			return err
		}
		l.Items = items
	}
	l.addTTL(jsonrpc.Find(fields, "ttlMs"))
	if scope := jsonrpc.Find(fields, "cacheScope"); scope != nil {
		l.addScope(scope)
	}
	return nil
}

var errTooMany = errors.New("too many items")

// manyBytes is the size from which the items are counted before room is made
// for them.
const manyBytes = 1 << 20

// commas counts those between the elements of a valid array.
func commas(array []byte) int {
	depth, count, inString := 0, 0, false
	for i := 0; i < len(array); i++ {
		switch c := array[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 1:
			count++
		}
	}
	return count
}

// longestTTL keeps what a server says within what can be reckoned with.
const longestTTL = 365 * 24 * time.Hour

// addTTL takes the hint of one page; the shortest counts, and a negative one
// is none at all.
func (l *List) addTTL(raw []byte) {
	ms, err := strconv.ParseFloat(string(raw), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return
	}
	ttl := time.Duration(min(max(ms, 0), float64(longestTTL.Milliseconds()))) * time.Millisecond
	if !l.HasTTL || ttl < l.TTL {
		l.TTL, l.HasTTL = ttl, true
	}
}

// addScope takes the scope of one page: public only if all that say are.
func (l *List) addScope(raw []byte) {
	switch scope, err := jsonrpc.String(raw); {
	case err != nil || scope != "public":
		l.Scope = "private"
	case l.Scope == "":
		l.Scope = scope
	}
}

// dropBadHeaders leaves out the tools whose x-mcp-header annotations break the
// rules, as a client on modern HTTP must (2026-07-28, Streamable HTTP).
func (u *Upstream) dropBadHeaders(l *List) {
	if !l.Facts.Modern || u.cfg.Transport != HTTP {
		return
	}
	kept := l.Items[:0]
	for _, item := range l.Items {
		if err := checkHeaders(item); err != nil {
			u.log.Warn().Err(err).Bytes("tool", clip(item)).Msg("tool left out")
			continue
		}
		kept = append(kept, item)
	}
	l.Items = kept
}

func checkHeaders(item []byte) error {
	if !bytes.Contains(item, []byte("x-mcp-header")) {
		return nil
	}
	members, err := jsonrpc.ParseObject(nil, item)
	if err != nil {
		return errors.New("tool is no object")
	}
	_, err = transport.ParseParamHeaders(jsonrpc.Find(members, "inputSchema"))
	return err
}

package aggregator

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// listing is the method that answers tools/list, or that of another kind, from
// the catalog, as soon as that has had its chance to hear from every server. The
// list is one page.
func listing(k catalog.Kind) method {
	op := &operation{method: listMethods[k], kind: "list"}
	return func(s *session, r *request) {
		s.a.noticePins()
		r.told.name = listNames[k]
		if hasCursor(r.params) {
			s.recordTurnedDown(r)
			s.refuse(&s.batch, r.id, codeInvalidParams, "Invalid params: unknown cursor")
			return
		}
		in := s.shape(r)
		if s.a.listsAreIn() {
			s.replyList(&s.batch, r.id, k, in, &r.told)
			s.a.refreshOld(k)
			return
		}
		s.whenListed(r, op, func(_ context.Context, c *call) {
			s.out.WaitBelow(maxUnwritten)
			if c.end() {
				s.replyList(nil, c.id, k, in, &c.told)
			}
		})
	}
}

// hasCursor reports whether a page is asked for that is not the first: no list
// of weir's has any.
func hasCursor(params []jsonrpc.Member) bool {
	cursor := jsonrpc.Find(params, "cursor")
	return cursor != nil && string(cursor) != "null"
}

var listMethods = [catalog.Kinds]string{"tools/list", "prompts/list", "resources/list", "resources/templates/list"}

// listNames are the lists in the audit log.
var listNames = [catalog.Kinds]string{"tools", "prompts", "resources", "templates"}

// shape is how the host of a request sees lists.
func (s *session) shape(r *request) shape {
	return shape{legacy: !r.modern, apps: s.declares(r).ui, tasks: s.hasTasks(r.modern)}
}

func (s *session) replyList(b *jsonrpc.Batch, id []byte, k catalog.Kind, in shape, told *account) {
	v := s.view()
	text := v.lists[k].in(in)
	s.see(k, in, text)
	s.recordList(told, listMethods[k], v.lists[k].count(in), len(text))
	if in.legacy {
		s.write(b, replyHead(id), []byte("{"), text, []byte("}}"))
		return
	}
	ttl, _ := v.snapshot.Hints(k, time.Now())
	tail := append([]byte(`,"resultType":"complete","ttlMs":`), strconv.FormatInt(ttl.Milliseconds(), 10)...)
	tail = s.a.appendServerMeta(append(tail, `,"cacheScope":"private",`...))
	s.write(b, replyHead(id), []byte("{"), text, tail, []byte("}}"))
}

// A sight is a list as a host knows it. The zero sight is none.
type sight struct {
	shape shape
	text  []byte
}

// see notes the list that the host knows now.
func (s *session) see(k catalog.Kind, in shape, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[k] = sight{in, text}
}

// stale reports whether the host knows one of these lists, and it is another
// now. The caller holds s.mu.
func (s *session) stale(kinds kindSet, now *view) bool {
	for k, known := range s.seen {
		if kinds.has(catalog.Kind(k)) && known.text != nil && !bytes.Equal(known.text, now.lists[k].in(known.shape)) {
			return true
		}
	}
	return false
}

// catchUp takes these lists for known as they are now, if they were known at all.
// The caller holds s.mu.
func (s *session) catchUp(kinds kindSet, now *view) {
	for k := range s.seen {
		if known := &s.seen[k]; kinds.has(catalog.Kind(k)) && known.text != nil {
			known.text = now.lists[k].in(known.shape)
		}
	}
}

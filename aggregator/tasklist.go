package aggregator

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// Bounds of the tasks of one server that are listed.
const (
	maxTaskPages = 100
	maxTasks     = 10_000
)

var tasksListing = &operation{method: "tasks/list", kind: "task"}

// listTasks answers tasks/list (2025-11-25, tasks) with those of all servers
// that list theirs, on one page. A server that cannot be asked is left out.
func (s *session) listTasks(r *request) {
	if hasCursor(r.params) {
		s.recordTurnedDown(r)
		s.refuse(&s.batch, r.id, codeInvalidParams, "Invalid params: unknown cursor")
		return
	}
	r.told.name = "tasks"
	s.whenListed(r, tasksListing, func(ctx context.Context, c *call) {
		tasks := s.allTasks(ctx)
		if c.end() {
			result := slices.Concat([]byte(`{"tasks":[`), bytes.Join(tasks, []byte(",")), []byte("]}"))
			s.recordList(&c.told, tasksListing.method, len(tasks), len(result))
			s.reply(nil, c.id, result)
		}
	})
}

// allTasks asks all servers at once and returns their tasks in the order of the
// configuration.
func (s *session) allTasks(ctx context.Context) [][]byte {
	v := s.view()
	found := make([][][]byte, len(v.servers))
	var asking sync.WaitGroup
	for i, server := range v.servers {
		if server.listsTasks() && v.present(server.Name) {
			asking.Go(func() { found[i] = server.ownTasks(ctx) })
		}
	}
	asking.Wait()
	return slices.Concat(found...)
}

func (s *server) listsTasks() bool {
	l := s.current()
	return l != nil && l.Known() && !l.Modern && isObject(memberOf(memberOf(l.Capabilities, "tasks"), "list"))
}

// ownTasks returns the tasks of one server, with weir's ids.
func (s *server) ownTasks(ctx context.Context) [][]byte {
	var tasks [][]byte
	var params []jsonrpc.Member
	for range maxTaskPages {
		reply, err := s.up.Ask(ctx, tasksListing.method, params, 0)
		page, listErr := jsonrpc.ParseArray(nil, jsonrpc.Find(reply.Fields, "tasks"))
		if err != nil || listErr != nil {
			s.a.log.Debug().Err(err).Str("upstream", s.Name).Msg("tasks are not listed")
			return tasks
		}
		for _, task := range page {
			edits := s.a.appendTaskEdit(nil, s, memberOf(task, "taskId"))
			if edits != nil && len(tasks) < maxTasks {
				tasks = append(tasks, jsonrpc.Splice(nil, task, edits...))
			}
		}
		cursor := jsonrpc.Find(reply.Fields, "nextCursor")
		if cursor == nil || string(cursor) == "null" {
			break
		}
		params = []jsonrpc.Member{jsonrpc.NewMember("cursor", cursor)}
	}
	return tasks
}

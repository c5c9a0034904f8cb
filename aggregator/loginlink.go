package aggregator

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file asks a host's user to open the page where they log in to a server
// (2025-11-25 and 2026-07-28, elicitation, URL mode). A legacy host is asked while
// the request waits, a modern one by input_required, as parked.go has it.

// Why a user whom the host was to ask has not opened the page.
var (
	errDeclined = errors.New("the user has declined to log in")
	errNotAsked = errors.New("the host has not asked the user")
)

// takesLinks reports whether the host of a call can ask its user to open a page.
// The call is kept.
func (c *call) takesLinks() bool {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.kept != nil && c.kept.declared != nil && c.kept.declared.url
}

// keptUnsent is a request that weir itself may have to ask the host for, before
// anything is sent.
func (s *session) keptUnsent(op *operation, params []jsonrpc.Member, modern bool) *kept {
	k := &kept{digest: op.digest(params), declared: s.declared.Load()}
	if modern {
		k.declared = readDeclared(memberOf(jsonrpc.Find(params, "_meta"), upstream.MetaCapabilities))
	}
	return k
}

func (c *call) keepUnsent(name string, k *kept) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.name, c.kept = name, k
}

// offerLink has the host ask its user to open the page of a visit. It returns when
// the user has agreed to that, or the visit is over anyway. The error is
// errDeclined, errNotAsked, or ctx's.
func (c *call) offerLink(ctx context.Context, s *server, v *visit) error {
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	ask := c.linkByRequest
	if c.modern {
		ask = c.linkByResult
	}
	page := v.attempt.URL()
	answer, err := ask(asking, v, linkMessage(s.Name, s.desk.gate.LoginWanted(), page), page)
	switch {
	case ctx.Err() != nil:
		s.desk.giveUp(v, false)
		return context.Cause(ctx)
	case v.over():
		return nil
	case err == nil && answer == "accept":
		s.desk.open(v)
		return nil
	case err == nil:
		err = errDeclined
	}
	s.desk.giveUp(v, true)
	return err
}

// linkMessage says to a user who wants a login, and where.
func linkMessage(server string, wanted *auth.LoginError, page string) string {
	host := loginHost(page)
	if wanted == nil || !wanted.StepUp {
		return fmt.Sprintf("Server %q wants you to log in at %s.", server, host)
	}
	scopes := ""
	if len(wanted.Scopes) > 0 {
		scopes = " (" + plain(strings.Join(wanted.Scopes, " ")) + ")"
	}
	return fmt.Sprintf("Server %q wants you to log in again at %s: what it is asked to do needs more rights%s.", server, host, scopes)
}

// linkByRequest asks a legacy host, and tells it when the user is logged in. It
// returns the user's action.
func (c *call) linkByRequest(ctx context.Context, v *visit, message, page string) (action string, err error) {
	s := c.s
	id := fmt.Sprintf("weir:%x", newHandle())
	wait, err := s.ask("elicitation/create", func(uint64) []byte {
		return jsonrpc.AppendObject(nil, append(linkParams(message, page), jsonrpc.NewMember("elicitationId", jsonrpc.AppendString(nil, id))))
	})
	if err != nil {
		return "", errNotAsked
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.behind.Go(func() {
		select {
		case <-v.ended:
			cancel() // there is nothing to be asked any more
		case <-ctx.Done():
		}
	})
	answer, err := wait(ctx)
	switch {
	case err != nil:
		return "", err
	case answer.result == nil:
		return "", errNotAsked
	}
	action, _ = jsonrpc.String(memberOf(answer.result, "action")) // another kind is no action
	if action == "accept" {
		s.behind.Go(func() { s.completeLink(v, id) })
	}
	return action, nil
}

// completeLink tells a legacy host that what it has opened a page for is done
// (2025-11-25, elicitation).
func (s *session) completeLink(v *visit, id string) {
	select {
	case <-v.ended:
	case <-s.ctx.Done():
		return
	}
	if v.outcome == nil {
		s.write(nil, []byte(`{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":`),
			jsonrpc.AppendString(nil, id), []byte("}}"))
	}
}

// linkByResult asks a modern host: the request is answered with the question, and
// the next one takes it over. It returns the user's action.
func (c *call) linkByResult(ctx context.Context, _ *visit, message, page string) (action string, err error) {
	answers := make(chan []byte, 1)
	c.s.mu.Lock()
	c.link = answers
	c.s.mu.Unlock()
	params := jsonrpc.AppendObject(nil, linkParams(message, page))
	if !c.enlistConsent([]*openQuestion{{method: "elicitation/create", params: params}}) {
		return "", errNotAsked
	}
	c.park(nil)
	select {
	case answer := <-answers:
		action, _ = jsonrpc.String(memberOf(answer, "action")) // another kind is no action
		return action, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

func linkParams(message, page string) []jsonrpc.Member {
	return []jsonrpc.Member{
		jsonrpc.NewMember("mode", []byte(`"url"`)),
		jsonrpc.NewMember("message", jsonrpc.AppendString(nil, message)),
		jsonrpc.NewMember("url", jsonrpc.AppendString(nil, page)),
	}
}

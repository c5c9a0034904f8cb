package aggregator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// This file is weir's own tool by which the user logs in to a server.

// progressPace is how often a host that wants to know is told that weir still
// waits for the user.
const progressPace = 5 * time.Second

func readLogin(a *ownArguments) deed {
	name := a.text("server")
	return deed{drive: func(ctx context.Context, c *call) (string, error) {
		s, err := c.s.view().toLogIn(name)
		if err != nil {
			return "", err
		}
		if s == nil {
			return "No login is wanted there now.", nil
		}
		return c.logInTo(ctx, s)
	}}
}

// toLogIn finds the server that is to be logged in to, by its name or an alias; ""
// is the only one that wants it. nil is one that wants none. One that is not there
// for the principal is like one that is not there at all.
func (v *view) toLogIn(name string) (*server, error) {
	wanting := slices.DeleteFunc(slices.Clone(v.wanting), func(s *server) bool { return !s.wantsLogin() })
	switch {
	case name != "":
	case len(wanting) == 0:
		return nil, nil
	case len(wanting) == 1:
		return wanting[0], nil
	default:
		return nil, &ChangeError{Kind: upstream.KindValidation, Text: "Several servers want a login: " + namesOfServers(wanting) + ". Name one of them."}
	}
	for i, s := range v.servers {
		switch {
		case s.Name != name && !slices.Contains(v.exposed[i].Aliases, name):
		case slices.Contains(wanting, s):
			return s, nil
		case v.shown[s.Name] && (s.isKnown() || v.reaches(s.Name)):
			return nil, nil
		}
	}
	return nil, noServer(name)
}

// isKnown reports whether the server has ever told what it has.
func (s *server) isKnown() bool {
	l := s.current()
	return l != nil && l.Known()
}

// logInTo has the user log in to a server, who has asked for it by a host, and
// waits a while.
func (c *call) logInTo(ctx context.Context, s *server) (string, error) {
	satisfied := s.desk.satisfied()
	terminal := "Run `weir login " + s.Name + "` in a terminal."
	v, _, err := s.enter(ctx, false, true)
	if err != nil {
		return "", loginFailed("The login could not begin: " + reasonOf(err) + ". " + terminal)
	}
	if err := c.presentAnew(ctx, s, v); err != nil {
		if errors.Is(err, errDeclined) {
			return "", loginFailed("The user does not want to log in now.")
		}
		return "", loginFailed("There is no way here to show the user the page to log in at. " + terminal)
	}
	done := fmt.Sprintf("The user is logged in to server %q at %s.", s.Name, loginHost(v.attempt.URL()))
	late := time.NewTimer(loginTime)
	defer late.Stop()
	pace := time.NewTicker(progressPace)
	defer pace.Stop()
	for n := 1; ; n++ {
		c.tellProgress(n, fmt.Sprintf("Waiting for the user to log in to server %q", s.Name))
		select {
		case <-pace.C:
			continue
		case <-satisfied:
			s.awaitTools(ctx)
			return done, nil
		case <-late.C:
			return fmt.Sprintf("The user has the page to log in to server %q and is not done yet. "+
				"When the user says so, go on; its tools work then. If the page was lost, call this tool again.", s.Name), nil
		case <-v.ended:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		if v.outcome != nil {
			return "", loginFailed("The login has come to nothing: " + reasonOf(v.outcome) + ". " + terminal)
		}
		s.awaitTools(ctx)
		return done, nil
	}
}

// awaitTools waits a while until the server that somebody has just logged in to has
// listed its tools: whoever hears of the login calls one of them next.
func (s *server) awaitTools(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.a.world.Load().patience)
	defer cancel()
	if err := s.compareFirst(ctx, toolCall); err != nil {
		s.a.log.Debug().Err(err).Str("upstream", s.Name).Msg("listing after the login")
	}
}

// presentAnew shows the user the page of a visit, whoever has shown it before.
func (c *call) presentAnew(ctx context.Context, s *server, v *visit) error {
	s.desk.take(v)
	if c.takesLinks() {
		return c.offerLink(ctx, s, v)
	}
	return s.browse(ctx, v)
}

func loginFailed(text string) error {
	return &ChangeError{Kind: upstream.KindAuthentication, Text: text}
}

// tellProgress tells the host that its request is being worked on, if it wants to
// know (2025-11-25 and 2026-07-28, progress).
func (c *call) tellProgress(n int, message string) {
	token := c.progressToken()
	if token == nil {
		return
	}
	out := append([]byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`), token...)
	out = strconv.AppendInt(append(out, `,"progress":`...), int64(n), 10)
	out = jsonrpc.AppendString(append(out, `,"message":`...), message)
	c.s.write(nil, append(out, "}}"...))
}

// instructsToLogIn tells hosts which servers want a login; "" for none.
func (v *view) instructsToLogIn() string {
	if len(v.wanting) == 0 {
		return ""
	}
	text := "These servers want the user to log in before they can be used: " + namesOfServers(v.wanting) +
		". `weir login SERVER` in a terminal lets the user do that"
	if t := ownToolOf(loginTool); slices.Contains(v.lists[0].own, t) {
		text += ", and so does the tool " + t.name()
	}
	return text + "."
}

package aggregator

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/auth"
	"github.com/weir-mcp/weir/upstream/auth/login"
)

// This file is the logins of servers: which of them want one, and one login of a
// server at a time, whoever began it. How a host's user is asked for it stands in
// loginlink.go, what becomes of a call that needs one in loginfirst.go.

// A gate is where a server's user logs in.
type gate interface {
	// LoginWanted is the login that is wanted now; nil if none is.
	LoginWanted() *auth.LoginError

	// BeginLogin begins one, or returns that which is under way. ctx bounds no more
	// than the beginning.
	BeginLogin(ctx context.Context, o auth.LoginOptions) (attempt, error)

	// Open opens the page of an attempt in the user's browser.
	Open(ctx context.Context, at attempt) error

	// CredentialsChanged tells that somebody has logged in.
	CredentialsChanged()
}

// An attempt is a login that is under way, as package login has it.
type attempt interface {
	URL() string
	Done() <-chan struct{}
	Err() error // once it is Done; nil for a login that has succeeded
	Close()
}

const (
	// beginTime is how long it may take to find out where the user is to log in.
	beginTime = 30 * time.Second

	// loginTime is how long a request waits for a user who has the page open. Hosts
	// bear little more.
	loginTime = 25 * time.Second

	// refusedTime is how long a user who does not log in is not asked again by a
	// mere call.
	refusedTime = 10 * time.Minute

	// failedTime is how long a login that could not begin is not begun again by a
	// mere call: to find that out takes a dozen requests, some to the authorization
	// server.
	failedTime = time.Minute

	// reopenTime is how long a page that is open is not opened once more, however
	// often that is asked for: a model may call in a circle.
	reopenTime = 20 * time.Second
)

// A desk is where the user logs in to one server. All requests that need it share
// one visit at a time. It is safe for concurrent use.
type desk struct {
	gate gate

	mu      sync.Mutex
	needed  chan struct{} // while a login is wanted: closed when none is any more
	visit   *visit        // the latest; nil before the first
	refused time.Time     // when the user has last let one come to nothing
	failed  time.Time     // when one could last not begin
}

// A visit is one login, from its beginning to its end.
type visit struct {
	unasked bool // it is to open a browser that nobody has asked for

	begun   chan struct{} // closed when the next two are known
	attempt attempt
	err     error // why there is none

	ended   chan struct{} // closed when the next is known
	outcome error         // nil: the user is logged in

	// Guarded by the desk's mu.
	taken bool // somebody shows the page to the user
	shown bool // the page is open, or the user has agreed to open it

	opened time.Time // when the browser last got the page
}

func (v *visit) over() bool {
	select {
	case <-v.ended:
		return true
	default:
		return false
	}
}

// newDesk returns the desk of a server, nil for one that nobody can log in to.
func newDesk(g gate) *desk {
	if g == nil {
		return nil
	}
	return &desk{gate: g}
}

// wantsLogin reports whether a login of the server is wanted, as far as was
// noticed.
func (s *server) wantsLogin() bool {
	if s.desk == nil {
		return false
	}
	s.desk.mu.Lock()
	defer s.desk.mu.Unlock()
	return s.desk.needed != nil
}

// noteLogin notices whether a login is wanted. Hosts are told if that changes what
// they see: once, with what the server lists to who is logged in, if that comes soon.
func (s *server) noteLogin() {
	if s.desk == nil || !s.desk.note() {
		return
	}
	s.a.spawn(func() {
		if !s.wantsLogin() {
			s.awaitTools(s.ctx)
		}
		s.showLogin()
	})
}

// showLogin is noteLogin that returns when all hosts see what they are to see.
func (s *server) showLogin() {
	if s.desk == nil {
		return
	}
	s.desk.note()
	if s.wantsLogin() != slices.Contains(s.a.view.Load().wanting, s) && s.a.setSnapshot() {
		s.a.pushes.soon()
	}
}

func (d *desk) note() (changed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	wanted := d.gate.LoginWanted() != nil
	switch {
	case wanted == (d.needed != nil):
		return false
	case wanted:
		d.needed = make(chan struct{})
	default:
		close(d.needed)
		d.needed = nil
	}
	return true
}

// satisfied is closed when no login is wanted any more; nil if none is.
func (d *desk) satisfied() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.needed
}

// enter returns the login under way, or begins one, once there is its attempt. It
// reports false where the user has refused lately and nobody has asked for it in
// words since. The error is ctx's, or why it cannot begin.
func (s *server) enter(ctx context.Context, unasked, insisting bool) (v *visit, welcome bool, err error) {
	for {
		if v = s.latestVisit(unasked, insisting); v == nil {
			return nil, false, nil
		}
		select {
		case <-v.begun:
		case <-ctx.Done():
			return nil, true, context.Cause(ctx)
		}
		if v.err == nil || unasked || !v.unasked {
			return v, true, v.err
		}
		// What nobody has asked for was refused, and this one was asked for.
		<-v.ended
	}
}

func (s *server) latestVisit(unasked, insisting bool) *visit {
	d := s.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case insisting:
	case d.visit != nil && !d.visit.over():
	case !d.refused.IsZero() && time.Since(d.refused) < refusedTime:
		return nil
	case !unasked && d.failsStill():
		return d.visit
	}
	if d.visit == nil || d.visit.over() {
		v := &visit{unasked: unasked, begun: make(chan struct{}), ended: make(chan struct{})}
		d.visit = v
		s.a.spawn(func() { s.attend(v) })
	}
	return d.visit
}

// failsStill reports whether the latest visit, which is over, could not begin a
// moment ago, for a reason that is likely to stand. d.mu is held.
func (d *desk) failsStill() bool {
	v := d.visit
	return v != nil && v.err != nil && !v.unasked && !errors.Is(v.err, auth.ErrLoginUnderWay) && time.Since(d.failed) < failedTime
}

// attend sees a visit from its beginning to its end.
func (s *server) attend(v *visit) {
	ctx, cancel := context.WithTimeout(s.ctx, beginTime)
	v.attempt, v.err = s.desk.gate.BeginLogin(ctx, auth.LoginOptions{Unasked: v.unasked})
	cancel()
	close(v.begun)
	if v.outcome = v.err; v.err == nil {
		select {
		case <-v.attempt.Done():
		case <-s.ctx.Done():
			v.attempt.Close()
		}
		v.outcome = v.attempt.Err()
	}
	if v.outcome == nil {
		s.desk.gate.CredentialsChanged()
	} else {
		s.a.log.Info().Err(v.outcome).Str("upstream", s.Name).Msg("login has come to nothing")
	}
	s.noteLogin()
	s.desk.leave(v)
}

// leave ends a visit.
func (d *desk) leave(v *visit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if v.err != nil {
		d.failed = time.Now()
	}
	switch {
	case v.outcome == nil:
		d.refused = time.Time{}
	case v.shown, errors.Is(v.outcome, login.ErrExpired):
		d.refused = time.Now()
	}
	close(v.ended)
}

// take reports whether the caller is the one to show the page to the user.
func (d *desk) take(v *visit) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := !v.taken
	v.taken = true
	return first
}

// browse opens the page of a visit in the user's browser, unless that was done a
// moment ago. Where it cannot, nobody has the page.
func (s *server) browse(ctx context.Context, v *visit) error {
	d := s.desk
	d.mu.Lock()
	again := !v.opened.IsZero() && time.Since(v.opened) < reopenTime
	if !again {
		v.opened = time.Now()
	}
	d.mu.Unlock()
	if again {
		return nil
	}
	if err := d.gate.Open(ctx, v.attempt); err != nil {
		s.a.log.Info().Err(err).Str("upstream", s.Name).Msg("opening the browser")
		d.giveUp(v, false)
		return err
	}
	d.open(v)
	return nil
}

// open notes that the user has the page.
func (d *desk) open(v *visit) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v.taken, v.shown = true, true
}

// giveUp ends a visit whose page the user has not opened, and does not open:
// another process may want to ask for the same. It changes nothing for one that is
// open.
func (d *desk) giveUp(v *visit, refused bool) {
	d.mu.Lock()
	if refused {
		d.refused = time.Now()
	}
	open := v.shown
	d.mu.Unlock()
	if !open {
		v.attempt.Close()
	}
}

// wantingLogin are the servers that want a login and are there for the principal,
// in the order of the configuration. listed are those of which something is.
func (v *view) wantingLogin(listed map[string]bool) []*server {
	var wanting []*server
	for _, s := range v.servers {
		if s.wantsLogin() && (listed[s.Name] || v.reaches(s.Name)) {
			wanting = append(wanting, s)
		}
	}
	return wanting
}

// reaches is the policy's word on whether anything of a server could be there for
// the principal, whatever it has.
func (v *view) reaches(name string) bool {
	return v.policy.Reaches(policy.Request{Server: name, Principal: v.principal, Client: v.client})
}

// wantedBy is the login that an error is about; nil if it is about none.
func wantedBy(err error) *auth.LoginError {
	wanted, _ := errors.AsType[*auth.LoginError](err)
	return wanted
}

// remedy is what somebody can do who is to log in to a server. The list of tools may
// not have weir__login yet: it is on its way.
func (s *session) remedy(server string) string {
	text := "Run `weir login " + server + "` in a terminal"
	if t := ownToolOf(loginTool); s.view().ruleOwn(t, policy.Request{}).Level >= t.needs {
		text += ", or call the tool " + t.name()
	}
	return text + "; then make the same request again."
}

// noLogin is a failure for want of a login with another hint of what to do. It is
// about no login any more: all that is to be said of it is said.
func noLogin(cause error, hint string) error {
	fault := &upstream.Fault{Text: "a login is needed"}
	if f, ok := errors.AsType[upstream.Failure](cause); ok {
		told := *f.Detail()
		fault = &told
	}
	fault.Hint, fault.Retryable, fault.MaybeExecuted, fault.Err = hint, true, false, nil
	if wanted := wantedBy(cause); wanted != nil && wanted.StepUp {
		return upstream.AuthorizationError{Fault: fault}
	}
	return upstream.AuthenticationError{Fault: fault}
}

// remedied is an error as a host is to see it: one for want of a login says what
// to do.
func (s *session) remedied(server string, err error) error {
	if wantedBy(err) == nil {
		return err
	}
	return noLogin(err, s.remedy(server))
}

// reasonOf says why a login could not begin, or has come to nothing, to hosts. What
// strangers wrote is in it only as far as package login shows it.
func reasonOf(err error) string {
	denied, isDenied := errors.AsType[*login.DeniedError](err)
	port, isPort := errors.AsType[*login.PortError](err)
	switch {
	case isDenied:
		return denied.Error()
	case isPort:
		return port.Error()
	}
	for _, known := range forPeople {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "weir's log says why"
}

// forPeople are the reasons whose texts are fit for people, and say enough.
var forPeople = []error{
	login.ErrExpired, login.ErrAbandoned, login.ErrSpoiled,
	auth.ErrNoLoginNeeded, auth.ErrNoLogin, auth.ErrNoBrowser, auth.ErrLoginUnderWay,
}

// loginHost is the host of the page that the user logs in at. The issuer of an
// earlier login may be another by now: a server that names a new one must not have
// its page pass for the old one's.
func loginHost(page string) string {
	if u, err := url.Parse(page); err == nil && u.Host != "" {
		return plain(u.Host)
	}
	return "its authorization server"
}

// plain is what a stranger wrote, to be shown: short, and without what cannot be
// seen.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
	if runes := []rune(text); len(runes) > maxPlain {
		return string(runes[:maxPlain]) + "…"
	}
	return text
}

// maxPlain is how many characters of a stranger's are shown.
const maxPlain = 200

func namesOfServers(servers []*server) string {
	names := make([]string, len(servers))
	for i, s := range servers {
		names[i] = s.Name
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

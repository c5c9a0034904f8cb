package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/upstream/state"
)

func (a *app) approveCommand() *cobra.Command {
	var list, revoke, asJSON bool
	cmd := &cobra.Command{
		Use:   "approve",
		Short: "Approve the calls that wait for you",
		Long: `Show the calls that wait for your approval, each with all of its arguments, and
approve those that you type yes to. A call waits for 10 minutes; once approved,
it goes through when the assistant makes it again.

It asks on a terminal only, and there is no way around that: whoever can answer
for you needs no approval. --list shows what waits anywhere, and --revoke goes
through what you have approved for longer than one call.`,
		Example: `  weir approve
  weir approve --list --json
  weir approve --revoke`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := a.approvals()
			switch {
			case err != nil:
				return err
			case asJSON && !list:
				return usageError("--json goes with --list")
			case list:
				return a.listApprovals(store, revoke, asJSON)
			case !isTerminal(a.Stdin) || !isTerminal(a.Stdout):
				return usageError(`approving is done by a person: run "weir approve" in a terminal`)
			case revoke:
				return a.revokeApprovals(cmd.Context(), store)
			}
			return a.approve(cmd.Context(), store)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "only show what waits, or with --revoke what stands")
	cmd.Flags().BoolVar(&revoke, "revoke", false, "go through what is approved, and withdraw what you type yes to")
	cmd.Flags().BoolVar(&asJSON, "json", false, "with --list, print an array")
	return cmd
}

// approvals is the user's store of them.
func (a *app) approvals() (*approval.Store, error) {
	folder, err := state.UserFolder(a.getenv)
	if err != nil {
		return nil, fmt.Errorf("finding the approvals: %w (set $HOME or $XDG_STATE_HOME)", err)
	}
	return approval.NewStore(folder), nil
}

// servedApprovals is the store for a weir that serves. Without a folder what is
// approved lasts for the session.
func (a *app) servedApprovals(log zerolog.Logger) *approval.Store {
	store, err := a.approvals()
	if err != nil {
		log.Warn().Err(err).Msg("approvals are not kept")
		return approval.NewStore(state.Folder{})
	}
	return store
}

// maxShown is how many bytes of arguments are shown without being asked for.
const maxShown = 64 << 10

// approve goes through what waits.
func (a *app) approve(ctx context.Context, store *approval.Store) error {
	waiting, err := store.Waiting()
	if err != nil {
		return unreadable(err, store)
	}
	if len(waiting) == 0 {
		fmt.Fprintln(a.Stdout, "Nothing waits for your approval.")
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := a.readAnswers(ctx)
	for i, r := range waiting {
		fmt.Fprintf(a.Stdout, "%s\n", a.paint().bold(fmt.Sprintf("%d of %d", i+1, len(waiting))))
		done, err := a.decide(ctx, store, r, answers)
		if done || err != nil {
			return err
		}
		fmt.Fprintln(a.Stdout)
	}
	return nil
}

// decide asks about one request. It reports true if the person has closed the
// input.
func (a *app) decide(ctx context.Context, store *approval.Store, r *approval.Request, answers *answers) (done bool, err error) {
	seen := len(r.Call) <= maxShown
	a.printRequest(r, seen)
	for {
		answer, err := answers.ask(ctx, question(seen))
		if err != nil {
			return true, endOfInput(err)
		}
		switch {
		case !seen && answer == "show":
			fmt.Fprintf(a.Stdout, "  arguments  %s\n", approval.Shown([]byte(r.Call), "  "))
			seen = true
		case !seen && answer == "file":
			path, err := writeArguments(r)
			if err != nil {
				return true, err
			}
			defer func() { _ = os.Remove(path) }() // it was shown, and the user can see where it is
			fmt.Fprintf(a.Stdout, "They are in %s until you have answered.\n", path)
			seen = true
		case seen && answer == "yes":
			return a.grant(ctx, store, r, answers)
		case answer == "no":
			fmt.Fprintln(a.Stdout, "Refused.")
			return false, gone(a, store.Dismiss(ctx, r))
		case answer == "":
			fmt.Fprintln(a.Stdout, "It goes on waiting.")
			return false, nil
		}
	}
}

func question(seen bool) string {
	if !seen {
		return `Type "show" or "file" to read the arguments first, "no" to refuse, or press Enter to leave it waiting: `
	}
	return `Type "yes" to approve, "no" to refuse, or press Enter to leave it waiting: `
}

// grant asks how far a yes goes, and grants it.
func (a *app) grant(ctx context.Context, store *approval.Store, r *approval.Request, answers *answers) (done bool, err error) {
	scopes := r.Scopes()
	for i, scope := range scopes {
		fmt.Fprintf(a.Stdout, "  %d  %s\n", i+1, r.Words(scope))
	}
	for {
		answer, err := answers.ask(ctx, "How far does it go? Type a number, or press Enter for 1: ")
		if err != nil {
			return true, endOfInput(err)
		}
		n, err := strconv.Atoi(answer)
		if answer == "" {
			n, err = 1, nil
		}
		if err != nil || n < 1 || n > len(scopes) {
			continue
		}
		err = store.Approve(ctx, r, scopes[n-1])
		if err == nil {
			fmt.Fprintln(a.Stdout, a.paint().green("Approved: "+r.Words(scopes[n-1])+".")+" The assistant can make the call again.")
		}
		return false, gone(a, err)
	}
}

// gone tells of what waits no more, and lets the rest go on.
func gone(a *app, err error) error {
	if errors.Is(err, approval.ErrGone) {
		fmt.Fprintln(a.Stdout, "It does not wait any more: nothing was changed.")
		return nil
	}
	return err
}

// writeArguments puts arguments into a file that the user alone can read, byte
// for byte.
func writeArguments(r *approval.Request) (string, error) {
	f, err := os.CreateTemp("", "weir-arguments-*.json")
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(r.Call)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func (a *app) printRequest(r *approval.Request, whole bool) {
	p := a.paint()
	field := func(name, text string) {
		if text != "" {
			fmt.Fprintf(a.Stdout, "  %s  %s\n", p.dim(fmt.Sprintf("%-9s", name)), text)
		}
	}
	field("server", p.bold(approval.Visible(r.Server)))
	field(r.Kind, p.bold(approval.Visible(r.Name)))
	switch {
	case !whole:
		field("arguments", p.yellow(fmt.Sprintf("%d bytes, not shown yet", len(r.Call))))
	case r.Call != "":
		field("arguments", approval.Shown([]byte(r.Call), "  "))
	}
	field("because", approval.Visible(r.Why))
	field("asked", fmt.Sprintf("%s%s", age(time.Since(r.Asked)), askedBy(r)))
}

// askedBy is who asks, as far as that is known.
func askedBy(r *approval.Request) string {
	var parts []string
	if r.ClientName != "" {
		parts = append(parts, "by "+approval.Visible(r.ClientName+" "+r.ClientVersion)+", by its own word")
	}
	for _, known := range [][2]string{{"key", r.Key}, {"team", r.Team}, {"org", r.Org}, {"profile", r.Profile}} {
		if known[1] != "" {
			parts = append(parts, known[0]+" "+approval.Visible(known[1]))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}

// revokeApprovals goes through what stands.
func (a *app) revokeApprovals(ctx context.Context, store *approval.Store) error {
	grants, err := store.Grants()
	if err != nil {
		return unreadable(err, store)
	}
	if len(grants) == 0 {
		fmt.Fprintln(a.Stdout, "Nothing is approved.")
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := a.readAnswers(ctx)
	for _, g := range grants {
		a.printGrant(g)
		answer, err := answers.ask(ctx, `Type "yes" to withdraw it, or press Enter to keep it: `)
		if err != nil {
			return endOfInput(err)
		}
		if answer != "yes" {
			continue
		}
		if err := store.Revoke(ctx, g); err != nil && !errors.Is(err, approval.ErrGone) {
			return err
		}
		fmt.Fprintln(a.Stdout, "Withdrawn.")
	}
	return nil
}

func (a *app) printGrant(g *approval.Grant) {
	p := a.paint()
	fmt.Fprintf(a.Stdout, "%s, %s %s of %s, approved %s\n",
		p.bold(g.Words(g.Scope)), g.Kind, p.bold(approval.Visible(g.Name)), p.bold(approval.Visible(g.Server)), age(time.Since(g.Granted)))
	if g.Call != "" {
		fmt.Fprintf(a.Stdout, "  %s\n", approval.Shown([]byte(g.Call), "  "))
	}
}

// The lines of --list --json. Nothing in them approves anything.
type (
	waitingLine struct {
		Server    string          `json:"server"`
		Kind      string          `json:"kind"`
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments,omitempty"`
		Because   string          `json:"because,omitempty"`
		Client    string          `json:"client,omitempty"`
		Key       string          `json:"key,omitempty"`
		Profile   string          `json:"profile,omitempty"`
		Asked     time.Time       `json:"asked"`
		Expires   time.Time       `json:"expires"`
	}
	grantLine struct {
		Server  string    `json:"server"`
		Kind    string    `json:"kind"`
		Name    string    `json:"name"`
		Scope   string    `json:"scope"`
		Key     string    `json:"key,omitempty"`
		Profile string    `json:"profile,omitempty"`
		Granted time.Time `json:"granted"`
	}
)

// listApprovals shows what waits, or what stands.
func (a *app) listApprovals(store *approval.Store, standing, asJSON bool) error {
	if standing {
		return a.listGrants(store, asJSON)
	}
	waiting, err := store.Waiting()
	if err != nil {
		return unreadable(err, store)
	}
	if asJSON {
		lines := make([]waitingLine, len(waiting))
		for i, r := range waiting {
			lines[i] = waitingLine{
				Server: r.Server, Kind: r.Kind, Name: r.Name, Arguments: json.RawMessage(r.Call), Because: r.Why,
				Client: r.ClientName, Key: r.Key, Profile: r.Profile, Asked: r.Asked, Expires: r.Expires,
			}
		}
		return a.printJSON(lines)
	}
	if len(waiting) == 0 {
		fmt.Fprintln(a.Stdout, "Nothing waits for your approval.")
	}
	for i, r := range waiting {
		if i > 0 {
			fmt.Fprintln(a.Stdout)
		}
		a.printRequest(r, true)
	}
	return nil
}

func (a *app) listGrants(store *approval.Store, asJSON bool) error {
	grants, err := store.Grants()
	if err != nil {
		return unreadable(err, store)
	}
	if asJSON {
		lines := make([]grantLine, len(grants))
		for i, g := range grants {
			lines[i] = grantLine{
				Server: g.Server, Kind: g.Kind, Name: g.Name, Scope: g.Words(g.Scope), Key: g.Key, Profile: g.Profile, Granted: g.Granted,
			}
		}
		return a.printJSON(lines)
	}
	if len(grants) == 0 {
		fmt.Fprintln(a.Stdout, "Nothing is approved.")
	}
	for _, g := range grants {
		a.printGrant(g)
	}
	return nil
}

func (a *app) printJSON(value any) error {
	e := json.NewEncoder(a.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}

// unreadable says what to do about a file that is not understood.
func unreadable(err error, store *approval.Store) error {
	return fmt.Errorf("%w; nothing is approved meanwhile. If you remove %s, weir begins anew and asks again", err, store.Path())
}

// answers are the lines that a person types.
type answers struct {
	out   io.Writer
	lines chan string
}

// readAnswers begins to read lines, until ctx ends. A read from a terminal that is
// under way cannot be ended: it ends with the process.
func (a *app) readAnswers(ctx context.Context) *answers {
	t := &answers{out: a.Stdout, lines: make(chan string)}
	go func() {
		defer close(t.lines)
		in := bufio.NewScanner(a.Stdin)
		for in.Scan() {
			select {
			case t.lines <- strings.TrimSpace(in.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	return t
}

// ask returns the next line; io.EOF at the end of the input.
func (t *answers) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(t.out, question)
	select {
	case line, ok := <-t.lines:
		if !ok {
			return "", io.EOF
		}
		return line, nil
	case <-ctx.Done():
		return "", errInterrupted
	}
}

// endOfInput makes a good end of that of the input.
func endOfInput(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/approval"
	"github.com/weir-mcp/weir/aggregator/canonical"
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/aggregator/pins"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/spell"
)

// pinsCommand is the parent of the commands about definitions that have changed.
func (a *app) pinsCommand() *cobra.Command {
	list := a.pinsListCommand()
	cmd := &cobra.Command{
		Use:   "pins",
		Short: "Show how servers have changed their tools, and accept that",
		Long: `Show how servers have changed their tools, their prompts and their instructions
since weir first saw them, and accept what they have changed. Alone it lists what
is pinned. What becomes of a change says the key "pin" of each server: off, warn
or block (docs/policy.md).

These commands look at the lists that are stored; no server is started.`,
		Example: `  weir pins
  weir pins diff
  weir pins diff github
  weir pins approve github__search_issues`,
		Args: a.noCommand,
		RunE: list.RunE,
	}
	cmd.Flags().AddFlagSet(list.Flags())
	cmd.AddCommand(list, a.pinsDiffCommand(), a.pinsApproveCommand())
	return cmd
}

func (a *app) pinsListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [SERVER | NAME]",
		Short: "List what is pinned, and what has changed",
		Long: `List the definitions that are pinned, each with its state: "same"; "changed", if
the server has another one now; "held back", if hosts do not see it for that;
"not listed", if the server has it no more; "new", if it is not pinned yet.`,
		Example: `  weir pins list
  weir pins list github
  weir pins list --json`,
		Args: atMostOne("SERVER or NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			show := a.printPins
			if asJSON {
				show = func(lines []pinLine) error { return a.printJSON(lines) }
			}
			return a.listPins(cmd.Context(), args, show)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of objects")
	return cmd
}

// atMostOne allows one argument, and none.
func atMostOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageError("unexpected argument %q: want one %s at most (see: %s --help)", args[1], name, cmd.CommandPath())
		}
		return nil
	}
}

// A pinned is one server with its pins and what it lists.
type pinned struct {
	config.Server
	book *pins.Book // nil if it cannot be read
	err  error      // why

	// listed are the definitions of now, by item: several where the server tells
	// some hosts another one, the latest first.
	listed map[pins.Key][]pins.Item
	order  []pins.Key // those of listed as they stand there
}

// A pinView is the pins of all servers, in the order of the configuration.
type pinView struct {
	store    *pins.Store
	servers  []*pinned
	aliases  map[string]string
	snapshot *catalog.Snapshot // for the names that hosts know
}

// pinView reads what there is on the disk.
func (a *app) pinView(ctx context.Context) (*pinView, error) {
	file, err := a.load()
	if err != nil {
		return nil, loadError(err)
	}
	v := &pinView{store: a.pinStore(), aliases: file.Aliases}
	lists := openStore(ctx, zerolog.Nop())
	servers := make([]catalog.Server, len(file.Servers))
	for i, s := range file.Servers {
		p := &pinned{Server: s, listed: make(map[pins.Key][]pins.Item)}
		variants, err := lists.Variants(catalog.Key{Server: s.Name, Identity: s.Identity}, time.Now())
		if err != nil {
			fmt.Fprintln(a.Stderr, a.errorPaint().yellow("warning:"), printable(err.Error()))
		}
		for _, l := range variants {
			p.add(aggregator.PinItems(l))
		}
		p.book, p.err = v.store.Load(s.Name)
		v.servers = append(v.servers, p)
		servers[i] = catalog.Server{Server: namespace.Server{Name: s.Name, Prefix: s.Prefix, Aliases: s.Aliases}}
		if len(variants) > 0 {
			servers[i].Lists = variants[0]
		}
	}
	v.snapshot = catalog.Merge(file.Names, servers)
	return v, nil
}

// add takes what another list says, if it is something new.
func (p *pinned) add(items []pins.Item) {
	for _, item := range items {
		known := p.listed[item.Key]
		if slices.ContainsFunc(known, func(k pins.Item) bool { return canonical.DigestOf(k.Raw) == canonical.DigestOf(item.Raw) }) {
			continue
		}
		if known == nil {
			p.order = append(p.order, item.Key)
		}
		p.listed[item.Key] = append(known, item)
	}
}

// items are the definitions of now, in their order, that the person has chosen and
// that compare so.
func (p *pinned) items(chosen pinChoice, wanted ...pins.Standing) (all []pins.Item) {
	if p.Pin == pins.Off || p.book == nil {
		return nil
	}
	for _, key := range p.order {
		for _, item := range p.listed[key] {
			if chosen.has(key) && slices.Contains(wanted, p.book.Judge(item)) {
				all = append(all, item)
			}
		}
	}
	return all
}

// latest is the definition that was accepted last; nil for none.
func (p *pinned) latest(key pins.Key) *pins.Pin {
	if p.book == nil {
		return nil
	}
	return p.book.Latest(key)
}

// A pinChoice is what a person has named: some servers, and of each all or one
// item.
type pinChoice struct {
	servers []*pinned
	only    map[pins.Key]bool // nil for all
}

func (c pinChoice) has(key pins.Key) bool { return c.only == nil || c.only[key] }

// choose finds what the arguments of a command mean: nothing at all, a server, or
// the name of an item as hosts know it.
func (v *pinView) choose(args []string) (pinChoice, error) {
	if len(args) == 0 {
		return pinChoice{servers: v.servers}, nil
	}
	if p := v.server(cmp.Or(v.aliases[args[0]], args[0])); p != nil {
		return pinChoice{servers: []*pinned{p}}, nil
	}
	everything := func(*catalog.Route) bool { return true }
	found := pinChoice{only: make(map[pins.Key]bool)}
	take := func(kind pins.Kind, route *catalog.Route) {
		if route == nil {
			return
		}
		if p := v.server(route.Server); !slices.Contains(found.servers, p) {
			found.servers = append(found.servers, p)
		}
		found.only[pins.Key{Kind: kind, Name: route.Item.Name()}] = true
	}
	take(pins.Tool, v.snapshot.Resolve(args[0], everything))
	take(pins.Prompt, v.snapshot.ResolvePrompt(args[0], everything))
	if len(found.servers) == 0 {
		return found, v.unknown(args[0])
	}
	return found, nil
}

func (v *pinView) server(name string) *pinned {
	i := slices.IndexFunc(v.servers, func(p *pinned) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	return v.servers[i]
}

func (v *pinView) unknown(name string) error {
	var known []string
	for _, p := range v.servers {
		known = append(known, p.Name)
	}
	for _, kind := range []catalog.Kind{catalog.Tools, catalog.Prompts} {
		for _, route := range v.snapshot.Routes(kind) {
			known = append(known, route.Exposed)
		}
	}
	if near := spell.Nearest(name, known); near != "" {
		return fmt.Errorf("no server, tool or prompt is called %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("no server, tool or prompt is called %q (\"weir pins list\" lists them)", name)
}

// A pinLine is what is said of one item.
type pinLine struct {
	Server string     `json:"server"`
	Kind   string     `json:"kind"`
	Name   string     `json:"name,omitempty"`
	State  string     `json:"state"`
	Pinned *time.Time `json:"pinned,omitempty"`
	SHA256 string     `json:"sha256,omitempty"` // of the definition accepted last
	Listed string     `json:"listed,omitempty"` // that of the definition of now, where it is another
}

// The states of an item.
const (
	pinSame     = "same"
	pinChanged  = "changed"
	pinHeld     = "held back"
	pinUnlisted = "not listed"
	pinNew      = "new"
)

func (a *app) listPins(ctx context.Context, args []string, show func([]pinLine) error) error {
	v, err := a.pinView(ctx)
	if err != nil {
		return err
	}
	chosen, err := v.choose(args)
	if err != nil {
		return err
	}
	lines := []pinLine{}
	for _, p := range chosen.servers {
		for _, key := range p.keys() {
			if chosen.has(key) {
				lines = append(lines, p.line(key))
			}
		}
	}
	if err := show(lines); err != nil {
		return err
	}
	return a.unreadablePins(chosen)
}

// keys are all that is pinned or listed, as the server lists it, and then what it
// lists no more.
func (p *pinned) keys() []pins.Key {
	if p.book == nil || p.Pin == pins.Off && len(p.book.Pins()) == 0 {
		return nil
	}
	keys := slices.Clone(p.order)
	for _, pin := range p.book.Pins() {
		if p.listed[pin.Key] == nil && !slices.Contains(keys, pin.Key) {
			keys = append(keys, pin.Key)
		}
	}
	return keys
}

func (p *pinned) line(key pins.Key) pinLine {
	line := pinLine{Server: p.Name, Kind: key.Kind.String(), Name: key.Name, State: pinSame}
	latest := p.latest(key)
	if latest != nil {
		line.Pinned, line.SHA256 = &latest.At, latest.Digest.String()
	}
	if len(p.listed[key]) == 0 {
		line.State = pinUnlisted
	}
	for _, item := range p.listed[key] {
		switch p.book.Judge(item) {
		case pins.Same:
			continue
		case pins.New:
			line.State = pinNew
		case pins.Changed:
			line.State = pinChanged
			if p.Pin == pins.Block {
				line.State = pinHeld
			}
		}
		line.Listed = canonical.DigestOf(item.Raw).String()
		break
	}
	return line
}

func (a *app) printPins(lines []pinLine) error {
	if len(lines) == 0 {
		fmt.Fprintln(a.Stdout, "Nothing is pinned.")
		return nil
	}
	p := a.paint()
	t := table{head: []string{"SERVER", "KIND", "NAME", "STATE", "PINNED"}}
	changed := 0
	for _, line := range lines {
		colour := p.green
		switch line.State {
		case pinChanged, pinHeld:
			changed++
			colour = p.yellow
		case pinUnlisted, pinNew:
			colour = p.dim
		}
		pinned := ""
		if line.Pinned != nil {
			pinned = age(time.Since(*line.Pinned))
		}
		t.rows = append(t.rows, []cell{{line.Server, p.bold}, plain(line.Kind), plain(approval.Visible(line.Name)), {line.State, colour}, plain(pinned)})
	}
	t.print(a.Stdout, p, a.width())
	if changed > 0 {
		fmt.Fprintln(a.Stdout, p.dim(plural(changed, "definition has", "definitions have")+` changed: "weir pins diff" shows how.`))
	}
	return nil
}

// unreadablePins tells of the servers whose pins cannot be read, and is an error
// if there are any.
func (a *app) unreadablePins(chosen pinChoice) error {
	damaged := 0
	for _, p := range chosen.servers {
		if p.err != nil {
			damaged++
			fmt.Fprintln(a.Stderr, a.errorPaint().red("weir:"), printable(p.err.Error()))
			fmt.Fprintf(a.Stderr, "\"weir pins approve %s\" puts the file aside and begins anew.\n", p.Name)
		}
	}
	switch damaged {
	case 0:
		return nil
	case len(chosen.servers):
		return &exitError{exitFailed, nil}
	}
	return &exitError{exitPartly, nil}
}

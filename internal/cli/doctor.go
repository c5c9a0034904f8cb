package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/doctor"
	"github.com/weir-mcp/weir/internal/hosts"
)

func (a *app) doctorCommand() *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong, and how to mend it",
		Long: `Look at all that weir is made of, and say what is wrong and how to mend it: the
configuration and its policies; each server, which is started and listed anew;
programs that a desktop would not find; logins and the keyring; weir's entries in the
settings of your assistants; names, numbers and schemas of tools that those do not
take, and what they cost; servers and tools that are there twice; variables that hosts
do not pass on; weir's own files; the weirs that run.

All servers are started at once, and none is waited for longer than --timeout. What
hosts take is checked for those that weir is in, and those that --host names; where it
is in none, for all.

With --fix it mends what can do no harm, after you agree: it closes its own files to
others, and removes those of its own that are damaged or of no use any more. It never
changes mcp.yaml or the settings of a host: for those it says what to do.

The exit code is 0 if there is nothing worse than a note, 3 if there is, and 1 if weir
cannot be used as it is.`,
		Example: `  weir doctor
  weir doctor --server github
  weir doctor --offline --all-hosts
  weir doctor --fix --dry-run
  weir doctor --json`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.asJSON, "json", false, "print an object")
	flags.StringVar(&o.server, "server", "", "look at the server of this `NAME` alone")
	flags.StringSliceVar(&o.hosts, "host", nil, "check what this `HOST` takes, whether weir is in it or not")
	flags.BoolVar(&o.allHosts, "all-hosts", false, "check what all hosts take")
	flags.BoolVar(&o.offline, "offline", false, "start no server: go by what they listed last")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "how long a server may take to start and to list")
	flags.BoolVar(&o.fix, "fix", false, "mend what can do no harm")
	flags.BoolVar(&o.dryRun, "dry-run", false, "with --fix: only show what would be done")
	flags.BoolVarP(&o.yes, "yes", "y", false, "with --fix: do not ask")
	return cmd
}

type doctorOptions struct {
	asJSON, offline, allHosts bool
	fix, dryRun, yes          bool
	server                    string
	hosts                     []string
	timeout                   time.Duration
}

func (o *doctorOptions) check() error {
	switch {
	case o.timeout <= 0:
		return usageError("--timeout %v: want a time such as 30s", o.timeout)
	case (o.dryRun || o.yes) && !o.fix:
		return usageError("--dry-run and --yes go with --fix")
	case o.fix && o.asJSON && !o.yes && !o.dryRun:
		return usageError("with --json nobody is asked: --fix wants --yes, or --dry-run")
	}
	for _, id := range o.hosts {
		if _, err := hostCalled(id); err != nil {
			return err
		}
	}
	return nil
}

// A checkup gathers the facts, each part of them for itself.
type checkup struct {
	*app
	o     doctorOptions
	facts doctor.Facts

	file    *config.File // nil if it cannot be used
	broken  error        // why
	defined []config.Defined
	keys    []listKey   // of servers whose lists are of use
	weirs   []weirEntry // how hosts start weir, in the order of their entries
}

func (a *app) doctor(ctx context.Context, o doctorOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	c := &checkup{app: a, o: o}
	c.facts.Version, c.facts.Asked = version, !o.offline
	c.configuration()
	if err := c.onlyServer(); err != nil {
		return err
	}
	if err := c.gather(ctx); err != nil {
		return err
	}
	findings := c.findings()
	r := &report{app: a, checkup: c, findings: findings}
	if o.asJSON {
		if err := r.mend(ctx); err != nil {
			return err
		}
		return cmp.Or(r.printJSON(), r.outcome())
	}
	r.print()
	if err := r.mend(ctx); err != nil {
		return err
	}
	return r.outcome()
}

// onlyServer leaves one server, if that is all that is asked about.
func (c *checkup) onlyServer() error {
	if c.o.server == "" || c.file == nil {
		return nil
	}
	d := &desk{app: c.app, file: c.file}
	s, err := d.server(c.o.server)
	if err != nil {
		return err
	}
	alone := *c.file
	alone.Servers = []config.Server{*s}
	c.file, c.o.server = &alone, s.Name
	return nil
}

// gather finds out what is to be known, what takes its time at once.
func (c *checkup) gather(ctx context.Context) error {
	c.folders() // before anything is written
	c.hostFiles()
	var slow sync.WaitGroup
	slow.Go(func() { c.logins(ctx) })
	slow.Go(func() { c.runningWeirs(ctx) })
	programs := make(chan map[string]*doctor.Program, 1)
	slow.Go(func() { programs <- c.programs(ctx) })
	err := c.servers(ctx)
	w := c.wait("asking your login shell and the keyring")
	slow.Wait()
	w.stop()
	if err != nil {
		return err
	}
	found := <-programs
	for i := range c.facts.Servers {
		c.facts.Servers[i].Program = found[c.facts.Servers[i].Name]
	}
	c.listsOfHosts(ctx)
	c.files(ctx) // behind all that writes lists
	return nil
}

// findings are what follows, without secrets and what could do harm to a terminal.
// Of one server alone, those about it.
func (c *checkup) findings() []doctor.Finding {
	all := doctor.Examine(&c.facts)
	if c.o.server != "" {
		all = slices.DeleteFunc(all, func(f doctor.Finding) bool {
			return f.Subject != c.o.server && (f.Area != doctor.AreaConfig || f.Severity != doctor.Problem)
		})
	}
	clean := c.shownText()
	for i := range all {
		f := &all[i]
		f.Subject, f.Text, f.Remedy = clean(f.Subject), clean(f.Text), clean(f.Remedy)
	}
	return all
}

// hostsAskedFor are those that flags name.
func (o *doctorOptions) hostsAskedFor() []hosts.Host {
	if o.allHosts {
		return hosts.All()
	}
	var asked []hosts.Host
	for _, id := range o.hosts {
		h, _ := hosts.ByID(id)
		asked = append(asked, h)
	}
	return asked
}

// inShort says a time in the unit in which it is short; "" for none.
func inShort(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

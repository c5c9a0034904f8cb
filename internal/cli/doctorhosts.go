package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/doctor"
	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// hostFiles finds weir's entries in the files of hosts, the user's and those of the
// working folder, and the servers that hosts have beside weir.
func (c *checkup) hostFiles() {
	project, err := workingFolder()
	if err != nil {
		project = "" // what belongs to it is left out
	}
	machine := hosts.ThisMachine(c.getenv, project)
	asked := c.o.hostsAskedFor()
	for _, h := range hosts.All() {
		found := doctor.Host{Host: h, Asked: slices.Contains(asked, h)}
		var files []*hosts.File
		seen := map[string]bool{} // where the working folder is the home, two places are one
		for _, p := range machine.PlacesOf(h) {
			place := p.Path + "\x00" + strings.Join(p.Servers, "\x00")
			if seen[place] {
				continue
			}
			seen[place] = true
			file, err := machine.Read(p)
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				found.Trouble = err.Error()
			default:
				files = append(files, file)
				found.Entries = append(found.Entries, c.entries(file)...)
			}
		}
		found.Twins = c.twins(files)
		if len(found.Entries) > 0 || found.Trouble != "" || found.Asked {
			c.facts.Hosts = append(c.facts.Hosts, found)
		}
	}
}

// twins are servers of a host's that are behind weir too.
func (c *checkup) twins(files []*hosts.File) (twins []doctor.Twin) {
	for _, candidate := range hosts.Plan(files, c.defined, nil) {
		isOurs := func(d config.Defined) bool { return d.Name == candidate.As }
		if candidate.Verdict == hosts.Same && slices.ContainsFunc(c.defined, isOurs) && candidate.Definition.Enabled() {
			twins = append(twins, doctor.Twin{Name: candidate.Name, File: homeless(candidate.File.Path), Server: candidate.As})
		}
	}
	return twins
}

// entries are those of a file that start weir.
func (c *checkup) entries(file *hosts.File) (all []doctor.Entry) {
	for _, s := range file.Servers {
		if !s.StartsWeir {
			continue
		}
		entry := doctor.Entry{Name: s.Name, File: homeless(file.Path)}
		weir := weirEntry{}
		if read, err := readHostFile(file.Place, s.Name); err == nil {
			weir = newWeirEntry(read.entry)
		}
		c.look(&entry, weir)
		all = append(all, entry)
		c.weirs = append(c.weirs, weir)
	}
	return all
}

// A weirEntry is how a host starts weir.
type weirEntry struct {
	argv []string
	env  map[string]string // with values, as far as they are texts
	more []string          // variables that are passed on
	off  bool
}

func newWeirEntry(raw []byte) weirEntry {
	members, _ := jsonrpc.ParseObject(nil, raw)
	e := weirEntry{env: map[string]string{}}
	command := jsonrpc.Find(members, "command")
	if text, err := jsonrpc.String(command); err == nil {
		e.argv = append(e.argv, text)
	} else {
		e.argv = texts(command)
	}
	if len(e.argv) > 0 {
		e.argv = append(e.argv, texts(jsonrpc.Find(members, "args"))...)
	}
	for _, key := range []string{"env", "environment"} {
		variables, _ := jsonrpc.ParseObject(nil, jsonrpc.Find(members, key))
		for _, v := range variables {
			e.env[string(v.Key)], _ = jsonrpc.String(v.Value)
		}
	}
	e.more = texts(jsonrpc.Find(members, "env_vars"))
	e.off = string(jsonrpc.Find(members, "enabled")) == "false" || string(jsonrpc.Find(members, "disabled")) == "true"
	return e
}

// texts are those of a list.
func texts(raw []byte) (all []string) {
	list, _ := jsonrpc.ParseArray(nil, raw)
	for _, item := range list {
		if text, err := jsonrpc.String(item); err == nil {
			all = append(all, text)
		}
	}
	return all
}

// look finds out whether an entry starts weir as it should.
func (c *checkup) look(entry *doctor.Entry, e weirEntry) {
	entry.Off = e.off
	for name := range e.env {
		entry.Sets = append(entry.Sets, name)
	}
	slices.Sort(entry.Sets)
	entry.Sets = append(entry.Sets, e.more...)
	if len(e.argv) == 0 {
		entry.Missing = true
		return
	}
	entry.Command = homeless(e.argv[0])
	path, err := exec.LookPath(e.argv[0])
	if err != nil {
		entry.Missing = true
		return
	}
	entry.Other = !isThisProgram(path)
	if _, err := c.startedBy(e); err != nil {
		entry.Usage = err.Error()
	}
}

func isThisProgram(path string) bool {
	self, err := os.Executable()
	if err != nil {
		return true // nobody can say
	}
	one, err := os.Stat(path)
	if err != nil {
		return false
	}
	other, err := os.Stat(self)
	return err == nil && os.SameFile(one, other)
}

// startedBy is the run of weir that an entry makes; the error says what is wrong with
// its arguments.
func (c *checkup) startedBy(e weirEntry) (*app, error) {
	sub := &app{Process: Process{
		Args: e.argv[1:], Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Environ: slices.Clone(c.Environ),
	}}
	for name, value := range e.env {
		sub.Environ = append(sub.Environ, name+"="+value)
	}
	root := sub.rootCommand()
	cmd, rest, err := root.Find(sub.Args)
	if err != nil {
		return nil, err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return nil, err
	}
	switch {
	case cmd != root && cmd.Name() != "serve":
		return nil, usageError("%q is no command that serves", cmd.Name())
	case len(cmd.Flags().Args()) > 0:
		return nil, usageError("unexpected argument %q", cmd.Flags().Args()[0])
	}
	sub.configFlag = cmp.Or(sub.configFlag, e.env["WEIR_CONFIG"])
	return sub, nil
}

// listsOfHosts finds out what each host is shown by its entries: with the profile and
// the key that stand there, and under the name by which it calls itself. It goes by
// the lists that are stored now.
func (c *checkup) listsOfHosts(ctx context.Context) {
	if c.o.server != "" {
		return
	}
	at := 0
	for i := range c.facts.Hosts {
		h := &c.facts.Hosts[i]
		for k := range h.Entries {
			if e := &h.Entries[k]; !e.Missing && e.Usage == "" {
				c.listOf(ctx, h.Host, e, c.weirs[at])
			}
			at++
		}
	}
}

func (c *checkup) listOf(ctx context.Context, h hosts.Host, e *doctor.Entry, weir weirEntry) {
	started, err := c.startedBy(weir)
	if err != nil {
		return
	}
	if where := config.Where(started.configFlag); where != config.Where(c.configFlag) {
		e.Elsewhere = homeless(where)
	}
	file, err := started.load()
	if err != nil {
		if c.broken == nil { // else it is said already
			e.Config = err.Error()
		}
		return
	}
	cfg := started.servedConfig(file, zerolog.Nop())
	if cfg.Notice != "" {
		if file.Denied != "" && c.file != nil && c.file.Denied == "" {
			e.Config = "everything is denied: " + file.Denied
		}
		return
	}
	for _, s := range cfg.Servers {
		c.keys = append(c.keys, listKey{s.Name, s.Identity})
	}
	cfg.Store = openStore(ctx, zerolog.Nop())
	onlyStored(&cfg)
	g, err := started.openGatewayAs(ctx, cfg, h.Limits().Client)
	if err != nil {
		return
	}
	defer g.close()
	tools, err := g.host.listTools(ctx)
	if err != nil {
		return
	}
	e.Tools = make([]string, 0, len(tools))
	for _, t := range tools {
		e.Tools = append(e.Tools, t.Name)
	}
}

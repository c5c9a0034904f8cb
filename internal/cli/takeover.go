package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/hosts"
)

// A takeOver puts weir into hosts, and the servers of their files behind weir.
type takeOver struct {
	*importing
	flags   hostFlags
	secrets string // as of importOptions

	parties []*party
	staying []staying
	failed  []error // hosts that cannot be changed
	told    int     // of failed
	changes []*hostChange
	already []*hostChange // of hosts that are as they should be
}

// A party is a host that is to be changed.
type party struct {
	host hosts.Host
	file *hostFile
	read *hosts.File // the servers that may be taken; nil if there are none
}

// A staying is a server that is left where it is.
type staying struct {
	server hosts.Server
	place  hosts.Place
	why    string
	amiss  bool // somebody may miss it behind weir
}

// takeOverHosts shows what would become of hosts and their servers, asks, and does
// it: first mcp.yaml, so that no host is without a server at any time.
func (a *app) takeOverHosts(ctx context.Context, ids []string, f hostFlags, secrets string) error {
	if err := checkSecrets(secrets); err != nil {
		return err
	}
	chosen, err := chooseHosts(ids, f.name)
	if err != nil {
		return err
	}
	if a.configFlag == "" && a.getenv("WEIR_CONFIG") != "" {
		a.configFlag = config.Where("") // hosts may not have the variable: the entry is to name the file
	}
	t, err := a.planTakeOver(ctx, chosen, f, secrets)
	if err != nil {
		return err
	}
	if err := t.print(); err != nil {
		return err
	}
	switch {
	case len(t.changes) == 0:
	case f.dryRun:
		fmt.Fprintln(a.Stdout, "Nothing was written.")
	default:
		if err := t.agreeAndApply(ctx); err != nil {
			return err
		}
	}
	return t.end(len(chosen))
}

// end is how the command ends: partly, where a server stays that somebody may miss.
func (t *takeOver) end(parts int) error {
	err := errors.Join(t.failed[t.told:]...)
	isAmiss := func(s staying) bool { return s.amiss }
	switch {
	case len(t.failed) == parts:
		return &exitError{exitFailed, err}
	case len(t.failed)+len(t.troubles) > 0 || slices.ContainsFunc(t.staying, isAmiss):
		return &exitError{exitPartly, err}
	}
	return nil
}

func (a *app) planTakeOver(ctx context.Context, chosen []hosts.Host, f hostFlags, secrets string) (*takeOver, error) {
	p, err := a.newImporting(f.project)
	if err != nil {
		return nil, err
	}
	t := &takeOver{importing: p, flags: f, secrets: secrets}
	for _, h := range chosen {
		if err := t.join(h); err != nil {
			t.failed = append(t.failed, fmt.Errorf("%s: %w", h.Title, err))
		}
	}
	if err := t.settleOn(ctx); err != nil {
		return nil, err
	}
	if t.agreed, err = config.NewDraft(t.options(nil), t.masked()...); err != nil {
		return nil, err
	}
	return t, t.planChanges()
}

// join reads the file of a host in which weir's entry is, or is to be. A file that
// cannot be changed keeps its servers.
func (t *takeOver) join(h hosts.Host) error {
	file, err := t.findHostFile(h, t.flags)
	if err != nil {
		return err
	}
	if _, err := t.planEntry(h, file, t.flags, taking{}); err != nil {
		return err
	}
	one := &party{host: h, file: file}
	if !file.isNew {
		if err := file.writable(); err != nil {
			return err
		}
		if one.read, err = t.machine.ReadText(file.Place, file.text); err != nil {
			return err
		}
		if !one.read.Uses(t.flags.name) {
			return fmt.Errorf("%s says under \"mcp\" that %q is not to be used: change that first", file.Path, t.flags.name)
		}
		one.read.Servers = slices.DeleteFunc(one.read.Servers, func(s hosts.Server) bool { return t.stays(one, s) })
		t.files = append(t.files, one.read)
	}
	t.parties = append(t.parties, one)
	t.lookElsewhere(one)
	return nil
}

// stays reports whether a server is left where it is, whatever mcp.yaml has, and
// notes why.
func (t *takeOver) stays(p *party, s hosts.Server) bool {
	left := staying{server: s, place: p.file.Place, amiss: true}
	value, err := p.file.language().Find(p.file.text, p.file.path(s.Name))
	switch {
	case s.Name == t.flags.name && p.file.entry != nil:
		return true // it is weir's
	case s.StartsWeir:
		left.why, left.amiss = "it is weir itself", false
	case len(s.Problems) > 0:
		left.why = strings.TrimPrefix(s.Problems[0].Error(), s.Pos.String()+": ")
	case !s.Definition.Enabled():
		left.why, left.amiss = "it is not enabled", false
	case len(s.Inputs) > 0:
		left.why = fmt.Sprintf("%s asks a person for %s; weir import asks once, and keeps the answer", p.host.Title, strings.Join(s.Inputs, ", "))
	case s.Astray:
		left.why = s.Notes[len(s.Notes)-1]
	case err != nil:
		left.why = p.file.explain(err).Error()
	case value == nil:
		left.why = "it stands where weir does not edit"
	default:
		return false
	}
	t.staying = append(t.staying, left)
	return true
}

// lookElsewhere notes servers of a host in files that weir's entry is not in: the
// host may read those where it does not read the entry.
func (t *takeOver) lookElsewhere(p *party) {
	for _, place := range t.machine.PlacesOf(p.host) {
		isEntrys := place.Path == p.file.Path && slices.Equal(place.Servers, p.file.Servers)
		if isEntrys || (place.Scope == hosts.User) == t.flags.project {
			continue
		}
		file, err := t.machine.Read(place)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.troubles = append(t.troubles, trouble{place, err})
			continue
		}
		for _, s := range file.Servers {
			if !s.StartsWeir {
				t.staying = append(t.staying, staying{server: s, place: place, why: "weir's entry is in another file: " + homeless(p.file.Path), amiss: true})
			}
		}
	}
}

// masked are the changes of mcp.yaml as they may be shown.
func (t *takeOver) masked() (changes []config.Change) {
	for _, c := range t.candidates(hosts.New) {
		changes = append(changes, config.DefineServer{Name: c.As, Definition: hosts.Masked(c.Definition)})
	}
	return changes
}

// planChanges works out what becomes of the files of hosts.
func (t *takeOver) planChanges() error {
	for _, p := range t.parties {
		c, err := t.planEntry(p.host, p.file, t.flags, t.takingFrom(p))
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", p.host.Title, err)
		case c.isNothing():
			t.already = append(t.already, c)
			continue
		case len(c.taken) > 0:
			c.done += ", and " + plural(len(c.taken), "server of its own is behind it", "servers of its own are behind it")
			if t.flags.project {
				c.say("whoever else has this folder is without these servers: weir has them for you only")
			}
		}
		t.changes = append(t.changes, c)
	}
	return nil
}

// takingFrom is what is taken over from the file of a host.
func (t *takeOver) takingFrom(p *party) (all taking) {
	for _, c := range t.found {
		if c.File != p.read {
			continue
		}
		value, err := p.file.language().Find(p.file.text, p.file.path(c.Name))
		if err != nil {
			continue // it was found before
		}
		all.entries = append(all.entries, takenEntry{Name: c.Name, Value: value})
		for _, s := range hosts.Secrets(c.Definition) {
			all.secrets = append(all.secrets, s.Value)
		}
		all.variables = append(all.variables, c.Definition.Variables()...)
	}
	return all
}

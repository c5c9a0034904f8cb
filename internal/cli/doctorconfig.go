package cli

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/redact"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/doctor"
	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/state"
)

// shownText makes texts of servers and files fit to be shown, without what looks like
// a secret, and without those that the configuration has.
func (c *checkup) shownText() func(string) string {
	looks, err := redact.New(redact.All)
	if err != nil {
		panic(err) // it is known
	}
	values := c.secretValues()
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) }) // one may begin another
	var known []string
	for _, value := range values {
		if len(value) >= leastSecret && !strings.Contains(value, "${") {
			known = append(known, value, "…")
		}
	}
	own := strings.NewReplacer(known...)
	return func(text string) string { return printable(homeless(own.Replace(looks.Text(text)))) }
}

// leastSecret is how long a value is that is taken for a secret wherever it stands:
// shorter ones are words.
const leastSecret = 8

// secretValues are what the configuration gives to servers and nobody is to see.
func (c *checkup) secretValues() (all []string) {
	for _, d := range c.defined {
		for _, secret := range hosts.Secrets(d.Definition) {
			all = append(all, secret.Value)
		}
	}
	if c.file == nil {
		return all
	}
	for i := range c.file.Servers {
		s := &c.file.Servers[i]
		for _, values := range []map[string]string{s.Env, s.Headers} {
			for name, value := range values {
				if name == "Authorization" || !hosts.NoSecrets.Passes(name) {
					all = append(all, value, strings.TrimPrefix(value, "Bearer "))
				}
			}
		}
		all = append(all, s.Auth.Token, s.Auth.Value, s.Auth.Password, s.Auth.OAuth.ClientSecret)
	}
	return all
}

// configuration finds out about mcp.yaml.
func (c *checkup) configuration() {
	facts := &c.facts.Config
	path := config.Where(c.configFlag)
	facts.Path = homeless(path)
	file, sources, err := c.loadWithSources()
	if err != nil {
		c.broken = err
		facts.Broken = strings.Split(homeless(err.Error()), "\n")
		return
	}
	c.file = file
	c.facts.Variables = sources.Fleeting()
	facts.Missing, facts.Empty, facts.Denied = file.Path == "", file.Empty, file.Denied
	for _, text := range file.Warnings {
		facts.Warnings = append(facts.Warnings, homeless(text))
	}
	facts.Shown = exposureWord(file.Expose)
	if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" {
		facts.Mode = info.Mode().Perm()
	}
	for _, s := range file.Servers {
		if s.Disabled {
			facts.Disabled = append(facts.Disabled, s.Name)
		}
	}
	c.definitions(path)
	for _, profile := range file.People.Profiles() {
		who, err := file.People.Find(policy.Principal{Profile: profile})
		if err == nil && !slices.ContainsFunc(file.Servers, func(s config.Server) bool { return who.Serves(s.Name) }) && file.Principal.Profile == "" {
			facts.Barren = append(facts.Barren, profile)
		}
	}
}

func exposureWord(e aggregator.Exposure) doctor.Exposure {
	switch e {
	case aggregator.ExposeSearch:
		return doctor.ShowSearch
	case aggregator.ExposeAuto:
		return doctor.ShowAuto
	case aggregator.ExposeAll:
	}
	return doctor.ShowAll
}

// definitions reads how the servers are written down: where secrets stand, and what
// hosts' own servers are compared with. Of a file in the shape of a host's it is that
// host's reading.
func (c *checkup) definitions(path string) {
	data, err := state.At(filepath.Dir(path)).Read(filepath.Base(path))
	if err != nil || data == nil {
		return
	}
	if c.defined, _, err = config.Define(data); err != nil || len(c.defined) == 0 {
		file, err := hosts.ThisMachine(c.getenv, "").ReadFile(path)
		if err != nil {
			return
		}
		for _, s := range file.Servers {
			if !s.StartsWeir {
				c.defined = append(c.defined, config.Defined{Name: s.Name, Line: s.Pos.Line, Definition: s.Definition})
			}
		}
	}
	for _, d := range c.defined {
		for _, secret := range hosts.Secrets(d.Definition) {
			c.facts.Config.Secrets = append(c.facts.Config.Secrets, "server "+d.Name+": "+whereStands(secret))
		}
		d.Definition.Map(func(_ []string, text string) string {
			c.facts.Keyring.Named += strings.Count(text, "${keyring:")
			return text
		})
	}
}

// whereStands says where a secret stands in the section of its server.
func whereStands(s hosts.Secret) string {
	switch key := s.Path[0]; {
	case key == "args", len(s.Path) == 1:
		return s.Name()
	default:
		return key + "." + s.Name()
	}
}

// lint finds rules that do nothing, with what servers list.
func (c *checkup) lint(known policy.LintCatalog) {
	people := c.file.People
	for _, p := range people.Policies {
		for _, f := range policy.Lint(p, people.Servers, known) {
			rule := doctor.Rule{Text: f.Text + meant(f)}
			if f.Pos != (policy.Position{}) {
				rule.Place = homeless(f.Pos.String())
			}
			c.facts.Config.Rules = append(c.facts.Config.Rules, rule)
		}
	}
}

package cli

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/hosts"
)

// settleOn plans until all that are to be taken could be used behind weir by those
// that had them.
func (t *takeOver) settleOn(ctx context.Context) error {
	for {
		if err := t.plan(); err != nil {
			return err
		}
		left, err := t.unready(ctx)
		if err != nil || len(left) == 0 {
			return err
		}
		t.staying = append(t.staying, left...)
		for _, s := range left {
			for _, file := range t.files {
				if file.Path == s.place.Path {
					file.Servers = slices.DeleteFunc(file.Servers, func(other hosts.Server) bool { return other.Name == s.server.Name })
				}
			}
		}
	}
}

// served are the options of the weir that hosts would start: it has nothing of this
// one's environment.
func (t *takeOver) served(profile string) (o config.Options, err error) {
	o = config.Options{Path: t.configFlag, Profile: profile}
	if t.identity.keyFile.given {
		o.Key, _, err = t.readKeyFile(nil)
	}
	return o, err
}

// unready are those of the found that would not be there behind weir as they were.
func (t *takeOver) unready(ctx context.Context) (left []staying, err error) {
	var changes config.Changes
	twins := map[*hosts.Candidate]string{} // what those that are there already would be
	taken := map[string]bool{}
	for _, c := range t.found {
		taken[c.As] = true
		if c.Verdict == hosts.New {
			changes = append(changes, config.DefineServer{Name: c.As, Definition: c.Definition})
		}
	}
	selected, err := t.loaded(changes, t.identity.profile.text)
	if err != nil {
		return nil, err
	}
	for _, c := range t.found {
		if c.Verdict == hosts.Same {
			twins[c] = config.LegalName("twin-of-"+c.As, taken)
			changes = append(changes, config.DefineServer{Name: twins[c], Definition: c.Definition})
		}
	}
	all, err := t.loaded(changes, "")
	if err != nil {
		return nil, err
	}
	again := map[string]bool{} // those that are like them are planned anew without them
	for _, c := range t.found {
		s, twin := all[c.As], all[twins[c]]
		_, isSelected := selected[c.As]
		why := ""
		switch {
		case again[c.As]:
		case s.Broken != nil:
			why = "it would not start behind weir: " + strings.Join(brokenWords(s), "; ")
		case !isSelected:
			why = fmt.Sprintf("the profile %q does not have %s: weir import takes it over, then add it to the profile", t.identity.profile.text, c.As)
		case c.Verdict == hosts.New:
		case s.Disabled:
			why = fmt.Sprintf("it is %s in mcp.yaml, which is switched off there (weir enable %[1]s)", c.As)
		case !isTwin(ctx, &s, &twin):
			why = fmt.Sprintf("%s in mcp.yaml is like it, but has other variables, headers or tools: take out the one that you do not want", c.As)
		}
		if why != "" {
			again[c.As] = again[c.As] || c.Verdict == hosts.New
			left = append(left, staying{server: c.Server, place: c.File.Place, why: why, amiss: true})
		}
	}
	return left, nil
}

// loaded are the servers that weir would have after changes, by their names.
func (t *takeOver) loaded(changes config.Changes, profile string) (map[string]config.Server, error) {
	o, err := t.served(profile)
	if err != nil {
		return nil, err
	}
	_, file, err := config.Preview(o, changes)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be added to: %w", homeless(t.path), err)
	}
	if file.Denied != "" && profile == t.identity.profile.text {
		return nil, fmt.Errorf("these hosts would be denied everything by %s: %s (--key-file or --profile says who they are)", homeless(t.path), file.Denied)
	}
	all := map[string]config.Server{}
	for _, s := range file.Servers {
		all[s.Name] = s
	}
	return all, nil
}

// isTwin reports whether one server may take the place of another one: with all
// references replaced, they are started or reached in the same way.
func isTwin(ctx context.Context, a, b *config.Server) bool {
	first, err := factsOf(ctx, a)
	if err != nil {
		return false
	}
	second, err := factsOf(ctx, b)
	return err == nil && slices.Equal(first, second) && reflect.DeepEqual(a.Tools, b.Tools) && reflect.DeepEqual(a.Auth, b.Auth)
}

// factsOf is how a server is started or reached.
func factsOf(ctx context.Context, s *config.Server) (facts []string, err error) {
	facts = slices.Concat([]string{s.Transport, s.Command, s.Dir, s.URL, fmt.Sprint(len(s.Args))}, s.Args)
	for _, values := range []map[string]string{s.Env, s.Headers} {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			facts = append(facts, name, values[name])
		}
		facts = append(facts, "")
	}
	for i := 0; i < len(facts) && err == nil && s.Resolve != nil; i++ {
		facts[i], err = s.Resolve(ctx, facts[i])
	}
	return slices.Concat(facts, slices.Sorted(slices.Values(s.InheritEnv)), []string{fmt.Sprint(s.InheritAll)}), err
}

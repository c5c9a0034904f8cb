package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/upstream"
	"github.com/weir-mcp/weir/upstream/state"
)

// administrator changes the configuration for hosts. What they give is written
// down literally, so that no value of theirs reads a variable or a file.
type administrator struct{ *reloader }

// Reload implements aggregator.Administrator.
func (a administrator) Reload(context.Context) (aggregator.Changes, error) {
	changes, err := a.reloader.Reload()
	if err != nil {
		return changes, &aggregator.ChangeError{
			Kind: upstream.KindConfiguration, Err: err,
			Text: "The configuration cannot be used, so the one before goes on: " + err.Error(),
		}
	}
	return changes, nil
}

// Apply implements aggregator.Administrator.
func (a administrator) Apply(ctx context.Context, c aggregator.Change) (aggregator.Changes, error) {
	locks, err := state.UserFolder(a.app.getenv)
	if err != nil {
		return aggregator.Changes{}, err
	}
	if err := config.EditFile(ctx, a.app.options(nil), literally(c), locks); err != nil {
		return aggregator.Changes{}, changeError(err)
	}
	return a.Reload(ctx)
}

// literally is a change as it is to be written down.
func literally(c aggregator.Change) config.Change {
	switch {
	case c.Add != nil:
		s := c.Add
		return config.AddServer{
			Name: s.Name, Transport: s.Transport, Description: s.Description,
			Command: config.Literal(s.Command), Cwd: config.Literal(s.Cwd), URL: config.Literal(s.URL),
			Args: literalList(s.Args), Env: literalMap(s.Env), Headers: literalMap(s.Headers),
		}
	case c.Alias != nil:
		return config.HarmlessAlias{AddAlias: config.AddAlias{Alias: c.Alias.Alias, Server: c.Alias.Server}}
	case c.Enable != "":
		return config.SetEnabled{Name: c.Enable, Enabled: true}
	case c.Disable != "":
		return config.SetEnabled{Name: c.Disable, Enabled: false}
	}
	return config.RemoveServer{Name: c.Remove}
}

func literalList(texts []string) []string {
	texts = slices.Clone(texts)
	for i := range texts {
		texts[i] = config.Literal(texts[i])
	}
	return texts
}

func literalMap(texts map[string]string) map[string]string {
	texts = maps.Clone(texts)
	for key := range texts {
		texts[key] = config.Literal(texts[key])
	}
	return texts
}

// changeError is what a host may know of a change that was not made. What a disk
// says has paths in it, and is for the log.
func changeError(err error) error {
	if name, ok := errors.AsType[*config.NameError](err); ok {
		kind := upstream.KindServerNotFound
		if name.Used {
			kind = upstream.KindServerExists
		}
		return &aggregator.ChangeError{Kind: kind, Text: fmt.Sprintf("Nothing was changed: %v.", name), Err: err}
	}
	if alias, ok := errors.AsType[*config.AliasError](err); ok {
		return &aggregator.ChangeError{
			Kind: upstream.KindAuthorization, Err: err,
			Text: fmt.Sprintf("Nothing was changed: the pattern %q of a policy matches the alias %q, so that it would change what is allowed. "+
				"Only the user can do that, in weir's configuration.", alias.Pattern, alias.Alias),
		}
	}
	_, uneditable := errors.AsType[*config.UneditableError](err)
	_, unusable := errors.AsType[*config.EditError](err)
	if uneditable || unusable {
		return &aggregator.ChangeError{Kind: upstream.KindConfiguration, Text: "Nothing was changed: " + homeless(err.Error()) + ".", Err: err}
	}
	return err
}

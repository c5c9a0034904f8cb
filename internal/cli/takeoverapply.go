package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/upstream/state"
)

// agreeAndApply asks, and does what was shown.
func (t *takeOver) agreeAndApply(ctx context.Context) error {
	if !t.flags.yes {
		agreed, err := t.agree(ctx, `Type "yes" to write all this, or press Enter to leave all as it is: `)
		if err != nil || !agreed {
			return err
		}
	}
	if err := t.writeServers(ctx); err != nil {
		return endOfInput(err)
	}
	failed := t.applyAll(ctx, t.changes)
	t.failed = append(t.failed, failed...)
	switch {
	case len(failed) == len(t.changes):
		return t.rollBack(ctx)
	case len(failed) > 0 && t.record != nil:
		fmt.Fprintf(t.Stderr, "%s %s has the servers of all these hosts; a host that could not be changed has its own still\n",
			t.errorPaint().yellow("weir:"), homeless(t.path))
	}
	if t.record != nil {
		fmt.Fprintf(t.Stdout, "%s %s in %s.\n\n", t.paint().green("Added."),
			plural(len(t.candidates(hosts.New)), "server is", "servers are"), homeless(t.path))
		t.listOnce(ctx)
	}
	t.printWayBack()
	return nil
}

// writeServers adds the servers to mcp.yaml, which must be as it was shown.
func (t *takeOver) writeServers(ctx context.Context) error {
	chosen := t.candidates(hosts.New)
	if len(chosen) > 0 {
		return t.write(ctx, chosen, importOptions{yes: t.flags.yes, secrets: t.secrets})
	}
	now, err := config.NewDraft(t.options(nil))
	if err == nil && string(now.Before) != string(t.agreed.Before) {
		err = config.ErrMoved
	}
	return err
}

// rollBack takes the servers out of mcp.yaml again, as no host is without them.
func (t *takeOver) rollBack(ctx context.Context) error {
	if t.record == nil {
		return nil
	}
	folder, err := state.UserFolder(t.getenv)
	if err != nil {
		return err
	}
	before, err := t.record.before()
	if err == nil {
		err = t.takeBack(ctx, folder, *t.record, before)
	}
	if err != nil {
		err = fmt.Errorf("%s has the servers now, and the hosts have them still: %w (weir import --undo takes them out)", homeless(t.path), err)
		return errors.Join(append(t.failed[t.told:], err)...)
	}
	fmt.Fprintf(t.Stderr, "%s no host could be changed, so %s is as it was\n", t.errorPaint().yellow("weir:"), homeless(t.path))
	return nil
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/aggregator/pins"
)

func (a *app) pinsApproveCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "approve [SERVER | NAME]",
		Short: "Accept what servers have changed",
		Long: `Show what servers have changed, one definition after the other, and accept those
that you type yes to. What is accepted is what was shown, to the byte. A weir
that runs takes note of it when its host asks for something the next time.

It asks on a terminal only, and there is no way around that: a model with a shell
must not accept for you what a server has changed.`,
		Example: `  weir pins approve
  weir pins approve github
  weir pins approve github__search_issues
  weir pins approve github --all`,
		Args: atMostOne("SERVER or NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !isTerminal(a.Stdin) || !isTerminal(a.Stdout) {
				return usageError(`accepting changes is done by a person: run "weir pins approve" in a terminal`)
			}
			return a.approvePins(cmd.Context(), args, all)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show all of them, and ask once")
	return cmd
}

func (a *app) approvePins(ctx context.Context, args []string, all bool) error {
	v, err := a.pinView(ctx)
	if err != nil {
		return err
	}
	chosen, err := v.choose(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &pinReview{app: a, store: v.store, answers: a.readAnswers(ctx)}
	if err := r.beginAnew(ctx, chosen); err != nil {
		return endOfInput(err)
	}
	if all {
		return endOfInput(r.approveAll(ctx, chosen))
	}
	return endOfInput(r.approveEach(ctx, chosen))
}

// A pinReview is a person who looks through changes.
type pinReview struct {
	*app
	store   *pins.Store
	answers *answers
}

// beginAnew puts files aside that cannot be read, and accepts all that their
// servers list, if the person agrees to all of it.
func (r *pinReview) beginAnew(ctx context.Context, chosen pinChoice) error {
	for _, p := range chosen.servers {
		if p.err == nil {
			continue
		}
		why := p.err
		p.book, p.err = &pins.Book{}, nil
		var all []pins.Approval
		for _, item := range p.items(pinChoice{}, pins.New) {
			r.printChange(p, item)
			all = append(all, pins.Approval{Item: item})
		}
		fmt.Fprintf(r.Stdout, "%s\nWhat %s listed before is not known any more.\n", printable(why.Error()), r.paint().bold(p.Name))
		answer, err := r.answers.ask(ctx, fmt.Sprintf(
			`Type "yes" to put the file aside and accept what the server lists now (%s), or press Enter to leave it: `,
			plural(len(all), "definition", "definitions")))
		if err != nil {
			return err
		}
		if answer != "yes" {
			p.book, p.err = nil, why
			continue
		}
		path, err := r.store.SetAside(ctx, p.Name, time.Now())
		if err != nil {
			return fmt.Errorf("putting pins aside: %w", err)
		}
		if path != "" {
			fmt.Fprintf(r.Stdout, "The file is %s now.\n", path)
		}
		if err := r.accept(ctx, p, all); err != nil {
			return err
		}
	}
	return nil
}

// waiting are the definitions of a server that were chosen and are not accepted:
// those that have changed, and under block the new ones, of which something keeps
// weir from pinning them.
func (r *pinReview) waiting(p *pinned, chosen pinChoice) (all []pins.Approval) {
	wanted := []pins.Standing{pins.Changed}
	if p.Pin == pins.Block {
		wanted = append(wanted, pins.New)
	}
	for _, item := range p.items(chosen, wanted...) {
		all = append(all, p.approval(item))
	}
	return all
}

// approval is that of an item which is compared with what is pinned now.
func (p *pinned) approval(item pins.Item) pins.Approval {
	one := pins.Approval{Item: item}
	if latest := p.book.Latest(item.Key); latest != nil {
		one.Before = latest.Digest
	}
	return one
}

// approveEach asks for each change by itself.
func (r *pinReview) approveEach(ctx context.Context, chosen pinChoice) error {
	asked := 0
	for _, p := range chosen.servers {
		for _, one := range r.waiting(p, chosen) {
			asked++
			one = p.approval(one.Item) // another one of it may have been accepted a moment ago
			r.printChange(p, one.Item)
			answer, err := r.answers.ask(ctx, `Type "yes" to accept it, or press Enter to leave it: `)
			if err != nil {
				return err
			}
			if answer == "yes" {
				if err := r.accept(ctx, p, []pins.Approval{one}); err != nil {
					return err
				}
			}
			fmt.Fprintln(r.Stdout)
		}
	}
	if asked == 0 {
		fmt.Fprintln(r.Stdout, "Nothing has changed since it was pinned.")
	}
	return nil
}

// approveAll shows all changes and asks once.
func (r *pinReview) approveAll(ctx context.Context, chosen pinChoice) error {
	count := 0
	for _, p := range chosen.servers {
		for _, one := range r.waiting(p, chosen) {
			count++
			r.printChange(p, one.Item)
		}
	}
	if count == 0 {
		fmt.Fprintln(r.Stdout, "Nothing has changed since it was pinned.")
		return nil
	}
	answer, err := r.answers.ask(ctx, fmt.Sprintf(`Type "yes" to accept %s, or press Enter to leave: `, plural(count, "definition", "definitions")))
	if err != nil || answer != "yes" {
		return err
	}
	for _, p := range chosen.servers {
		if waiting := r.waiting(p, chosen); len(waiting) > 0 {
			if err := r.accept(ctx, p, waiting); err != nil {
				return err
			}
		}
	}
	return nil
}

// accept accepts what was shown of a server, unless somebody else has accepted
// something meanwhile.
func (r *pinReview) accept(ctx context.Context, p *pinned, shown []pins.Approval) error {
	err := r.store.Approve(ctx, p.Name, shown, time.Now())
	if errors.Is(err, pins.ErrMoved) {
		fmt.Fprintln(r.Stdout, "Something else was accepted meanwhile: nothing was changed. Look again.")
		return nil
	}
	if err != nil {
		return err
	}
	if p.book, err = r.store.Load(p.Name); err != nil {
		return err
	}
	fmt.Fprintln(r.Stdout, r.paint().green("Accepted."))
	return nil
}

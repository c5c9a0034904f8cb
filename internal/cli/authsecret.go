package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weir-mcp/weir/upstream/auth/keyring"
)

// authSecretCommand is the parent of the commands about secrets of the user's own
// in the keyring.
func (a *app) authSecretCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Put secrets for the configuration into the keyring",
		Long: `Put secrets into the keyring of your system, where the configuration finds them as
${keyring:SERVICE/ACCOUNT}: keys and tokens that need to stand in no file.`,
		Example: `  weir auth secret set weir/acme
  weir auth secret delete weir/acme`,
		Args: a.noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.authSecretSetCommand(), a.authSecretDeleteCommand())
	return cmd
}

func (a *app) authSecretSetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "set SERVICE/ACCOUNT",
		Short: "Put a secret into the keyring",
		Long: `Put a secret into the keyring, in the place of the one that is there. It is asked
for on a terminal, without showing it; else it is what stands on stdin, without
the end of its last line. It is never an argument: others can read these.`,
		Example: `  weir auth secret set weir/acme
  pass show acme/token | weir auth secret set weir/acme`,
		Args: exactArgs("SERVICE/ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			service, account, err := keyringPlace(args[0])
			if err != nil {
				return err
			}
			secret, err := a.readSecret(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := a.keyring().Set(cmd.Context(), service, account, secret); err != nil {
				return keyringError(err)
			}
			fmt.Fprintf(a.Stdout, "It is in the keyring: write ${keyring:%s} in mcp.yaml.\n", args[0])
			return nil
		},
	}
}

func (a *app) authSecretDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete SERVICE/ACCOUNT",
		Short:   "Take a secret out of the keyring",
		Long:    `Take a secret out of the keyring.`,
		Example: `  weir auth secret delete weir/acme`,
		Args:    exactArgs("SERVICE/ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			service, account, err := keyringPlace(args[0])
			if err != nil {
				return err
			}
			if err := a.keyring().Delete(cmd.Context(), service, account); err != nil {
				return keyringError(err)
			}
			fmt.Fprintln(a.Stdout, "It is not in the keyring any more.")
			return nil
		},
	}
}

// keyringPlace is what a reference ${keyring:SERVICE/ACCOUNT} names.
func keyringPlace(name string) (service, account string, err error) {
	service, account, ok := strings.Cut(name, "/")
	if !ok || service == "" || account == "" || strings.ContainsAny(name, "}") {
		return "", "", usageError("%q does not name a secret (want SERVICE/ACCOUNT, such as weir/acme)", name)
	}
	return service, account, nil
}

// keyringError says what to do without a keyring.
func keyringError(err error) error {
	if errors.Is(err, keyring.ErrUnavailable) {
		return fmt.Errorf("%w; without one, keep the secret in a file that only you can read, and write ${file:PATH}", err)
	}
	return err
}

// readSecret asks for a secret, or reads it from stdin.
func (a *app) readSecret(ctx context.Context, name string) (string, error) {
	secret, err := a.secretInput(ctx, name)
	switch {
	case err != nil:
		return "", err
	case secret == "":
		return "", errors.New("the secret is empty: nothing was changed")
	case len(secret) > keyring.MaxSecret:
		return "", fmt.Errorf("the secret is larger than %d bytes, which is what keyrings take: keep it in a file that only you can read, and write ${file:PATH}", keyring.MaxSecret)
	}
	return secret, nil
}

func (a *app) secretInput(ctx context.Context, name string) (string, error) {
	if in, ok := a.Stdin.(*os.File); ok && isTerminal(in) {
		return readHidden(ctx, in, a.Stderr, fmt.Sprintf("The secret for %s (it is not shown): ", name))
	}
	data, err := io.ReadAll(io.LimitReader(a.Stdin, keyring.MaxSecret+3))
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}

// readHidden asks for a line on a terminal, which shows nothing of it from before
// the question on. A read that is under way cannot be ended: it ends with the
// process, but the terminal is as it was.
func readHidden(ctx context.Context, in *os.File, out io.Writer, question string) (string, error) {
	fd := int(in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return "", fmt.Errorf("reading the secret: %w", err)
	}
	defer func() { _ = term.Restore(fd, before) }()
	terminal := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, out}, "")
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := terminal.ReadPassword(question)
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		switch {
		case errors.Is(l.err, io.EOF): // also of an interrupt, which is a character here
			return "", errInterrupted
		case l.err != nil:
			return "", fmt.Errorf("reading the secret: %w", l.err)
		}
		return l.text, nil
	case <-ctx.Done():
		return "", errInterrupted
	}
}

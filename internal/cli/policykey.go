package cli

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

func (a *app) policyKeyCommand() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "key NAME",
		Short: "Make a key for a host",
		Long: `Make a random key for the host that is to be known as NAME, and print it with
the line for "keys" in mcp.yaml. The configuration holds its SHA-256 only: the
key is shown this once and kept nowhere.

The host gives it to weir in its own entry for weir: as --key-file FILE, or as
the variable WEIR_KEY. On a command line others can read it.`,
		Example: `  weir policy key laptop
  weir policy key laptop --file ~/.config/weir/laptop.key`,
		Args: exactArgs("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			made := newKey(args[0])
			if file != "" {
				if err := made.writeTo(file); err != nil {
					return err
				}
			}
			if asJSON {
				e := json.NewEncoder(a.Stdout)
				e.SetEscapeHTML(false)
				e.SetIndent("", "  ")
				return e.Encode(made)
			}
			a.printKey(made, file)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "put the key into a new `FILE` that only you can read, and do not show it")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an object")
	return cmd
}

// A madeKey is one that is not told again.
type madeKey struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Key    string `json:"key,omitempty"` // "" once it is in a file
}

// keyPrefix lets people and scanners for secrets see what a key is.
const keyPrefix = "weir_"

func newKey(name string) madeKey {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	text := keyPrefix + base64.RawURLEncoding.EncodeToString(random)
	sum := sha256.Sum256([]byte(text))
	return madeKey{Name: name, SHA256: hex.EncodeToString(sum[:]), Key: text}
}

// writeTo puts the key into a file that was not there.
func (k *madeKey) writeTo(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and another key may be in it", path)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(k.Key + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	k.Key = ""
	return nil
}

func (a *app) printKey(made madeKey, file string) {
	if made.Key != "" {
		fmt.Fprintf(a.Stdout, "The key, for the host's own entry for weir (it is not shown again):\n\n  %s\n\n", made.Key)
	} else {
		fmt.Fprintf(a.Stdout, "The key is in %s; the host starts weir with --key-file and that path.\n\n", file)
	}
	fmt.Fprintf(a.Stdout, "The line for keys in mcp.yaml, to which a policy or a team belongs:\n\n  - {name: %s, sha256: %q}\n",
		quoted(made.Name), made.SHA256)
}

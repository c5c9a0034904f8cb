package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/weir-mcp/weir/internal/config"
	"github.com/weir-mcp/weir/internal/hosts"
	"github.com/weir-mcp/weir/upstream/auth/keyring"
	"github.com/weir-mcp/weir/upstream/state"
)

// importsFile remembers imports, so that they can be taken back.
const importsFile = "imports.json"

// maxImports is how many are remembered.
const maxImports = 20

// An importRecord is one import that was made.
type importRecord struct {
	Time    time.Time `json:"time"`
	Config  string    `json:"config"`            // where it really lies
	Backup  string    `json:"backup,omitempty"`  // where the text before lies; "" if there was no file
	SHA256  string    `json:"sha256"`            // of the text that was written
	Secrets []string  `json:"secrets,omitempty"` // that are in the keyring since, as service/account
}

// write settles what is left open and adds the servers. What it put into the
// keyring it takes out again if that fails.
func (p *importing) write(ctx context.Context, chosen []*hosts.Candidate, o importOptions) error {
	if len(chosen) == 0 {
		return nil
	}
	err := p.settle(ctx, chosen, o)
	if err == nil {
		err = p.add(ctx, chosen)
	}
	if err != nil {
		p.forget(p.keys)
	}
	return err
}

// settle puts values in the place of what is asked for, and references in that of
// secrets.
func (p *importing) settle(ctx context.Context, chosen []*hosts.Candidate, o importOptions) error {
	if err := p.answerInputs(ctx, chosen, o); err != nil {
		return err
	}
	count := 0
	for _, c := range chosen {
		count += len(hosts.Secrets(c.Definition))
	}
	if count == 0 {
		return nil
	}
	move := o.secrets == secretsKeyring
	if o.secrets == "" && !o.yes {
		answer, err := p.askLine(ctx, fmt.Sprintf(
			`Type "yes" to move %s into the keyring of your system, or press Enter to leave them in the file: `, plural(count, "secret", "secrets")))
		if err != nil {
			return err
		}
		move = answer == "yes"
	}
	if !move {
		p.warnReadable(count)
		return nil
	}
	for _, c := range chosen {
		if err := p.moveSecrets(ctx, c); err != nil {
			return fmt.Errorf("nothing was written: %w (without a keyring: --secrets=%s leaves secrets in the file)", err, secretsKeep)
		}
	}
	return nil
}

// warnReadable tells of secrets in a file that others can read.
func (p *importing) warnReadable(count int) {
	if info, err := os.Stat(p.path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		fmt.Fprintf(p.Stderr, "%s others can read %s, which has %s now (chmod 600 %[2]s)\n",
			p.errorPaint().yellow("weir:"), p.path, plural(count, "secret more", "secrets more"))
	}
}

// moveSecrets puts the secrets of a server into the keyring.
func (p *importing) moveSecrets(ctx context.Context, c *hosts.Candidate) error {
	var failed error
	c.Definition = hosts.Replace(c.Definition, hosts.Secrets(c.Definition), func(s hosts.Secret) string {
		if failed != nil {
			return s.Value
		}
		var place string
		place, failed = p.keep(ctx, c.As+"/"+s.Name(), s.Value)
		return "${keyring:" + place + "}"
	})
	return failed
}

// keep puts a secret into the keyring, in a place that holds no other one, and
// returns that.
func (p *importing) keep(ctx context.Context, account, secret string) (place string, err error) {
	ring := p.keyring()
	account = strings.ReplaceAll(account, "}", "")
	for n := 1; ; n++ {
		candidate := account
		if n > 1 {
			candidate = fmt.Sprintf("%s-%d", account, n)
		}
		there, err := ring.Get(ctx, keyringService, candidate)
		switch {
		case err == nil && there == secret:
			return keyringService + "/" + candidate, nil
		case err == nil:
			continue
		case !errors.Is(err, keyring.ErrNotFound):
			return "", err
		}
		if err := ring.Set(ctx, keyringService, candidate, secret); err != nil {
			return "", err
		}
		p.keys = append(p.keys, candidate)
		return keyringService + "/" + candidate, nil
	}
}

// keyringService is the service under which secrets of the configuration are kept.
const keyringService = "weir"

// forget takes secrets out of the keyring, as far as that can be done.
func (a *app) forget(accounts []string) {
	for _, account := range accounts {
		if err := a.keyring().Delete(context.Background(), keyringService, account); err != nil && !errors.Is(err, keyring.ErrNotFound) {
			fmt.Fprintf(a.Stderr, "%s a secret stays in the keyring (weir auth secret delete %s/%s): %v\n", a.errorPaint().yellow("weir:"), keyringService, account, err)
		}
	}
}

// answerInputs asks for what VS Code would ask for, each once. Where nobody is
// there to be asked, it is left to a variable.
func (p *importing) answerInputs(ctx context.Context, chosen []*hosts.Candidate, o importOptions) error {
	answers := map[string]string{}
	for _, c := range chosen {
		for _, id := range c.Inputs {
			key := c.File.Path + "\x00" + id
			if _, done := answers[key]; !done {
				answer, err := p.answerInput(ctx, inputOf(c.File, id), o)
				if err != nil {
					return err
				}
				answers[key] = answer
			}
			c.Definition = c.Definition.Map(func(_ []string, text string) string {
				return strings.ReplaceAll(text, hosts.InputReference(id), answers[key])
			})
		}
	}
	return nil
}

func inputOf(f *hosts.File, id string) hosts.Input {
	for _, in := range f.Inputs {
		if in.ID == id {
			return in
		}
	}
	return hosts.Input{ID: id, Secret: true}
}

// answerInput is what stands in the file for an input.
func (p *importing) answerInput(ctx context.Context, in hosts.Input, o importOptions) (string, error) {
	variable := "${" + variableOf(in.ID) + "}"
	if o.yes {
		if in.Default != "" && !in.Secret {
			return config.Literal(in.Default), nil
		}
		fmt.Fprintf(p.Stderr, "%s VS Code asks for %q: set the variable %s for weir (docs/import.md)\n",
			p.errorPaint().yellow("weir:"), printable(in.ID), variableOf(in.ID))
		return variable, nil
	}
	what := oneLine(in.ID, 40)
	if in.Description != "" {
		what = oneLine(in.Description, 60) + " (" + what + ")"
	}
	if !in.Secret {
		question := what + ": "
		if in.Default != "" {
			question = fmt.Sprintf("%s [%s]: ", what, oneLine(in.Default, 40))
		}
		answer, err := p.askLine(ctx, question)
		if answer == "" {
			answer = in.Default
		}
		return config.Literal(answer), err
	}
	terminal, ok := p.Stdin.(*os.File)
	if !ok {
		return variable, nil
	}
	secret, err := readHidden(ctx, terminal, p.Stdout, fmt.Sprintf("%s, not shown, goes into the keyring; Enter for the variable %s: ", what, variableOf(in.ID)))
	if err != nil || secret == "" {
		return variable, err
	}
	place, err := p.keep(ctx, "input/"+in.ID, secret)
	if err != nil {
		return "", fmt.Errorf("nothing was written: %w (without a keyring, press Enter there, and set the variable)", err)
	}
	return "${keyring:" + place + "}", nil
}

// variableOf is the name of a variable for an input.
func variableOf(id string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, id)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

// add writes the servers down, keeping the text before.
func (p *importing) add(ctx context.Context, chosen []*hosts.Candidate) error {
	locks, err := state.UserFolder(p.getenv)
	if err != nil {
		return err
	}
	var changes config.Changes
	for _, c := range chosen {
		changes = append(changes, config.DefineServer{Name: c.As, Definition: c.Definition})
	}
	return config.EditFileKeeping(ctx, p.options(nil), changes, locks, func(e config.Edited) error {
		if p.agreed != nil && !bytes.Equal(e.Before, p.agreed.Before) {
			return config.ErrMoved
		}
		record := importRecord{Time: time.Now().UTC(), Config: e.Path, SHA256: digestOf(e.After), Secrets: p.keys}
		if !e.New {
			record.Backup = locks.Path("import-" + record.Time.Format("20060102-150405.000000000") + beforeExt)
			if err := state.ReplaceFile(record.Backup, e.Before); err != nil {
				return err
			}
		}
		p.record = &record
		return updateImports(ctx, locks, func(all []importRecord) []importRecord {
			all = append(all, record)
			for len(all) > maxImports {
				all[0].forgetBackup()
				all = all[1:]
			}
			return all
		})
	})
}

// forgetBackup removes what is of no use without the record.
func (r *importRecord) forgetBackup() {
	if r.Backup != "" {
		_ = os.Remove(r.Backup) // at worst it stays
	}
}

func digestOf(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

func updateImports(ctx context.Context, folder state.Folder, change func([]importRecord) []importRecord) error {
	return folder.Update(ctx, importsFile, func(old []byte) ([]byte, error) {
		all, err := parseImports(folder, old)
		if err != nil {
			return nil, err
		}
		if all = change(all); len(all) == 0 {
			return nil, nil
		}
		return json.MarshalIndent(all, "", "  ")
	})
}

func parseImports(folder state.Folder, data []byte) (all []importRecord, err error) {
	if data == nil {
		return nil, nil
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("reading %s: it is damaged; remove it to begin anew: %w", folder.Path(importsFile), err)
	}
	return all, nil
}

// undoImport gives back the configuration as it was before the last import, unless
// something else has changed it since.
func (a *app) undoImport(ctx context.Context, args []string, o importOptions) error {
	if len(args) > 0 {
		return usageError("--undo takes back the last import as a whole; it takes no %q", args[0])
	}
	folder, err := state.UserFolder(a.getenv)
	if err != nil {
		return err
	}
	record, err := a.lastImport(folder)
	if err != nil {
		return err
	}
	before, err := record.before()
	if err != nil {
		return err
	}
	what := "be as it was before " + record.Time.Local().Format("2006-01-02 15:04")
	if before == nil {
		what = "be removed: it was not there before the import"
	}
	fmt.Fprintf(a.Stdout, "%s will %s.\n", homeless(record.Config), what)
	if titles := takenOver(folder, record.Config); len(titles) > 0 {
		fmt.Fprintf(a.Stdout, "Without their own servers since weir took these over: %s (weir uninstall gives them back).\n", strings.Join(titles, ", "))
	}
	if o.dryRun {
		return nil
	}
	if !o.yes {
		agreed, err := a.agree(ctx, `Type "yes" to go back, or press Enter to leave it: `)
		if err != nil || !agreed {
			return err
		}
	}
	if err := a.takeBack(ctx, folder, record, before); err != nil {
		return err
	}
	fmt.Fprintln(a.Stdout, a.paint().green("It is as it was."))
	return nil
}

// before is the text before the import; nil if there was no file.
func (r *importRecord) before() ([]byte, error) {
	if r.Backup == "" {
		return nil, nil
	}
	text, _, err := state.ReadFile(r.Backup, state.MaxFile)
	if err != nil {
		return nil, fmt.Errorf("finding the text before the import: %w", err)
	}
	return text, nil
}

// lastImport is the last one into the configuration that this run is about.
func (a *app) lastImport(folder state.Folder) (importRecord, error) {
	data, err := folder.Read(importsFile)
	if err != nil {
		return importRecord{}, fmt.Errorf("reading what was imported: %w", err)
	}
	all, err := parseImports(folder, data)
	if err != nil {
		return importRecord{}, err
	}
	path := config.Where(a.configFlag)
	for i := len(all) - 1; i >= 0; i-- {
		if isSameFile(all[i].Config, path) {
			return all[i], nil
		}
	}
	return importRecord{}, fmt.Errorf("nothing was imported into %s that could be taken back", homeless(path))
}

// isSameFile reports whether two paths lead to one file, or are one.
func isSameFile(a, b string) bool {
	if a == b {
		return true
	}
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

func (a *app) takeBack(ctx context.Context, folder state.Folder, record importRecord, before []byte) error {
	var now [sha256.Size]byte
	if n, err := hex.Decode(now[:], []byte(record.SHA256)); err != nil || n != len(now) {
		return fmt.Errorf("reading %s: it is damaged; remove it to begin anew", folder.Path(importsFile))
	}
	err := config.RestoreFile(ctx, record.Config, now, before, folder)
	if errors.Is(err, config.ErrOther) && record.Backup != "" {
		return fmt.Errorf("%w; what it was before the import is in %s", err, record.Backup)
	}
	if err != nil {
		return err
	}
	a.forget(record.Secrets)
	record.forgetBackup() // it is the file itself now
	return updateImports(ctx, folder, func(all []importRecord) (rest []importRecord) {
		for _, r := range all {
			if r.Config != record.Config || !r.Time.Equal(record.Time) {
				rest = append(rest, r)
			}
		}
		return rest
	})
}

// askLine asks on the terminal and returns what was typed; io.EOF at the end of
// the input. It takes no more than the line, so that a secret can be asked for
// behind it. A read that is under way cannot be ended: it ends with the process.
func (a *app) askLine(ctx context.Context, question string) (string, error) {
	fmt.Fprint(a.Stdout, question)
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReaderSize(oneByte{a.Stdin}, 1).ReadString('\n')
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		if l.err != nil && l.text == "" {
			return "", l.err
		}
		return strings.TrimSpace(l.text), nil
	case <-ctx.Done():
		return "", errInterrupted
	}
}

// oneByte reads one byte at a time.
type oneByte struct{ in io.Reader }

func (r oneByte) Read(b []byte) (int, error) { return r.in.Read(b[:min(len(b), 1)]) }

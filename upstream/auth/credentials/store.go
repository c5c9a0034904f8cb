package credentials

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/auth/keyring"
	"github.com/weir-mcp/weir/upstream/state"
)

// A Store keeps logins and registrations. It is safe for concurrent use, by many
// processes. What it returns belongs to the caller.
//
// Where something is sealed, it asks the keyring once, which may ask the user:
// that takes as long as the context and the keyring allow.
type Store struct {
	folder state.Folder
	sealer *sealer
	lists  lists
}

// Open returns the store in a folder; ring is nil for none. Nothing is touched
// yet. In a folder without a place nothing is found, and nothing can be kept.
func Open(folder state.Folder, ring keyring.Ring) *Store {
	return &Store{folder: folder, sealer: newSealer(folder, ring)}
}

// Find returns the newest login for an endpoint, as configured, and an account;
// nil if there is none. Its Endpoint is that one, also if it was had for another
// one of the same resource. A login that cannot be read is an error only if there
// is no other.
func (s *Store) Find(ctx context.Context, endpoint, account string) (*Login, error) {
	names, err := s.namesOf(endpoint, account)
	var newest *Login
	errs := []error{err}
	for _, name := range names {
		l, err := s.login(ctx, name)
		errs = append(errs, err)
		if l != nil && l.Key.Account == account && (newest == nil || !l.Since.Before(newest.Since)) {
			newest = l
		}
	}
	if newest == nil {
		return nil, errors.Join(errs...)
	}
	newest.Endpoint = endpoint
	return newest, nil
}

// Load returns the login of a key; nil if there is none.
func (s *Store) Load(ctx context.Context, key Key) (*Login, error) {
	return s.login(ctx, loginName(key))
}

// Save keeps a new login, in the place of that of the same key. It waits for an
// Update of that until ctx ends.
func (s *Store) Save(ctx context.Context, l *Login) error {
	name := loginName(l.Key)
	unlock, err := s.folder.Hold(ctx, name)
	if err != nil {
		return s.problem("locking", name, err)
	}
	defer unlock()
	return s.put(ctx, l, s.sealer.forWriting(ctx))
}

// Update changes a login, which is read anew first, and returns what it is then.
// While change runs, nobody else changes it, in whatever process: it may ask a
// server. change gets nil if there is no login; nil from it removes the login; its
// error changes nothing, and is returned as it is.
//
// Waiting for others ends with ctx. What change returns is stored before Update
// returns, also if ctx has ended meanwhile. If that fails, both the login and an
// error are returned: what change returned is all there is of it then.
func (s *Store) Update(ctx context.Context, key Key, change func(old *Login) (*Login, error)) (*Login, error) {
	name := loginName(key)
	unlock, err := s.folder.Hold(ctx, name)
	if err != nil {
		return nil, s.problem("locking", name, err)
	}
	defer unlock()
	old, err := s.login(ctx, name)
	if err != nil {
		return nil, err
	}
	seal := s.sealer.forWriting(ctx) // before change: it may use up what is stored
	if err := ctx.Err(); err != nil {
		return nil, s.problem("changing", name, err)
	}
	fresh, err := change(old)
	switch {
	case err != nil:
		return nil, err
	case fresh == nil:
		return nil, s.drop(name)
	case fresh.Key != key:
		return nil, s.problem("changing", name, errors.New("its key was changed"))
	}
	return fresh, s.put(ctx, fresh, seal)
}

// Remove forgets a login, also one that cannot be read. It waits for an Update of
// that until ctx ends. That there is none is no error.
func (s *Store) Remove(ctx context.Context, key Key) error {
	return s.remove(ctx, loginName(key))
}

// Forget removes all logins of an endpoint and an account, also those that cannot
// be read, and returns how many there were.
func (s *Store) Forget(ctx context.Context, endpoint, account string) (removed int, err error) {
	names, err := s.namesOf(endpoint, account)
	errs := []error{err}
	for _, name := range names {
		if _, err := os.Lstat(s.folder.Path(name)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		err := s.remove(ctx, name)
		if err == nil {
			removed++
		}
		errs = append(errs, err)
	}
	return removed, errors.Join(errs...)
}

// All returns all logins, by issuer, resource, client and account. If some cannot
// be read, it returns the others and an error that lists those.
func (s *Store) All(ctx context.Context) ([]*Login, error) {
	names, err := s.folder.Names()
	errs := []error{pathless(err)}
	var all []*Login
	for _, name := range names {
		if !isLoginName(name) {
			continue
		}
		l, err := s.login(ctx, name)
		errs = append(errs, err)
		if l != nil {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b *Login) int { return compare(a.Key, b.Key) })
	return all, errors.Join(errs...)
}

func compare(a, b Key) int {
	return cmp.Or(
		strings.Compare(a.Issuer, b.Issuer), strings.Compare(a.Resource, b.Resource),
		strings.Compare(a.Client, b.Client), strings.Compare(a.Account, b.Account),
	)
}

// Client returns the registration that weir has made at an issuer for an
// endpoint; nil if there is none.
func (s *Store) Client(ctx context.Context, issuer, endpoint string) (*Client, error) {
	name := clientName(issuer, endpoint)
	body, _, err := s.read(ctx, name)
	if body == nil || err != nil {
		return nil, s.problem("reading", name, err)
	}
	c, err := parseClient(name, body)
	return c, s.problem("reading", name, err)
}

// SaveClient keeps a registration at c.Issuer for an endpoint, in the place of
// the one before.
func (s *Store) SaveClient(ctx context.Context, endpoint string, c *Client) error {
	name := clientName(c.Issuer, endpoint)
	unlock, err := s.folder.Hold(ctx, name)
	if err != nil {
		return s.problem("locking", name, err)
	}
	defer unlock()
	return s.write(name, clientRecordOf(endpoint, c), s.sealer.forWriting(ctx))
}

// RemoveClient forgets a registration. That there is none is no error.
func (s *Store) RemoveClient(ctx context.Context, issuer, endpoint string) error {
	return s.remove(ctx, clientName(issuer, endpoint))
}

// Where says for people where new logins are kept: "keyring", where they are
// sealed under its key, or "file". A login says of itself whether it is Sealed.
func (s *Store) Where(ctx context.Context) string {
	_, err := s.sealer.fetch(ctx, "")
	if err == nil || errors.Is(err, keyring.ErrNotFound) {
		return "keyring"
	}
	return "file"
}

// login reads the login that the file of that name holds; nil if there is none.
func (s *Store) login(ctx context.Context, name string) (*Login, error) {
	body, sealed, err := s.read(ctx, name)
	if body == nil || err != nil {
		return nil, s.problem("reading", name, err)
	}
	l, err := parseLogin(name, body)
	if err != nil {
		return nil, s.problem("reading", name, err)
	}
	l.Sealed = sealed
	return l, nil
}

// read returns what a file holds; nil if it is not there.
func (s *Store) read(ctx context.Context, name string) (body []byte, sealed bool, err error) {
	file, err := s.folder.Read(name)
	if file == nil || err != nil {
		return nil, false, err
	}
	s.close(name)
	return s.sealer.body(ctx, name, file)
}

// close makes a file that others can look into, as copies of folders are, the
// user's own again. That it cannot be is no reason to do without the login.
func (s *Store) close(name string) {
	path := s.folder.Path(name)
	info, err := os.Lstat(path)
	if err == nil && runtime.GOOS != "windows" && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		_ = os.Chmod(path, 0o600)
	}
}

// put writes a login, whose lock is held. It is listed before it is there: a name
// in a list that leads nowhere does no harm.
func (s *Store) put(ctx context.Context, l *Login, seal *key) error {
	name := loginName(l.Key)
	err := s.list(context.WithoutCancel(ctx), l.Endpoint, l.Key.Account, name)
	return errors.Join(s.problem("listing", name, err), s.write(name, recordOf(l), seal))
}

// write puts a file in its place. The lock of its name is held.
func (s *Store) write(name string, record any, seal *key) error {
	body, err := json.Marshal(record)
	if err != nil {
		return s.problem("writing", name, err)
	}
	file, err := seal.seal(name, body)
	if err == nil {
		s.sweep(name)
		err = state.ReplaceFile(s.folder.Path(name), file)
	}
	return s.problem("writing", name, err)
}

// sweep removes what writers of a file have left that did not live to put it in
// its place: there are tokens in it.
func (s *Store) sweep(name string) {
	names, _ := s.folder.Names() // at worst they stay
	for _, left := range names {
		if strings.HasPrefix(left, "."+name) {
			_ = os.Remove(s.folder.Path(left))
		}
	}
}

func (s *Store) remove(ctx context.Context, name string) error {
	if _, err := os.Lstat(s.folder.Path(name)); errors.Is(err, fs.ErrNotExist) {
		return nil // no folder is made for nothing
	}
	unlock, err := s.folder.Hold(ctx, name)
	if err != nil {
		return s.problem("locking", name, err)
	}
	defer unlock()
	return s.drop(name)
}

// drop removes a file, whose lock is held.
func (s *Store) drop(name string) error {
	s.sweep(name)
	if err := os.Remove(s.folder.Path(name)); !errors.Is(err, fs.ErrNotExist) {
		return s.problem("removing", name, err)
	}
	return nil
}

// namesOf lists the files of the logins that serve an endpoint.
func (s *Store) namesOf(endpoint, account string) ([]string, error) {
	name := endpointName(endpoint, account)
	list, err := s.folder.Read(name)
	return parseNames(list), s.problem("reading", name, err)
}

// list notes that a login serves an endpoint. Others whose files have gone are
// forgotten on the occasion.
func (s *Store) list(ctx context.Context, endpoint, account, name string) error {
	if names, err := s.namesOf(endpoint, account); err == nil && slices.Contains(names, name) {
		return nil
	}
	return s.folder.Update(ctx, endpointName(endpoint, account), func(old []byte) ([]byte, error) {
		names := slices.DeleteFunc(parseNames(old), func(other string) bool {
			_, err := os.Lstat(s.folder.Path(other))
			return other == name || errors.Is(err, fs.ErrNotExist)
		})
		return encodeNames(append(names, name)), nil
	})
}

// problem says what went wrong with a file; nil if nothing did.
func (s *Store) problem(doing, name string, err error) error {
	if err == nil {
		return nil
	}
	return &FileError{Doing: doing, Name: name, Path: s.folder.Path(name), Err: err}
}

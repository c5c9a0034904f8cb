package credentials

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-mcp/weir/upstream/auth/keyring"
	"github.com/weir-mcp/weir/upstream/state"
)

const endpoint = "https://mcp.example/mcp"

// testLogin is a login with everything in it.
func testLogin() *Login {
	return &Login{
		Key:        Key{Issuer: "https://as.example", Resource: endpoint, Client: "client-1", Account: "work"},
		Endpoint:   endpoint,
		Access:     "s3cret-access",
		Type:       "Bearer",
		Refresh:    "s3cret-refresh",
		Expiry:     time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC),
		Scopes:     []string{"read", "write"},
		Since:      time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC),
		Token:      "https://as.example/token",
		Revocation: "https://as.example/revoke",
		Client: Client{
			Issuer: "https://as.example", ID: "client-1", Secret: "s3cret-client", Auth: "client_secret_basic", Host: "localhost", Port: 4711,
			Expires: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		},
	}
}

func same(t *testing.T, got, want *Login) {
	t.Helper()
	if got == nil || want == nil {
		if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
		return
	}
	if diff := cmp.Diff(recordOf(want), recordOf(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func save(t *testing.T, s *Store, l *Login) {
	t.Helper()
	if err := s.Save(t.Context(), l); err != nil {
		t.Fatal(err)
	}
}

// content is what lies in a folder, by name, locks aside.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".lock") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = string(data)
	}
	return files
}

func TestLoginsAreKept(t *testing.T) {
	for name, ring := range map[string]keyring.Ring{"plain": nil, "sealed": newTestRing()} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "weir")
			s := Open(state.At(dir), ring)
			want := testLogin()
			for what, get := range map[string]func() (*Login, error){
				"Load": func() (*Login, error) { return s.Load(t.Context(), want.Key) },
				"Find": func() (*Login, error) { return s.Find(t.Context(), endpoint, "work") },
			} {
				if got, err := get(); got != nil || err != nil {
					t.Errorf("%s: got %v, %v, want nothing", what, got, err)
				}
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v, want no folder made for looking", err)
			}
			save(t, s, want)
			other := Open(state.At(dir), ring) // as another process has its own
			for _, s := range []*Store{s, other} {
				got, err := s.Load(t.Context(), want.Key)
				if err != nil {
					t.Fatal(err)
				}
				same(t, got, want)
				if got.Sealed != (ring != nil) {
					t.Errorf("got sealed %t", got.Sealed)
				}
				got, err = s.Find(t.Context(), endpoint, "work")
				if err != nil {
					t.Fatal(err)
				}
				same(t, got, want)
				all, err := s.All(t.Context())
				if err != nil || len(all) != 1 {
					t.Fatalf("got %v, %v", all, err)
				}
				same(t, all[0], want)
			}
			for _, account := range []string{"", "home"} {
				if got, err := s.Find(t.Context(), endpoint, account); got != nil || err != nil {
					t.Errorf("got %v, %v for another account", got, err)
				}
			}
			for file, text := range content(t, dir) {
				if sealed := ring != nil; strings.Contains(text, "s3cret") == sealed && strings.HasPrefix(file, "login-") {
					t.Errorf("%s: secrets can be read or not, want otherwise: %s", file, text)
				}
				info, err := os.Stat(filepath.Join(dir, file))
				if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
					t.Errorf("%s: got %v, %v", file, info.Mode(), err)
				}
			}
			if err := other.Remove(t.Context(), want.Key); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Find(t.Context(), endpoint, "work"); got != nil || err != nil {
				t.Errorf("got %v, %v after it was removed", got, err)
			}
			if err := other.Remove(t.Context(), want.Key); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNewestIsFound has a server that has moved to another issuer.
func TestNewestIsFound(t *testing.T) {
	s := Open(state.At(t.TempDir()), nil)
	old, fresh := testLogin(), testLogin()
	fresh.Key.Issuer, fresh.Since = "https://new.example", old.Since.Add(time.Hour)
	save(t, s, fresh)
	save(t, s, old)
	got, err := s.Find(t.Context(), endpoint, "work")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, fresh)
	if n, err := s.Forget(t.Context(), endpoint, "work"); n != 2 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if n, err := s.Forget(t.Context(), endpoint, "work"); n != 0 || err != nil {
		t.Errorf("got %d, %v when all was forgotten", n, err)
	}
}

// TestEndpointsOfOneResource has two servers whose login has the same key.
func TestEndpointsOfOneResource(t *testing.T) {
	s := Open(state.At(t.TempDir()), nil)
	first, second := testLogin(), testLogin()
	second.Endpoint, second.Access = endpoint+"/readonly", "later"
	save(t, s, first)
	before := s.Stamp(first.Endpoint, "work")
	save(t, s, second)
	if s.Stamp(first.Endpoint, "work") == before {
		t.Error("the first endpoint's stamp is what it was")
	}
	for _, e := range []string{first.Endpoint, second.Endpoint} {
		got, err := s.Find(t.Context(), e, "work")
		if err != nil || got == nil || got.Access != "later" || got.Endpoint != e {
			t.Errorf("%s: got %v, %v", e, got, err)
		}
	}
}

func TestUpdate(t *testing.T) {
	s := Open(state.At(t.TempDir()), newTestRing())
	want := testLogin()
	leaving, leave := context.WithCancel(t.Context())
	got, err := s.Update(leaving, want.Key, func(old *Login) (*Login, error) {
		if old != nil {
			t.Errorf("got %v, want nothing", old)
		}
		leave()
		return want, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	if got, err := s.Find(t.Context(), endpoint, "work"); err != nil || got == nil {
		t.Errorf("got %v, %v, want it found though its host has gone", got, err)
	}
	broken := errors.New("broken")
	if _, err := s.Update(t.Context(), want.Key, func(*Login) (*Login, error) { return nil, broken }); err != broken { //nolint:errorlint // as it is
		t.Errorf("got %v, want %v", err, broken)
	}
	ended, cancel := context.WithCancel(t.Context())
	got, err = s.Update(ended, want.Key, func(old *Login) (*Login, error) {
		same(t, old, want)
		cancel() // the host has gone, while the server has spent the refresh token
		old.Refresh = "rotated"
		return old, nil
	})
	if err != nil || got.Refresh != "rotated" {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := s.Load(t.Context(), want.Key); err != nil || got.Refresh != "rotated" {
		t.Errorf("got %v, %v", got, err)
	}
	called := false
	if _, err := s.Update(ended, want.Key, func(old *Login) (*Login, error) { called = true; return old, nil }); err == nil || called {
		t.Errorf("got %v, called %t, want nothing to be spent for nobody", err, called)
	}
	if _, err := s.Update(t.Context(), want.Key, func(old *Login) (*Login, error) { old.Key.Client = "x"; return old, nil }); err == nil {
		t.Error("got no error for a login of another key")
	}
	if got, err := s.Update(t.Context(), want.Key, func(*Login) (*Login, error) { return nil, nil }); got != nil || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := s.Load(t.Context(), want.Key); got != nil || err != nil {
		t.Errorf("got %v, %v, want it removed", got, err)
	}
}

// TestUpdateForNobody has a host that goes while the keyring is asked, when the
// refresh token has not been spent yet.
func TestUpdateForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newTestRing()
		ring.locked = true
		s := Open(state.At(t.TempDir()), ring)
		want := testLogin()
		save(t, s, want)
		<-time.After(writeRest)
		ring.slow = 2 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Update(ctx, want.Key, func(*Login) (*Login, error) { panic("spent for nobody") })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

// TestUpdateThatCannotBeStored hands back what a server has given all the same.
func TestUpdateThatCannotBeStored(t *testing.T) {
	s := Open(state.At(t.TempDir()), nil)
	want := testLogin()
	save(t, s, want)
	got, err := s.Update(t.Context(), want.Key, func(old *Login) (*Login, error) {
		old.Access = strings.Repeat("s3cret", maxFile/6)
		return old, nil
	})
	if err == nil || strings.Contains(err.Error(), "s3cret") || got == nil || len(got.Access) < maxFile-6 {
		t.Errorf("got %v, %v, want both", got, err)
	}
	if f, ok := errors.AsType[*FileError](err); !ok || f.Path != s.folder.Path(loginName(want.Key)) {
		t.Errorf("got %v, want a FileError", err)
	}
	if got, err := s.Load(t.Context(), want.Key); err != nil || got.Access != want.Access {
		t.Errorf("got %v, %v, want the old one", got, err)
	}
}

// TestUpdateWaitsAsLongAsItsCaller has a renewal that takes longer than a file.
func TestUpdateWaitsAsLongAsItsCaller(t *testing.T) {
	s := Open(state.At(t.TempDir()), nil)
	want := testLogin()
	save(t, s, want)
	holding, done := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		_, err := s.Update(context.Background(), want.Key, func(old *Login) (*Login, error) {
			close(holding)
			<-done
			return old, nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-holding
	defer close(done)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Update(ctx, want.Key, func(*Login) (*Login, error) { panic("two hold the lock") })
	if !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), s.folder.Path("")) {
		t.Errorf("got %v, want %v and no path", err, context.DeadlineExceeded)
	}
	if got, err := s.Load(t.Context(), want.Key); err != nil || got == nil {
		t.Errorf("got %v, %v: a reader waits", got, err)
	}
	other := testLogin()
	other.Key.Client = "another"
	save(t, s, other) // and so does nobody who has another login
}

func TestSealingComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, ring := t.TempDir(), newTestRing()
		ring.lock(true)
		s := Open(state.At(dir), ring)
		want := testLogin()
		save(t, s, want)
		if got, err := s.Load(t.Context(), want.Key); err != nil || got.Sealed || s.Where(t.Context()) != "file" {
			t.Fatalf("got %v, %v, want a plain one", got, err)
		}
		ring.lock(false)
		<-time.After(writeRest)
		if _, err := s.Update(t.Context(), want.Key, func(old *Login) (*Login, error) { return old, nil }); err != nil {
			t.Fatal(err)
		}
		got, err := s.Load(t.Context(), want.Key)
		if err != nil || !got.Sealed || s.Where(t.Context()) != "keyring" {
			t.Fatalf("got %v, %v, want it sealed once there is a keyring", got, err)
		}
		same(t, got, want)

		ring.lock(true)
		s = Open(state.At(dir), ring)
		_, err = s.Load(t.Context(), want.Key)
		if !errors.Is(err, ErrSealed) || !errors.Is(err, keyring.ErrUnavailable) || strings.Contains(err.Error(), dir) {
			t.Errorf("got %v, want %v", err, ErrSealed)
		}
		called := false
		if _, err := s.Update(t.Context(), want.Key, func(*Login) (*Login, error) { called = true; return nil, nil }); !errors.Is(err, ErrSealed) || called {
			t.Errorf("got %v, called %t", err, called)
		}
		other := testLogin()
		other.Key.Client, other.Since = "another", want.Since.Add(time.Hour)
		save(t, s, other)
		if got, err := s.Find(t.Context(), endpoint, "work"); err != nil || got.Key != other.Key || got.Sealed {
			t.Errorf("got %v, %v, want what can be read", got, err)
		}
		all, err := s.All(t.Context())
		if len(all) != 1 || !errors.Is(err, ErrSealed) {
			t.Errorf("got %v, %v, want one and an error about the other", all, err)
		}
		ring.lock(false)
		<-time.After(readRest)
		if all, err := s.All(t.Context()); len(all) != 2 || err != nil {
			t.Errorf("got %v, %v, want both again", all, err)
		}
		if _, sets := ring.asked(); sets != 1 {
			t.Errorf("the key was made %d times", sets)
		}
	})
}

// TestKeyringThatBeganAnew has one that was deleted, and another key made since.
func TestKeyringThatBeganAnew(t *testing.T) {
	dir := t.TempDir()
	want := testLogin()
	save(t, Open(state.At(dir), newTestRing()), want)
	ring := newTestRing()
	s := Open(state.At(dir), ring)
	_, err := s.Load(t.Context(), want.Key)
	if !errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), "weir login") {
		t.Errorf("got %v, want %v", err, ErrSealed)
	}
	save(t, s, want)
	got, err := s.Load(t.Context(), want.Key)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)

	// The store of a process that has had the old key finds the new one.
	old := Open(state.At(t.TempDir()), ring)
	old.sealer.key, _ = parseKey("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	old.folder, old.sealer.folder = s.folder, s.folder
	got, err = old.Load(t.Context(), want.Key)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
}

func TestKeyringThatIsNoUse(t *testing.T) {
	for name, ring := range map[string]*testRing{
		"forgets":      {secrets: map[string]string{}, forgets: true},
		"has no key":   {secrets: map[string]string{"weir/credentials": "s3cret"}},
		"has half one": {secrets: map[string]string{"weir/credentials": "AAAA"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := fmt.Sprint(ring.secrets)
			s := Open(state.At(t.TempDir()), ring)
			want := testLogin()
			save(t, s, want)
			if got, err := s.Load(t.Context(), want.Key); err != nil || got.Sealed {
				t.Errorf("got %v, %v, want a plain one", got, err)
			}
			if after := fmt.Sprint(ring.secrets); after != before {
				t.Errorf("what is not ours was replaced: %s", after)
			}
		})
	}
}

// TestKeyringThatHangs costs 10 s once, and no login.
func TestKeyringThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := newTestRing()
		ring.hangs = make(chan struct{})
		s := Open(state.At(t.TempDir()), ring)
		begun, want := time.Now(), testLogin()
		save(t, s, want)
		save(t, s, want)
		if took := time.Since(begun); took != ringTime {
			t.Errorf("took %v, want %v", took, ringTime)
		}
		if got, err := s.Load(t.Context(), want.Key); err != nil || got.Sealed {
			t.Errorf("got %v, %v, want a plain one", got, err)
		}
		close(ring.hangs)
		<-time.After(writeRest)
		save(t, s, want)
		if got, err := s.Load(t.Context(), want.Key); err != nil || !got.Sealed {
			t.Errorf("got %v, %v, want a sealed one", got, err)
		}
	})
}

// TestUserIsAskedOnce has many servers whose logins are wanted at the start, and a
// user who closes the prompt.
func TestUserIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, ring := t.TempDir(), newTestRing()
		want := testLogin()
		save(t, Open(state.At(dir), ring), want)
		for _, locked := range []bool{true, false} {
			ring.lock(locked)
			ring.slow = time.Second
			before, _ := ring.asked()
			s := Open(state.At(dir), ring)
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if _, err := s.Find(t.Context(), endpoint, "work"); (err != nil) != locked {
						t.Errorf("locked %t: got %v", locked, err)
					}
				})
			}
			all.Wait()
			if after, _ := ring.asked(); after != before+1 {
				t.Errorf("locked %t: asked %d times", locked, after-before)
			}
		}
	})
}

// TestCallerThatLeavesSaysNothingOfTheKeyring would else have logins written
// plain, since a host has gone.
func TestCallerThatLeavesSaysNothingOfTheKeyring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, ring := t.TempDir(), newTestRing()
		want := testLogin()
		save(t, Open(state.At(dir), ring), want)
		ring.hangs = make(chan struct{})
		s := Open(state.At(dir), ring)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			synctest.Wait()
			cancel()
		}()
		if _, err := s.Load(ctx, want.Key); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		close(ring.hangs)
		save(t, s, want)
		if got, err := s.Load(t.Context(), want.Key); err != nil || !got.Sealed {
			t.Errorf("got %v, %v, want a sealed one", got, err)
		}
	})
}

// TestFirstKey has processes that all make it at once.
func TestFirstKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, ring := t.TempDir(), newTestRing()
		ring.slow = 100 * time.Millisecond
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				l := testLogin()
				l.Key.Client = fmt.Sprint("client-", i)
				save(t, Open(state.At(dir), ring), l)
			})
		}
		all.Wait()
		if _, sets := ring.asked(); sets != 1 {
			t.Errorf("%d keys were made", sets)
		}
		got, err := Open(state.At(dir), ring).All(t.Context())
		if len(got) != 20 || err != nil || slices.ContainsFunc(got, func(l *Login) bool { return !l.Sealed }) {
			t.Errorf("got %d, %v, want 20 that are sealed", len(got), err)
		}
	})
}

func TestDamagedFiles(t *testing.T) {
	dir, ring := t.TempDir(), newTestRing()
	s := Open(state.At(dir), ring)
	good, bad := testLogin(), testLogin()
	bad.Key.Client = "bad"
	save(t, s, good)
	save(t, s, bad)
	name := loginName(bad.Key)
	path := filepath.Join(dir, name)
	sealed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var e envelope
	if err := json.Unmarshal(sealed, &e); err != nil {
		t.Fatal(err)
	}
	flipped := e
	flipped.Sealed = slices.Clone(e.Sealed)
	flipped.Sealed[len(e.Sealed)/2] ^= 1
	moved, err := os.ReadFile(filepath.Join(dir, loginName(good.Key)))
	if err != nil {
		t.Fatal(err)
	}
	plain := func(l *Login) []byte {
		body, _ := json.Marshal(recordOf(l))
		file, _ := (*key)(nil).seal(name, body)
		return file
	}
	flippedFile, _ := json.Marshal(flipped)
	for what, text := range map[string][]byte{
		"empty":                  {},
		"cut":                    sealed[:len(sealed)/2],
		"no JSON":                []byte("hello"),
		"nothing in it":          []byte(`{"version":1}`),
		"both":                   []byte(`{"version":1,"sealed":"AAAA","plain":{}}`),
		"null":                   []byte(`{"version":1,"plain":null}`),
		"short":                  fmt.Appendf(nil, `{"version":1,"key":%q,"sealed":"AAAA"}`, e.Key),
		"no login":               []byte(`{"version":1,"plain":[1]}`),
		"flipped":                flippedFile,
		"of another login":       moved,
		"of another login plain": plain(good),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := s.Load(t.Context(), bad.Key)
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: got %v, want %v with its name", what, err, ErrDamaged)
		}
		if all, err := s.All(t.Context()); len(all) != 1 || !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %v, %v, want the other one, and an error", what, all, err)
		}
		if got, err := s.Find(t.Context(), endpoint, "work"); err != nil || got.Key != good.Key {
			t.Errorf("%s: got %v, %v, want the other one", what, got, err)
		}
	}
	newer := bytes.Replace(plain(bad), []byte(`"version":1`), []byte(`"version":2`), 1)
	if err := os.WriteFile(path, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), bad.Key); err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v, want that a newer weir has written it", err)
	}
	save(t, s, bad)
	if got, err := s.Load(t.Context(), bad.Key); err != nil {
		t.Errorf("got %v, %v after it was saved anew", got, err)
	}
}

// TestFilesThatOthersCanRead are closed, not refused.
func TestFilesThatOthersCanRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows closes files by where they lie")
	}
	dir := t.TempDir()
	s := Open(state.At(dir), nil)
	want := testLogin()
	save(t, s, want)
	path := filepath.Join(dir, loginName(want.Key))
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := s.Load(t.Context(), want.Key)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, want)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want it closed", info.Mode(), err)
	}

	// A link is replaced, and what it led to is left alone.
	elsewhere := filepath.Join(t.TempDir(), "mine")
	if err := errors.Join(os.WriteFile(elsewhere, []byte("mine"), 0o644), os.Remove(path), os.Symlink(elsewhere, path)); err != nil {
		t.Fatal(err)
	}
	save(t, s, want)
	if text, err := os.ReadFile(elsewhere); string(text) != "mine" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
}

func TestStamp(t *testing.T) {
	folder := state.At(t.TempDir())
	s := Open(folder, nil)
	seen := map[string]string{}
	note := func(what string, fresh bool) {
		t.Helper()
		stamp := Open(folder, nil).Stamp(endpoint, "work")
		if before, again := seen[stamp]; again == fresh {
			t.Errorf("%s: got the stamp of %q, fresh %t", what, before, fresh)
		}
		seen[stamp] = what
	}
	l := testLogin()
	note("nothing", true)
	save(t, s, l)
	note("saved", true)
	note("the same", false)
	for i := range 100 { // faster than the clock of the file system ticks
		l.Access = fmt.Sprintf("access-%03d", i)
		save(t, s, l)
		note("changed", true)
	}
	other := testLogin()
	other.Key.Account = "home"
	save(t, s, other)
	note("another account", false)
	if err := s.Remove(t.Context(), l.Key); err != nil {
		t.Fatal(err)
	}
	note("removed", false) // as if there had never been one
	if stamp := s.Stamp(endpoint, "work"); seen[stamp] != "removed" {
		t.Errorf("got the stamp of %q", seen[stamp])
	}
}

// TestStampOfOneMoment has changes that the clock of a file system cannot tell.
func TestStampOfOneMoment(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its clock is fine enough")
	}
	s := Open(state.At(t.TempDir()), nil)
	l := testLogin()
	before := ""
	for i := range 10 {
		l.Access = fmt.Sprint("access-", i)
		save(t, s, l)
		if err := os.Chtimes(s.folder.Path(loginName(l.Key)), l.Since, l.Since); err != nil {
			t.Fatal(err)
		}
		stamp := s.Stamp(endpoint, "work")
		if stamp == before {
			t.Error("got the stamp of what it was before")
		}
		before = stamp
	}
}

func TestClients(t *testing.T) {
	dir, ring := t.TempDir(), newTestRing()
	s := Open(state.At(dir), ring)
	want := testLogin().Client
	if got, err := s.Client(t.Context(), want.Issuer, endpoint); got != nil || err != nil {
		t.Errorf("got %v, %v, want nothing", got, err)
	}
	if err := s.SaveClient(t.Context(), endpoint, &want); err != nil {
		t.Fatal(err)
	}
	got, err := Open(state.At(dir), ring).Client(t.Context(), want.Issuer, endpoint)
	if err != nil || *got != want {
		t.Errorf("got %v, %v", got, err)
	}
	for _, other := range [][2]string{{"https://other.example", endpoint}, {want.Issuer, endpoint + "2"}} {
		if got, err := s.Client(t.Context(), other[0], other[1]); got != nil || err != nil {
			t.Errorf("%s: got %v, %v, want nothing", other, got, err)
		}
	}
	if err := Open(state.At(dir), nil).SaveClient(t.Context(), endpoint, &want); err != nil { // plain, so not bound to its file
		t.Fatal(err)
	}
	elsewhere := filepath.Join(dir, clientName("https://other.example", endpoint))
	file, _ := os.ReadFile(filepath.Join(dir, clientName(want.Issuer, endpoint)))
	if err := os.WriteFile(elsewhere, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Client(t.Context(), "https://other.example", endpoint); got != nil || !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v, %v for a registration at another issuer", got, err)
	}
	if all, err := s.All(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("got %v, %v: a registration is no login", all, err)
	}
	if err := s.RemoveClient(t.Context(), want.Issuer, endpoint); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Client(t.Context(), want.Issuer, endpoint); got != nil || err != nil {
		t.Errorf("got %v, %v after it was removed", got, err)
	}
}

func TestFolderWithoutPlace(t *testing.T) {
	s := Open(state.Folder{}, newTestRing())
	l := testLogin()
	if got, err := s.Find(t.Context(), endpoint, "work"); got != nil || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := s.All(t.Context()); got != nil || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	_ = s.Stamp(endpoint, "work")
	if err := s.Save(t.Context(), l); !errors.Is(err, state.ErrNoFolder) {
		t.Errorf("got %v, want %v", err, state.ErrNoFolder)
	}
	if _, err := s.TakeTurn(t.Context(), endpoint); !errors.Is(err, state.ErrNoFolder) {
		t.Errorf("got %v, want %v", err, state.ErrNoFolder)
	}
	if may, err := s.MayAsk(t.Context(), "x", time.Now(), time.Hour); may || !errors.Is(err, state.ErrNoFolder) {
		t.Errorf("got %t, %v, want %v", may, err, state.ErrNoFolder)
	}
	if err := s.Remove(t.Context(), l.Key); err != nil {
		t.Error(err)
	}
}

func TestSecretsHide(t *testing.T) {
	l := testLogin()
	type holder struct {
		Login  Login
		Client Client
		Ptr    *Login
	}
	for _, v := range []any{l, *l, l.Client, &l.Client, []Login{*l}, holder{*l, l.Client, l}, map[string]*Login{"x": l}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "s3cret") || strings.Contains(text, fmt.Sprintf("%x", "s3cret")) {
				t.Errorf("%s shows a secret: %s", verb, text)
			}
		}
		if text, err := json.Marshal(v); strings.Contains(string(text), "s3cret") || err != nil {
			t.Errorf("JSON shows a secret: %s, %v", text, err)
		}
	}
	if got, want := l.String(), `login at "https://as.example" (access token, refresh token, client secret)`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := l.Client.GoString(), `client "client-1" at "https://as.example" (client secret)`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzFile holds that a file gives the login that it was written for, or none.
func FuzzFile(f *testing.F) {
	k, err := parseKey("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	if err != nil {
		f.Fatal(err)
	}
	want := testLogin()
	name := loginName(want.Key)
	body, _ := json.Marshal(recordOf(want))
	for _, k := range []*key{nil, k} {
		file, _ := k.seal(name, body)
		f.Add(file)
	}
	f.Add([]byte(`{"version":1,"plain":{"issuer":"https://as.example"}}`))
	f.Add([]byte(`{"version":1,"key":"x","sealed":"AAAA"}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		e, err := parseEnvelope(file)
		if err != nil {
			return
		}
		body := []byte(e.Plain)
		if e.Sealed != nil {
			if body, err = k.open(name, e); err != nil {
				return
			}
		}
		l, err := parseLogin(name, body)
		if err != nil {
			return
		}
		if l.Key != want.Key {
			t.Errorf("got a login of %v", l.Key)
		}
		if e.Sealed != nil {
			same(t, l, want)
		}
	})
}

func BenchmarkStamp(b *testing.B) {
	s := Open(state.At(b.TempDir()), nil)
	for i := range 50 {
		l := testLogin()
		l.Endpoint = fmt.Sprint(endpoint, i)
		l.Key.Resource = l.Endpoint
		l.Access, l.Refresh = strings.Repeat("a", 1500), strings.Repeat("r", 500)
		if err := s.Save(b.Context(), l); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		_ = s.Stamp(endpoint+"7", "work")
	}
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	random "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-mcp/weir/scripts/rig"
	"github.com/weir-mcp/weir/upstream/upstreamtest"
)

// messageLimit is the configured limits.message, in bytes.
const messageLimit = 1 << 20

// A world is what a round plays in: servers that are well, servers that are not,
// and the folders that all weirs share.
type world struct {
	machine *machine
	journal *journal
	ledger  *ledger
	folders rig.Folders
	dir     string
	servers []*server
	over    chan struct{} // closed when no server waits any more
	trusted string        // a file: who has signed the good certificate
	disk    sync.Mutex    // held while it is said where weirs keep their lists
	good    *tls.Certificate
	bad     []*tls.Certificate
	disks   []*rig.Disk // that lists and state are kept on; none where there are none to be had
}

// newWorld makes the world of a seed.
func newWorld(m *machine, j *journal, dir string, r *random.Rand) (*world, error) {
	w := &world{machine: m, journal: j, ledger: newLedger(), dir: dir, over: make(chan struct{})}
	var err error
	if w.folders, err = rig.NewFolders(dir); err != nil {
		return nil, err
	}
	if err := w.prepareDisk(); err != nil {
		return nil, errors.Join(err, w.closeDisks())
	}
	if err := w.certify(); err != nil {
		return nil, err
	}
	for _, t := range rig.Transports {
		for _, faulty := range []bool{false, true} {
			if faulty && !m.hurts(t) {
				continue
			}
			if err := w.serve(t, faulty, r); err != nil {
				return nil, errors.Join(err, w.close())
			}
		}
	}
	if err := errors.Join(w.addDead(), w.addUnnamed(r), w.addLogin(r)); err != nil {
		return nil, errors.Join(err, w.close())
	}
	slices.SortFunc(w.servers, func(a, b *server) int { return strings.Compare(a.name, b.name) })
	return w, nil
}

// prepareDisk makes the folder of lists a link, and has it and that of state on
// disks that can get full.
func (w *world) prepareDisk() error {
	real := filepath.Join(w.dir, realCache)
	if err := os.Mkdir(real, 0o700); err != nil {
		return err
	}
	for _, dir := range []string{real, w.folders.State} {
		if w.machine.mounts == nil {
			break
		}
		disk, err := w.machine.mounts.Disk(dir)
		if err != nil {
			return err
		}
		w.disks = append(w.disks, disk)
	}
	return errors.Join(
		os.Remove(w.folders.Cache),
		os.WriteFile(filepath.Join(w.dir, "nowhere"), nil, 0o600),
		w.keepIn(realCache),
	)
}

func (w *world) closeDisks() error {
	var errs []error
	for _, disk := range w.disks {
		errs = append(errs, disk.Close())
	}
	return errors.Join(errs...)
}

// serve adds a server of either sort.
func (w *world) serve(t rig.Transport, faulty bool, r *random.Rand) error {
	s := &server{
		w: w, name: "well-" + string(t), faulty: faulty, transport: t, turnedOff: map[string]bool{}, deceived: map[string]bool{}, news: newNews(),
		gates: map[string]chan struct{}{}, questions: map[string]chan []byte{},
	}
	options := rig.Options{Program: w.machine.relay, Dir: w.dir, Door: s.door, TLS: s.certificates()}
	var further []string
	if faulty {
		s.name = "ill-" + string(t)
		options.Manners = [][]string{nil, {rig.Stubborn}, {rig.Parent}, {rig.Stubborn, rig.Parent}}[r.IntN(4)]
		further = []string{"timeout: 2s", "connect_timeout: 2s", "list_timeout: 2s"}
	}
	script := upstreamtest.Script{Name: s.name, Versions: erasOf(t, r)}
	s.scripted = upstreamtest.NewWith(script, s)
	var err error
	if s.Server, err = rig.Serve(t, s.scripted, options); err != nil {
		return err
	}
	s.config = s.Config(further...)
	w.journal.note("world", "%s: versions %v, manners %v", s.name, script.Versions, options.Manners)
	w.servers = append(w.servers, s)
	return nil
}

// erasOf chooses what a server speaks.
func erasOf(t rig.Transport, r *random.Rand) []string {
	if t == rig.SSE {
		return nil // there is no other in the modern era
	}
	return [][]string{nil, {upstreamtest.Modern}, {upstreamtest.Modern, upstreamtest.Legacy}}[r.IntN(3)]
}

// addDead adds what no connection is to be had of: a program that is not there,
// a name that nobody knows, a port where nobody listens.
func (w *world) addDead() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	for name, config := range map[string]string{
		"dead-command": "{command: " + filepath.Join(w.dir, "nothing") + "}",
		"dead-name":    `{url: "http://nobody.invalid/mcp", connect_timeout: 2s}`,
		"dead-port":    fmt.Sprintf("{url: %q}", "http://"+l.Addr().String()+"/mcp"),
	} {
		w.servers = append(w.servers, &server{w: w, name: name, faulty: true, dead: true, config: config, news: newNews()})
	}
	return nil
}

// addUnnamed adds a server that is reached by a name, which nobody knows before all
// is healed for the first time.
func (w *world) addUnnamed(r *random.Rand) error {
	if w.machine.mounts == nil || !w.machine.hurts(rig.HTTP) {
		return nil
	}
	if err := w.serve(rig.HTTP, true, r); err != nil {
		return err
	}
	s := w.servers[len(w.servers)-1]
	s.name = "late-name"
	s.unnamed.Store(true)
	// No two rounds know each other's names.
	s.host = fmt.Sprintf("%s-%d.test", strings.ToLower(filepath.Base(w.dir)), os.Getpid())
	s.config = strings.Replace(s.config, "127.0.0.1", s.host, 1)
	return nil
}

// name lets the server be found by its name.
func (w *world) name(s *server) error {
	w.disk.Lock()
	defer w.disk.Unlock()
	if !s.unnamed.Load() {
		return nil
	}
	w.journal.note("world", "%s can be found", s.name)
	s.unnamed.Store(false)
	return w.machine.mounts.Name(s.host)
}

// certify makes the certificates of servers over TLS: one that is good, and some
// that are not, signed by nobody that weir trusts, for another machine, or too old.
func (w *world) certify() (err error) {
	here, now := net.IPv4(127, 0, 0, 1), time.Now()
	if w.good, err = certificate(here, now.Add(time.Hour)); err != nil {
		return err
	}
	foreign, err1 := certificate(here, now.Add(time.Hour))
	elsewhere, err2 := certificate(net.IPv4(192, 0, 2, 1), now.Add(time.Hour))
	old, err3 := certificate(here, now.Add(-time.Minute))
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	w.bad = []*tls.Certificate{foreign, elsewhere, old}
	w.trusted = filepath.Join(w.dir, "trusted.pem")
	var text []byte
	for _, trusted := range []*tls.Certificate{w.good, elsewhere, old} {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted.Certificate[0]})...)
	}
	return os.WriteFile(w.trusted, text, 0o600)
}

// certificates are what the server shows over TLS: the good one, or in turn the bad
// ones while it is spoiled. Who goes on behind a bad one is seen at the door.
func (s *server) certificates() *tls.Config {
	return &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		from := hello.Conn.RemoteAddr().String()
		delete(s.deceived, from)
		if !s.spoiled.Load() {
			return s.w.good, nil
		}
		s.deceived[from] = true
		s.shown++
		return s.w.bad[s.shown%len(s.w.bad)], nil
	}}
}

// seeTrust looks whether a request comes from somebody who was shown a bad
// certificate.
func (s *server) seeTrust(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deceived[r.RemoteAddr] {
		s.w.journal.violated(s.name, "a bad certificate was taken for a good one by %s", r.RemoteAddr)
	}
}

// certificate makes one for a machine, signed by itself.
func certificate(machine net.IP, until time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	number := big.NewInt(time.Now().UnixNano())
	template := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: "chaos " + number.String()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		IPAddresses: []net.IP{machine}, IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, nil
}

// configuration has all servers for which want says so, each with the further
// members that it says.
func (w *world) configuration(want func(*server) (wanted bool, further string)) string {
	var b strings.Builder
	fmt.Fprintf(&b, "policy: {default: execute}\nlimits: {message: %d}\nservers:\n", messageLimit)
	for _, s := range w.servers {
		wanted, further := want(s)
		if !wanted {
			continue
		}
		config := s.config
		if further != "" {
			config = strings.TrimSuffix(config, "}") + ", " + further + "}"
		}
		fmt.Fprintf(&b, "  %s: %s\n", s.name, config)
	}
	return b.String()
}

// replaceFile writes a file such that nobody sees half of it.
func replaceFile(file, text string) error {
	beside := file + ".new"
	if err := os.WriteFile(beside, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(beside, file)
}

// living are the servers that can be reached, when they are well.
func (w *world) living() []*server {
	return slices.DeleteFunc(slices.Clone(w.servers), func(s *server) bool { return s.dead || s.unnamed.Load() })
}

// well are the servers that no fault befalls.
func (w *world) well() []*server {
	return slices.DeleteFunc(slices.Clone(w.servers), func(s *server) bool { return s.faulty })
}

// ill are the others that live.
func (w *world) ill() []*server {
	return slices.DeleteFunc(w.living(), func(s *server) bool { return !s.faulty })
}

// heal ends all faults, and what still waits for them.
func (w *world) heal() error {
	for _, s := range w.living() {
		s.spoiled.Store(false)
		s.Refuse(false)
		s.Thaw()
		if s.tokens != nil {
			s.tokens.withhold(false)
		}
	}
	var errs []error
	for _, s := range w.servers {
		errs = append(errs, w.name(s))
	}
	for _, disk := range w.disks {
		errs = append(errs, disk.Free())
	}
	return errors.Join(append(errs, w.keepIn(realCache))...)
}

// close ends all servers.
func (w *world) close() error {
	close(w.over)
	var errs []error
	for _, s := range w.servers {
		if s.dead {
			continue
		}
		errs = append(errs, s.Close())
		s.news.running.Wait()
	}
	return errors.Join(append(errs, w.closeDisks())...)
}

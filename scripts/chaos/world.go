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
	bad     *tls.Certificate
}

// newWorld makes the world of a seed.
func newWorld(m *machine, j *journal, dir string, r *random.Rand) (*world, error) {
	w := &world{machine: m, journal: j, ledger: newLedger(), dir: dir, over: make(chan struct{})}
	var err error
	if w.folders, err = rig.NewFolders(dir); err != nil {
		return nil, err
	}
	if err := w.prepareDisk(); err != nil {
		return nil, err
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
	return w, w.addDead()
}

// prepareDisk makes the folder of lists a link.
func (w *world) prepareDisk() error {
	return errors.Join(
		os.Remove(w.folders.Cache),
		os.Mkdir(filepath.Join(w.dir, realCache), 0o700),
		os.WriteFile(filepath.Join(w.dir, "nowhere"), nil, 0o600),
		w.keepIn(realCache),
	)
}

// serve adds a server of either sort.
func (w *world) serve(t rig.Transport, faulty bool, r *random.Rand) error {
	s := &server{
		w: w, name: "well-" + string(t), faulty: faulty, transport: t, turnedOff: map[string]bool{},
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
		w.servers = append(w.servers, &server{w: w, name: name, faulty: true, dead: true, config: config})
	}
	slices.SortFunc(w.servers, func(a, b *server) int { return strings.Compare(a.name, b.name) })
	return nil
}

// certify makes the certificates of servers over TLS: one that weir trusts, and one
// that it does not.
func (w *world) certify() (err error) {
	if w.good, err = certificate(); err != nil {
		return err
	}
	if w.bad, err = certificate(); err != nil {
		return err
	}
	w.trusted = filepath.Join(w.dir, "trusted.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.good.Certificate[0]})
	return os.WriteFile(w.trusted, text, 0o600)
}

// certificates are what the server shows over TLS: the good one, or the bad one
// while it is spoiled.
func (s *server) certificates() *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if s.spoiled.Load() {
			return s.w.bad, nil
		}
		return s.w.good, nil
	}}
}

// certificate makes one for this machine, signed by itself.
func certificate() (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "chaos"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, nil
}

// configure writes a configuration with all servers for which want says so, each
// with the further members that it says.
func (w *world) configure(file string, want func(*server) (wanted bool, further string)) error {
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
	return replaceFile(file, b.String())
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
	return slices.DeleteFunc(slices.Clone(w.servers), func(s *server) bool { return s.dead })
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
	}
	return w.keepIn(realCache)
}

// close ends all servers.
func (w *world) close() error {
	close(w.over)
	var errs []error
	for _, s := range w.living() {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

package aggregator

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"github.com/weir-mcp/weir/policy"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A handle names a parked call. It cannot be guessed.
type handle [16]byte

func newHandle() (h handle) {
	_, _ = rand.Read(h[:]) // never fails
	return h
}

// A digest is what a request is for. The request that resumes a call must have
// the same.
type digest [sha256.Size]byte

// digest takes in the method, what it names, and the arguments, as the host
// wrote them.
func (op *operation) digest(params []jsonrpc.Member) (d digest) {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(op.method), jsonrpc.Find(params, op.member), jsonrpc.Find(params, "arguments")} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	h.Sum(d[:0])
	return d
}

// stateMark begins every requestState that a weir makes: others are servers'.
const stateMark = "weir1."

// stateSize is that of a sealed state: handle, expiry, digest, seal.
const stateSize = len(handle{}) + 8 + len(digest{}) + sha256.Size

// A sealer vouches for what hosts keep for weir. Its key lives as long as the
// process: the calls behind its states do not live longer.
type sealer struct{ key [32]byte }

func newSealer() *sealer {
	s := &sealer{}
	_, _ = rand.Read(s.key[:]) // never fails
	return s
}

// state is a requestState for a parked call.
func (s *sealer) state(h handle, expiry time.Time, d digest) string {
	out := make([]byte, 0, stateSize)
	out = binary.BigEndian.AppendUint64(append(out, h[:]...), uint64(expiry.UnixMilli()))
	out = append(out, d[:]...)
	return stateMark + base64.RawURLEncoding.EncodeToString(append(out, s.mac(out)...))
}

// open reads a state. It reports false if this sealer has not made it: it is a
// server's, or that of a weir behind this one, or was changed.
func (s *sealer) open(state string) (h handle, expiry time.Time, d digest, ok bool) {
	sealed, marked := strings.CutPrefix(state, stateMark)
	if !marked {
		return h, expiry, d, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(raw) != stateSize {
		return h, expiry, d, false
	}
	text, mac := raw[:stateSize-sha256.Size], raw[stateSize-sha256.Size:]
	if !hmac.Equal(mac, s.mac(text)) {
		return h, expiry, d, false
	}
	text = text[copy(h[:], text):]
	expiry = time.UnixMilli(int64(binary.BigEndian.Uint64(text)))
	copy(d[:], text[8:])
	return h, expiry, d, true
}

func (s *sealer) mac(text []byte) []byte {
	m := hmac.New(sha256.New, s.key[:])
	m.Write(text)
	return m.Sum(nil)
}

// A taskSealer makes the task ids that hosts see. They say whose task it is and
// what the server calls it, and cannot be made by anybody else. A task has the
// same id whenever it is told of, in every weir of the principal.
type taskSealer struct {
	aead  cipher.AEAD
	nonce []byte // key of the nonces
}

// tasksOf is the label of the secret for a principal's tasks: an id that one has
// been told is none to another, who shares the servers but not the policy. A host
// chooses its profile itself, so that makes no difference.
func tasksOf(who policy.Principal) string {
	if who.Key == "" {
		return "tasks"
	}
	return "tasks of " + who.Key
}

// newTaskSealer makes a sealer from a secret of 32 bytes.
func newTaskSealer(secret []byte) *taskSealer {
	derive := func(label string) []byte {
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(label))
		return m.Sum(nil)
	}
	block, err := aes.NewCipher(derive("task ids: seal"))
	if err != nil {
		panic(err) // the key has the right length
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // the cipher has the right block size
	}
	return &taskSealer{aead: aead, nonce: derive("task ids: nonce")}
}

// seal is the id of a server's task.
func (t *taskSealer) seal(server, id string) string {
	text := []byte(server + "\x00" + id)
	m := hmac.New(sha256.New, t.nonce)
	m.Write(text)
	nonce := m.Sum(nil)[:t.aead.NonceSize()]
	return base64.RawURLEncoding.EncodeToString(t.aead.Seal(nonce, nonce, text, nil))
}

// open reads an id. It reports false if seal has not made it.
func (t *taskSealer) open(sealed string) (server, id string, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || len(raw) < t.aead.NonceSize() {
		return "", "", false
	}
	text, err := t.aead.Open(nil, raw[:t.aead.NonceSize()], raw[t.aead.NonceSize():], nil)
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(text), "\x00")
}

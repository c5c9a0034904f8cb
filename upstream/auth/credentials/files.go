package credentials

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

const fileVersion = 1

// maxFile bounds a login as it is kept, in bytes.
const maxFile = 4 << 20

// Names of files begin with what they hold.
const (
	loginFile    = "login-"
	clientFile   = "client-"
	endpointFile = "logins-of-"
	fileExt      = ".json"
)

// digest tells texts apart, each by itself: they are not run together.
func digest(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(text)))
		h.Write(size[:])
		h.Write([]byte(text))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func loginName(k Key) string {
	return loginFile + digest(k.Issuer, k.Resource, k.Client, k.Account) + fileExt
}

func clientName(issuer, endpoint string) string {
	return clientFile + digest(issuer, endpoint) + fileExt
}

// endpointName is the file that lists the logins which serve an endpoint.
func endpointName(endpoint, account string) string {
	return endpointFile + digest(endpoint, account)
}

func isLoginName(name string) bool {
	middle, ok := strings.CutPrefix(name, loginFile)
	middle, ext := strings.CutSuffix(middle, fileExt)
	return ok && ext && len(middle) == 32 && strings.Trim(middle, "0123456789abcdef") == ""
}

// envelope is a file: either Plain, or Sealed under the key of that name.
type envelope struct {
	Version int             `json:"version"`
	Key     string          `json:"key,omitempty"`
	Sealed  []byte          `json:"sealed,omitempty"`
	Plain   json.RawMessage `json:"plain,omitempty"`
}

// parseEnvelope reads a file that is not nil.
func parseEnvelope(file []byte) (*envelope, error) {
	var e envelope
	if err := json.Unmarshal(file, &e); err != nil {
		return nil, damaged("it is not JSON of ours")
	}
	switch {
	case e.Version > fileVersion:
		return nil, errors.New("a newer weir has written it; use that one, or log in anew (weir login)")
	case e.Version != fileVersion || (e.Sealed == nil) == (e.Plain == nil):
		return nil, damaged("parts of it are missing")
	}
	return &e, nil
}

func damaged(what string) error {
	return fmt.Errorf("%w: %s; log in anew (weir login), or delete it", ErrDamaged, what)
}

// loginRecord is a Login as it is kept.
type loginRecord struct {
	Issuer     string       `json:"issuer"`
	Resource   string       `json:"resource"`
	ClientID   string       `json:"client_id"`
	Account    string       `json:"account,omitempty"`
	Endpoint   string       `json:"endpoint"`
	Access     string       `json:"access_token,omitempty"`
	Type       string       `json:"token_type,omitempty"`
	Refresh    string       `json:"refresh_token,omitempty"`
	Issued     time.Time    `json:"issued,omitzero"`
	Expiry     time.Time    `json:"expiry,omitzero"`
	Scopes     []string     `json:"scopes,omitempty"`
	Since      time.Time    `json:"since,omitzero"`
	Token      string       `json:"token_endpoint,omitempty"`
	Revocation string       `json:"revocation_endpoint,omitempty"`
	Client     clientRecord `json:"client"`
	ProofKey   string       `json:"proof_key,omitempty"`
}

// clientRecord is a Client as it is kept; Endpoint is for registrations only.
type clientRecord struct {
	Issuer   string    `json:"issuer"`
	Endpoint string    `json:"endpoint,omitempty"`
	ID       string    `json:"client_id"`
	Secret   string    `json:"client_secret,omitempty"`
	Auth     string    `json:"auth_method,omitempty"`
	Host     string    `json:"host,omitempty"`
	Port     int       `json:"port,omitempty"`
	Expires  time.Time `json:"expires,omitzero"`
}

func recordOf(l *Login) *loginRecord {
	return &loginRecord{
		Issuer: l.Key.Issuer, Resource: l.Key.Resource, ClientID: l.Key.Client, Account: l.Key.Account,
		Endpoint: l.Endpoint, Access: l.Access, Type: l.Type, Refresh: l.Refresh, Issued: l.Issued, Expiry: l.Expiry, Scopes: l.Scopes,
		Since: l.Since, Token: l.Token, Revocation: l.Revocation, Client: *clientRecordOf("", &l.Client),
		ProofKey: l.ProofKey,
	}
}

func (r *loginRecord) login() *Login {
	return &Login{
		Key:      Key{Issuer: r.Issuer, Resource: r.Resource, Client: r.ClientID, Account: r.Account},
		Endpoint: r.Endpoint, Access: r.Access, Type: r.Type, Refresh: r.Refresh, Issued: r.Issued, Expiry: r.Expiry, Scopes: r.Scopes,
		Since: r.Since, Token: r.Token, Revocation: r.Revocation, Client: *r.Client.client(),
		ProofKey: r.ProofKey,
	}
}

func clientRecordOf(endpoint string, c *Client) *clientRecord {
	return &clientRecord{
		Issuer: c.Issuer, Endpoint: endpoint, ID: c.ID, Secret: c.Secret, Auth: c.Auth, Host: c.Host, Port: c.Port, Expires: c.Expires,
	}
}

func (r *clientRecord) client() *Client {
	return &Client{Issuer: r.Issuer, ID: r.ID, Secret: r.Secret, Auth: r.Auth, Host: r.Host, Port: r.Port, Expires: r.Expires}
}

// parseLogin reads what the file of that name holds. A file that holds another
// login was put there by somebody else.
func parseLogin(name string, body []byte) (*Login, error) {
	var r loginRecord
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, damaged("what it holds is no login")
	}
	l := r.login()
	if loginName(l.Key) != name {
		return nil, damaged("what it holds is another login")
	}
	return l, nil
}

func parseClient(name string, body []byte) (*Client, error) {
	var r clientRecord
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, damaged("what it holds is no registration")
	}
	if clientName(r.Issuer, r.Endpoint) != name {
		return nil, damaged("what it holds is another registration")
	}
	return r.client(), nil
}

// maxLogins is how many logins an endpoint and an account may have: one for each
// issuer, resource and client that there ever was.
const maxLogins = 32

// parseNames reads the list of an endpoint, one name a line, the newest last.
// What is no name is passed over: at worst a login is not found.
func parseNames(list []byte) []string {
	var names []string
	for line := range bytes.Lines(list) {
		if name := string(bytes.TrimRight(line, "\r\n")); isLoginName(name) && len(names) < maxLogins {
			names = append(names, name)
		}
	}
	return names
}

func encodeNames(names []string) []byte {
	names = names[max(0, len(names)-maxLogins):]
	return []byte(strings.Join(names, "\n") + "\n")
}

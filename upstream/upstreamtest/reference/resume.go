package reference

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// A state is what requestState says (2026-07-28, Multi round-trip requests):
// what the client has answered before this request.
type state struct {
	Request string     // the digest of the request that it belongs to
	Rounds  [][]string // the raw answers
	Pauses  int        // how often the client was only told to try again
}

// sealKey need not be secret: nobody is to be kept from forging, only to be
// found out who changes something.
var sealKey = []byte("reference")

// resume takes in what a retry brings. It answers one that brings what it should
// not, and returns false.
func (c *call) resume() bool {
	if !c.x.Modern() {
		return true
	}
	c.responses = members(c.field("inputResponses"))
	raw := c.field("requestState")
	if raw == nil {
		return true
	}
	if !c.state.open(text(raw)) || c.state.Request != c.digest() {
		c.x.Fail(codeInvalidParams, "requestState is not what this request was given", "")
		return false
	}
	return true
}

// digest is of all that makes the request what it is.
func (c *call) digest() string {
	h := sha256.New()
	for _, part := range [][]byte{c.x.Message().Method, c.field("name"), c.field("uri"), c.field("arguments")} {
		h.Write(part)
		h.Write([]byte{0})
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// inquire asks a modern client: it returns what was answered already, or ends
// the call with input_required.
func (c *call) inquire(questions []*question) []string {
	c.asked++
	if c.asked <= len(c.state.Rounds) {
		return c.state.Rounds[c.asked-1]
	}
	if c.responses != nil && !c.taken {
		c.taken = true
		if c.field("requestState") == nil && !c.forgetful {
			c.x.Fail(codeInvalidParams, "requestState has not come back", "")
			return nil
		}
		if answers := c.pick(questions); answers != nil {
			c.state.Rounds = append(c.state.Rounds, answers)
			return answers
		}
	}
	requests := make([]string, len(questions))
	for i, q := range questions {
		request := `"method":"` + q.method + `"`
		if q.params != "" {
			request += `,"params":` + q.params
		}
		requests[i] = quote(q.key) + ":{" + request + "}"
	}
	c.inputRequired(`"inputRequests":{` + strings.Join(requests, ",") + `}`)
	return nil
}

// pick returns the answers that have come with this request, nil if any is
// missing.
func (c *call) pick(questions []*question) []string {
	answers := make([]string, len(questions))
	for i, q := range questions {
		answer := jsonrpc.Find(c.responses, q.key)
		if answer == nil {
			return nil
		}
		answers[i] = string(answer)
	}
	return answers
}

// pause has a modern client try again at once, and reports whether it has.
func (c *call) pause() bool {
	c.paused++
	if !c.x.Modern() || c.paused <= c.state.Pauses {
		return true
	}
	c.state.Pauses++
	c.inputRequired("")
	return false
}

// inputRequired ends the call for now.
func (c *call) inputRequired(requests string) {
	requestState := ""
	if !c.forgetful {
		c.state.Request = c.digest()
		requestState = `"requestState":` + quote(c.state.seal())
	}
	c.x.Reply("{" + join(`"resultType":"input_required"`, requests, requestState, `"vendor":9007199254740993`) + "}")
}

// seal returns the state as text that open knows to be unchanged. The text has
// in it what must be escaped.
func (s *state) seal() string {
	raw, err := json.Marshal(s)
	if err != nil {
		panic(err) // a state has nothing that cannot be written
	}
	payload := base64.StdEncoding.EncodeToString(raw)
	return payload + " \"é\"\n" + seal(payload)
}

func (s *state) open(sealed string) bool {
	payload, mac, found := strings.Cut(sealed, " \"é\"\n")
	if !found || mac != seal(payload) {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(payload)
	return err == nil && json.Unmarshal(raw, s) == nil
}

func seal(payload string) string {
	h := hmac.New(sha256.New, sealKey)
	h.Write([]byte(payload))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// nested returns the capabilities that have a path, and nothing else.
func nested(path string) string {
	raw := "{}"
	for _, part := range slices.Backward(strings.Fields(path)) {
		raw = "{" + quote(part) + ":" + raw + "}"
	}
	return raw
}

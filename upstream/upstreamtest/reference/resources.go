package reference

import (
	"strings"
)

// readResource is resources/read (2025-11-25 and 2026-07-28, Resources).
func (c *call) readResource() {
	uri := text(c.field("uri"))
	raw := quote(uri)
	switch {
	case uri == "ref:///text":
		c.read(`{"vendor":1E400,"uri":` + raw + `,"mimeType":"text/plain","text":"text <é> \ud83d","_meta":{"vendor/x":9007199254740993}}`)
	case uri == "ref:///blob":
		c.read(`{"blob":"AAECAw==","uri":` + raw + `,"mimeType":"application/octet-stream"}`)
	case uri == "ref:///many/":
		c.read(`{"uri":"ref:///many/1","text":""},{"uri":"file:///elsewhere","blob":""},{"uri":"ref:///many/3","hologram":[1.0]}`)
	case uri == "ui://reference/panel":
		c.read(`{"uri":` + raw + `,"mimeType":"text/html;profile=mcp-app","text":"<p>é</p>","_meta":{"ui":{"csp":{"connectDomains":[]},"vendor":1}}}`)
	case uri == "ref:///ask":
		c.askFirst(func(answer string) { c.read(`{"uri":` + raw + `,"text":` + quote(answer) + `}`) })
	case uri == "ref:///empty":
		c.read("")
	case strings.HasPrefix(uri, "ref:///missing"), !strings.HasPrefix(uri, "ref:///") && uri != "https://example.com/doc":
		c.notFound(uri)
	default:
		c.read(`{"uri":` + raw + `,"text":` + quote("this is "+uri) + `}`)
	}
}

// read answers with these contents.
func (c *call) read(contents string) {
	c.succeed(c.kept(`"contents":[`+contents+`],"vendor":{"z":1,"a":1.0}`), `"vendor/y":1`)
}

func (c *call) notFound(uri string) {
	code := codeNotFound
	if c.x.Modern() {
		code = codeInvalidParams
	}
	c.x.Fail(code, "Resource not found", `{"vendor":1E400,"uri":`+quote(uri)+`}`)
}

// askFirst fills in a form before it goes on.
func (c *call) askFirst(then func(answer string)) {
	if !c.resume() {
		return
	}
	if answers := c.ask(c.elicitForm("form", "May I?")); answers != nil {
		then(answers[0])
	}
}

// subscribe is resources/subscribe (2025-11-25, Resources).
func (c *call) subscribe() {
	uri := text(c.field("uri"))
	if strings.HasPrefix(uri, "deaf:") {
		c.notFound(uri)
		return
	}
	c.setSubscribed(uri, true)
}

func (c *call) unsubscribe() { c.setSubscribed(text(c.field("uri")), false) }

func (c *call) setSubscribed(uri string, subscribed bool) {
	c.mu.Lock()
	c.client.subscribed[uri] = subscribed
	c.mu.Unlock()
	c.succeed("", "")
}

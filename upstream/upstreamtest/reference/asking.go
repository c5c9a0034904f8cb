package reference

import (
	"context"
	"strconv"
	"strings"
)

func contextCause(c *call) error { return context.Cause(c.x.Context()) }

// asking makes a tool that asks and tells the answers.
func asking(questions func(c *call) []*question) func(c *call) {
	return func(c *call) { c.tellAnswers(c.ask(questions(c)...)) }
}

// tellAnswers tells what was answered, if the call is not over.
func (c *call) tellAnswers(answers []string) {
	if answers != nil {
		c.tell("answers", "["+strings.Join(answers, ",")+"]")
	}
}

// askURL has the user open a URL. A legacy client is told when that is done.
func (c *call) askURL() {
	id := c.elicitationID()
	answers := c.ask(c.elicitURL("u", id))
	if answers == nil {
		return
	}
	if !c.x.Modern() {
		c.notify("notifications/elicitation/complete", `{"vendor":1.0,"elicitationId":`+quote(id)+`}`)
	}
	c.tellAnswers(answers)
}

func (c *call) elicitationID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return "elicitation <" + strconv.Itoa(c.server.asked) + ">"
}

// askThrice asks again and again; each question is about the answer before.
func (c *call) askThrice() {
	message := "first"
	for range 3 {
		answers := c.ask(c.elicitForm("k", message))
		if answers == nil {
			return
		}
		message = answers[0]
	}
	c.tell("last", message)
}

// askProgress asks a legacy client for progress on what it is asked, and waits
// for some before it waits for the answer.
func (c *call) askProgress() {
	if c.x.Modern() || !can(c.declared, "sampling") {
		c.refuse("sampling")
		return
	}
	q := sampling("", `"_meta":{"progressToken":"<p> 1"}`, "sampling")
	q.token = `"<p> 1"`
	c.server.ask(q, c.x.Send)
	var progress, answer string
	for progress == "" || answer == "" {
		select {
		case progress = <-c.progressed:
		case answer = <-q.answer:
		case <-c.x.Context().Done():
			return
		}
	}
	c.succeed(`"content":[],"structuredContent":{"progress":`+progress+`,"answer":`+answer+`}`, "")
}

// askInVain asks a legacy client and does not wait for the answer.
func (c *call) askInVain() {
	if c.x.Modern() || !can(c.declared, "sampling") {
		c.refuse("sampling")
		return
	}
	c.withdraw(c.server.ask(sampling("", "", "sampling"), c.x.Send), "never <mind>")
	c.succeed(`"content":[]`, "")
}

// legacyAsking makes a tool that asks a client of the legacy era what only it can
// be asked, and tells the answer.
func legacyAsking(needs string, ask func(c *call) *question) func(c *call) {
	return func(c *call) {
		if c.x.Modern() || !can(c.declared, needs) {
			c.refuse(needs)
			return
		}
		c.tellAnswers(c.request([]*question{ask(c)}))
	}
}

// askAsTask asks a legacy client for something that may take its time: the
// client makes a task of it, which is looked at until it is done (2025-11-25,
// Tasks).
func (c *call) askAsTask() {
	const needs = "tasks requests sampling createMessage"
	if c.x.Modern() || !can(c.declared, needs) {
		c.refuse(needs)
		return
	}
	created := c.request([]*question{sampling("", `"task":{"ttl":60000,"vendor":1.0}`, needs)})
	if created == nil {
		return
	}
	id := string(find([]byte(created[0]), "task taskId"))
	answers := created
	for _, method := range []string{"tasks/get", "tasks/result"} {
		answer := c.request([]*question{{method: method, params: `{"vendor":1,"taskId":` + id + `}`}})
		if answer == nil {
			return
		}
		answers = append(answers, answer...)
	}
	c.tellAnswers(answers)
}

// consent wants a URL opened once for each set of arguments, and then goes on. A
// legacy client is told so by an error (2025-11-25, Elicitation, URL mode).
func (c *call) consent() {
	const done = `"content":[{"type":"text","text":"consented"}]`
	if c.x.Modern() {
		switch answers := c.ask(c.elicitURL("c", "")); {
		case answers == nil:
		case text(find([]byte(answers[0]), "action")) == "accept":
			c.succeed(done, "")
		default:
			c.succeed(`"content":[{"type":"text","text":"no consent"}],"isError":true`, "")
		}
		return
	}
	arguments := string(c.field("arguments"))
	c.mu.Lock()
	consented := c.consented[arguments]
	c.consented[arguments] = !consented
	c.mu.Unlock()
	if consented {
		c.succeed(done, "")
		return
	}
	c.x.Fail(codeNeedsURL, "needs <consent>", `{"elicitations":[`+c.elicitURL("", c.elicitationID()).params+`],"vendor":1}`)
}

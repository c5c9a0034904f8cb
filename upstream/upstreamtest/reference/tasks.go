package reference

import (
	"strconv"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

const tasksPath = "extensions " + tasksExtension

// A task is a call that goes on after its answer. Nothing of it happens by
// itself: it gets on when it is looked at.
//
// By how its tool runs, a task is done at the second look ("work", "only"), or
// has failed ("fail"); it wants an answer of the user's from the first look on
// ("ask"); or it is never done ("hold").
type task struct {
	id        string
	how       string
	arguments string  // raw
	ttl       string  // raw
	token     []byte  // for progress, raw; nil = none is wanted
	notify    bool    // tell of each change
	owner     *client // nil in the modern era

	// Guarded by the server's mu.
	status string
	looks  int
	answer string // of the user, raw; "" before it
}

const working, inputRequired, completed, failed, cancelled = "working", "input_required", "completed", "failed", "cancelled"

// callTask calls a tool that can run as a task.
func (c *call) callTask(t *tool) {
	wanted := c.field("task") != nil
	if c.x.Modern() {
		wanted = can(c.declared, tasksPath)
	}
	must := t.task != "work" && t.task != "ask"
	switch {
	case wanted:
		c.createTask(t)
	case must && c.x.Modern():
		c.refuse(tasksPath)
	case must:
		c.x.Fail(-32601, "the tool "+t.name+" runs as a task only", "")
	case t.task == "ask":
		if c.resume() {
			c.tellAnswers(c.ask(c.elicitForm("t", "In a task?")))
		}
	default:
		c.succeed(c.outcome(t.task, orNull(c.field("arguments")), ""), "")
	}
}

// outcome has the members of a finished task's result.
func (c *call) outcome(how, arguments, answer string) string {
	structured := join(`"arguments":`+arguments, answer)
	return `"content":[{"type":"text","text":` + quote("done: "+how) + `,"vendor":1}],"structuredContent":{` + structured + `}`
}

func (c *call) createTask(t *tool) {
	c.mu.Lock()
	c.created++
	k := &task{
		id: "task <" + strconv.Itoa(c.created) + "> é", how: t.task, arguments: orNull(c.field("arguments")),
		ttl: orNull(jsonrpc.Find(members(c.field("task")), "ttl")), token: c.token(), owner: c.client,
		notify: string(jsonrpc.Find(c.arguments, "notify")) == "true", status: working,
	}
	c.tasks[k.id] = k
	described := c.describe(k)
	c.mu.Unlock()
	if c.x.Modern() {
		c.x.Reply("{" + join(`"resultType":"task"`, described, `"_meta":{"vendor/x":1.0,"`+metaPrefix+`serverInfo":`+c.x.ServerInfo()+`}`) + "}")
		return
	}
	c.succeed(`"task":{`+described+`}`, `"vendor/x":1.0`)
}

// describe has the members of the task. The caller holds mu.
func (c *call) describe(k *task) string {
	ttl, interval := "ttl", "pollInterval"
	if c.x.Modern() {
		ttl, interval = "ttlMs", "pollIntervalMs"
	}
	return `"vendor":9007199254740993,"taskId":` + quote(k.id) + `,"status":` + quote(k.status) + `,"statusMessage":"is <` + k.status + `>"` +
		`,"createdAt":"2026-07-28T10:30:00Z","lastUpdatedAt":"2026-07-28T10:30:01Z",` + quote(ttl) + `:` + k.ttl + `,` + quote(interval) + `:1`
}

// task returns a task, nil for one that is not there.
func (s *server) task(id string) *task {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tasks[id]
}

// theTask returns the task that the request is about, or answers that there is
// none.
func (c *call) theTask() *task {
	k := c.task(text(c.field("taskId")))
	if k == nil {
		c.x.Fail(codeInvalidParams, "no such task", `{"vendor":1.0}`)
	}
	return k
}

// look lets the task get on.
func (c *call) look(k *task) {
	c.mu.Lock()
	k.looks++
	next := k.status
	switch {
	case k.status != working && k.status != inputRequired || k.how == "hold":
	case k.how == "ask" && k.answer == "":
		next = inputRequired
	case k.how == "ask":
		next = completed
	case k.looks < 2:
	case k.how == "fail":
		next = failed
	default:
		next = completed
	}
	c.mu.Unlock()
	c.become(k, next)
}

// become changes the status, and tells of it.
func (c *call) become(k *task, status string) {
	c.mu.Lock()
	changed := k.status != status
	k.status = status
	described := c.describe(k)
	c.mu.Unlock()
	if !changed {
		return
	}
	if k.token != nil && status == completed && k.owner != nil {
		k.owner.Push(notification("notifications/progress", `{"progress":9007199254740993,"progressToken":`+string(k.token)+`}`))
	}
	if k.notify && k.owner != nil {
		k.owner.Push(notification("notifications/tasks/status", `{`+described+`}`))
	}
	for _, st := range c.openStreams() {
		if st.taskIDs[k.id] {
			st.send("notifications/tasks", c.detail(k))
		}
	}
}

// getTask is tasks/get (2025-11-25, Tasks).
func (c *call) getTask() {
	if k := c.theTask(); k != nil {
		c.look(k)
		c.succeedTask(k)
	}
}

func (c *call) succeedTask(k *task) {
	c.mu.Lock()
	described := c.describe(k)
	c.mu.Unlock()
	c.succeed(described, "")
}

// taskResult is tasks/result (2025-11-25, Tasks).
func (c *call) taskResult() {
	k := c.theTask()
	if k == nil {
		return
	}
	related := `"` + metaPrefix + `related-task":{"taskId":` + quote(k.id) + `}`
	for range 2 {
		c.look(k)
	}
	if c.statusOf(k) == inputRequired && !c.answerTask(k, related) {
		return
	}
	switch status := c.statusOf(k); status {
	case completed:
		c.succeed(c.taskOutcome(k), join(related, `"vendor/x":1.0`))
	case failed:
		c.x.FailRaw(taskError)
	case cancelled:
		c.x.Fail(codeInvalidParams, "the task was cancelled", "")
	default:
		<-c.x.Context().Done()
	}
}

const taskError = `{"data":{"n":9007199254740993},"message":"out of <luck> é","code":7}`

func (c *call) statusOf(k *task) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return k.status
}

func (c *call) taskOutcome(k *task) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := ""
	if k.answer != "" {
		answer = `"answer":` + k.answer
	}
	return c.outcome(k.how, k.arguments, answer)
}

// answerTask asks the user what the task wants to know.
func (c *call) answerTask(k *task, related string) bool {
	q := c.elicitForm("t", "In a task?")
	q.params = q.params[:len(q.params)-1] + `,"_meta":{"vendor/x":1,` + related + `}}`
	answers := c.ask(q)
	if answers == nil {
		return false
	}
	c.giveAnswer(k, answers[0])
	return true
}

func (c *call) giveAnswer(k *task, answer string) {
	c.mu.Lock()
	k.answer = answer
	c.mu.Unlock()
	c.look(k)
}

// listTasks is tasks/list (2025-11-25, Tasks): those that go on, one a page.
func (c *call) listTasks() {
	var all []string
	c.mu.Lock()
	for i := 1; i <= c.created; i++ {
		k := c.tasks["task <"+strconv.Itoa(i)+"> é"]
		if k.status == working || k.status == inputRequired {
			all = append(all, "{"+c.describe(k)+"}")
		}
	}
	c.mu.Unlock()
	c.page("tasks", "tasks", all, 1)
}

// cancelTask is tasks/cancel (2025-11-25, Tasks).
func (c *call) cancelTask() {
	k := c.theTask()
	if k == nil {
		return
	}
	if status := c.statusOf(k); status != working && status != inputRequired {
		c.x.Fail(codeInvalidParams, "the task has ended", "")
		return
	}
	c.become(k, cancelled)
	c.succeedTask(k)
}

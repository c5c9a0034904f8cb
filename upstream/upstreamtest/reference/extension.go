package reference

import "github.com/weir-mcp/weir/upstream/jsonrpc"

// What follows is of the extension io.modelcontextprotocol/tasks (2026-07-28).

// declaresTasks answers a client that does not declare the extension.
func (c *call) declaresTasks() bool {
	if can(c.declared, tasksPath) {
		return true
	}
	c.refuse(tasksPath)
	return false
}

func (c *call) getDetailedTask() {
	if !c.declaresTasks() {
		return
	}
	if k := c.theTask(); k != nil {
		c.look(k)
		c.succeed(c.detail(k), "")
	}
}

// detail has the members of a task and of what has become of it.
func (c *call) detail(k *task) string {
	c.mu.Lock()
	described, status := c.describe(k), k.status
	c.mu.Unlock()
	switch status {
	case inputRequired:
		q := c.elicitForm("", "In a task?")
		return join(described, `"inputRequests":{"<k>":{"method":"elicitation/create","params":`+q.params+`}}`)
	case completed:
		return join(described, `"result":`+c.result(c.taskOutcome(k), `"vendor/x":1.0`))
	case failed:
		return join(described, `"error":`+taskError)
	}
	return described
}

func (c *call) updateTask() {
	if !c.declaresTasks() {
		return
	}
	k := c.theTask()
	if k == nil {
		return
	}
	if answer := jsonrpc.Find(members(c.field("inputResponses")), "<k>"); answer != nil && c.statusOf(k) == inputRequired {
		c.giveAnswer(k, string(answer))
	}
	c.succeed("", "")
}

func (c *call) cancelDetailedTask() {
	if !c.declaresTasks() {
		return
	}
	k := c.theTask()
	if k == nil {
		return
	}
	if status := c.statusOf(k); status == working || status == inputRequired {
		c.become(k, cancelled)
	}
	c.succeed("", "")
}

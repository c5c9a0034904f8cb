package reference

import (
	"slices"
	"strconv"
)

// levels are those of the log, the least severe first (2025-11-25, Logging).
var levels = []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}

func severity(level string) int { return slices.Index(levels, level) }

// setLevel is logging/setLevel (2025-11-25, Logging).
func (c *call) setLevel() {
	level := text(c.field("level"))
	if severity(level) < 0 {
		c.x.Fail(codeInvalidParams, "unknown log level", "")
		return
	}
	c.mu.Lock()
	c.client.level = level
	c.mu.Unlock()
	c.succeed("", "")
}

// log writes a message of each level, with a logger and without one in turns.
func (c *call) log() {
	for i, level := range levels {
		if c.level == "" || i < severity(c.level) {
			continue
		}
		logger := ""
		if i%2 == 0 {
			logger = `"logger":"ref/<é>"`
		}
		c.notify("notifications/message", "{"+join(`"data":{"z":9007199254740993,"<a>":[1E400,`+strconv.Itoa(i)+`]}`, `"level":`+quote(level), logger,
			`"vendor":1,"_meta":{"vendor/x":1.0}`)+"}")
	}
	c.succeed(`"content":[]`, "")
}

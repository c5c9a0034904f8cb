package config

import "strings"

// An Audit is where the record of requests goes, and what is in it. The zero
// Audit is the file in weir's own folder of state, without arguments.
type Audit struct {
	Off       bool
	Path      string // absolute; "" = weir's own place
	Arguments bool   // they are recorded too, without the secrets that are known
}

// The words for audit.file that are no path.
const (
	auditDefault = "default"
	auditOff     = "off"
)

type auditing struct {
	File      *text `yaml:"file"`      // default (the default), off, or a path
	Arguments *bool `yaml:"arguments"` // default false
}

func (m *maker) audit(a *auditing) {
	made := &m.file.Audit
	made.Arguments = a.Arguments != nil && *a.Arguments
	switch f := a.File; {
	case f == nil || f.value == auditDefault:
	case f.value == auditOff:
		made.Off = true
	case f.value == "" || f.value == "true" || f.value == "false":
		m.fail(f.pos, "audit.file: want %s, %s or a path", auditDefault, auditOff)
	case strings.Contains(f.value, "${"):
		m.fail(f.pos, "audit.file: references (${…}) are not expanded here")
	default:
		made.Path = newExpander(m.file.Path, nil).path(f.value)
	}
}

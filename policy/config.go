package policy

// A Config is one policy as it is written. Keys that are not there are nil:
// whoever decodes it must keep an empty list apart from none, and must refuse
// keys that the structs do not have. The fields tagged pos are where the
// value of that key stands (without a key: the mapping itself).
type Config struct {
	Name    string `yaml:"-"`       // under which it stands in policies; "" if inline
	Default *Level `yaml:"default"` // required
	Servers *Gate  `yaml:"servers"`
	Rules   []Rule `yaml:"rules"`

	Pos        Position `yaml:"-" pos:""`
	DefaultPos Position `yaml:"-" pos:"default"`
}

// A Gate says which servers there are at all. Its patterns are globs over names
// and aliases of servers; one that matches Deny is out, whatever Allow says.
type Gate struct {
	Allow []string `yaml:"allow"` // nil = all, empty = none
	Deny  []string `yaml:"deny"`

	AllowPos Position `yaml:"-" pos:"allow"`
	DenyPos  Position `yaml:"-" pos:"deny"`
}

// A Rule gives a level to what it matches, or asks for approval of it, or both.
// Patterns are globs (see [Glob]). Without Tool, Prompt, Resource or Kind it
// covers all that the server has, and the server itself; each of the four
// narrows it to one kind.
type Rule struct {
	Server   *string `yaml:"server"` // required: name or alias of servers
	Tool     *string `yaml:"tool"`
	Prompt   *string `yaml:"prompt"`
	Resource *string `yaml:"resource"` // a URI
	Kind     *Kind   `yaml:"kind"`
	Level    *Level  `yaml:"level"` // required without Ask
	Ask      *bool   `yaml:"ask"`   // true or absent; false would spare nothing, and is an error

	// When is a condition in CEL (https://cel.dev): the rule matches only where it
	// is true. See the package's documentation for its variables.
	When *string `yaml:"when"`

	Pos     Position `yaml:"-" pos:""`
	WhenPos Position `yaml:"-" pos:"when"`
}

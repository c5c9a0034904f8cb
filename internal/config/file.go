package config

import (
	"time"

	"gopkg.in/yaml.v3"

	"github.com/weir-mcp/weir/aggregator"
	"github.com/weir-mcp/weir/aggregator/namespace"
	"github.com/weir-mcp/weir/policy"
)

// DefaultCacheMaxAge is how old a stored list may be before it is refreshed.
const DefaultCacheMaxAge = 24 * time.Hour

// A File is a configuration, ready for use. It is not changed after Load.
type File struct {
	Path string // absolute; "" if there is no file: then nothing is configured
	Want string // where a file would have been found, if Path is ""; may be ""

	Empty bool // there is nothing in the file

	Servers []Server          // as they stand in the file
	Aliases map[string]string // alias -> name of a server

	Principal policy.Principal
	Policy    *policy.Policy // of the principal; never nil
	Denied    string         // why that denies everything, a sentence part; "" if it does not
	People    *People        // all others who might ask, and all policies

	// Expose and MaxTools are the profile's word on what hosts are shown, as
	// aggregator.Config has them.
	Expose   aggregator.Exposure
	MaxTools int

	Names        namespace.Rules
	CacheMaxAge  time.Duration
	MessageLimit int    // bytes
	LogLevel     string // trace, debug, info, warn or error
	Audit        Audit
	Telemetry    Telemetry

	Warnings []string // what was passed over, one sentence each, with file and line
}

// A Server is one entry of servers.
type Server struct {
	aggregator.Server

	Description string
	Tags        []string
	Pos         policy.Position
}

// A document is the shape of weir's own mcp.yaml.
type document struct {
	Servers  mapping[server]        `yaml:"servers"`
	Aliases  mapping[text]          `yaml:"aliases"`
	Policy   *chosenPolicy          `yaml:"policy"`
	Policies mapping[policy.Config] `yaml:"policies"`
	Keys     []key                  `yaml:"keys"`
	Teams    mapping[team]          `yaml:"teams"`
	Orgs     mapping[org]           `yaml:"orgs"`
	Profiles mapping[profile]       `yaml:"profiles"`
	EnvFile  *text                  `yaml:"env_file"`
	Names    *names                 `yaml:"names"`
	Cache    *cache                 `yaml:"cache"`
	Limits   *limits                `yaml:"limits"`
	Log      *logging               `yaml:"log"`
	Audit    *auditing              `yaml:"audit"`
	Tools    mapping[customTool]    `yaml:"tools"` // of the user's own

	Telemetry    *telemetry      `yaml:"telemetry"`
	TelemetryPos policy.Position `pos:"telemetry"`

	more map[string]string // what references may name besides variables
}

// A server is one entry of servers in weir's own shape.
type server struct {
	Command    *text         `yaml:"command"` // this or url
	Args       []text        `yaml:"args"`
	Env        mapping[text] `yaml:"env"`
	InheritEnv *inherited    `yaml:"inherit_env"`
	Cwd        *text         `yaml:"cwd"`

	URL       *text         `yaml:"url"`
	Transport *text         `yaml:"transport"` // default: by command or url
	Headers   mapping[text] `yaml:"headers"`

	Auth *authentication `yaml:"auth"` // default: oauth2, if the server asks for a login

	Subprotocol *text `yaml:"subprotocol"` // of a websocket; default mcp

	Prefix         *text     `yaml:"prefix"` // default: the name
	Timeout        *duration `yaml:"timeout"`
	ConnectTimeout *duration `yaml:"connect_timeout"`
	ListTimeout    *duration `yaml:"list_timeout"`
	Start          *text     `yaml:"start"`     // lazy (default) or eager
	IdleStop       *duration `yaml:"idle_stop"` // 0 (default) = never
	Enabled        *bool     `yaml:"enabled"`   // default true
	Protocol       *text     `yaml:"protocol"`  // auto (default) or a revision
	Tools          *filter   `yaml:"tools"`
	Pin            *text     `yaml:"pin"` // off, warn (default) or block
	Description    *string   `yaml:"description"`
	Tags           []string  `yaml:"tags"`

	Sampling    *samplingPermission `yaml:"sampling"`    // allow (default), deny or limits
	Elicitation *permission         `yaml:"elicitation"` // allow (default) or deny
	Roots       *permission         `yaml:"roots"`       // allow (default) or deny

	Overrides mapping[override] `yaml:"overrides"` // by the original names of tools
	Validate  *bool             `yaml:"validate"`  // check arguments; default false

	Sanitize      *bool     `yaml:"sanitize"` // default true
	Redact        detectors `yaml:"redact"`   // all, or a list; default none
	MaxResult     *size     `yaml:"max_result"`
	RateLimit     *rate     `yaml:"rate_limit"`
	MaxConcurrent *int      `yaml:"max_concurrent"`

	MaxConcurrentPos policy.Position `pos:"max_concurrent"`

	TrustAnnotations *bool `yaml:"trust_annotations"` // a granting condition may look at its tools' annotations

	problems []error // known beforehand: it is Broken
}

type names struct {
	Max       *int  `yaml:"max"`
	Separator *text `yaml:"separator"`

	MaxPos policy.Position `pos:"max"`
}

type cache struct {
	MaxAge *duration `yaml:"max_age"`
}

type limits struct {
	Message *size `yaml:"message"`
}

type logging struct {
	Level *text `yaml:"level"`
}

// inherited is a list of variables, or true for all.
type inherited struct {
	names []string
	all   bool
}

func (i *inherited) decode(d *decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" {
		d.value(n, &i.all)
		return
	}
	d.value(n, &i.names)
}

// A chosenPolicy is the name of one of policies, or a policy itself.
type chosenPolicy struct {
	name   text
	inline *policy.Config
}

func (c *chosenPolicy) decode(d *decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		d.value(n, &c.name)
		return
	}
	d.value(n, &c.inline)
}

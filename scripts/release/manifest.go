package main

// The bundle's manifest, as MCPB 0.3 has it.

type manifest struct {
	ManifestVersion string              `json:"manifest_version"`
	Name            string              `json:"name"`
	DisplayName     string              `json:"display_name"`
	Version         string              `json:"version"`
	Description     string              `json:"description"`
	LongDescription string              `json:"long_description"`
	Author          person              `json:"author"`
	Repository      repositoryLink      `json:"repository"`
	Homepage        string              `json:"homepage"`
	Documentation   string              `json:"documentation"`
	Support         string              `json:"support"`
	Icon            string              `json:"icon"`
	Server          bundleServer        `json:"server"`
	ToolsGenerated  bool                `json:"tools_generated"`
	PromptsToo      bool                `json:"prompts_generated"`
	Keywords        []string            `json:"keywords"`
	Licence         string              `json:"license"`
	Compatibility   compatibility       `json:"compatibility"`
	Settings        map[string]aSetting `json:"user_config"`
}

type person struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type repositoryLink struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

type bundleServer struct {
	Type       string `json:"type"`
	EntryPoint string `json:"entry_point"`
	Config     struct {
		launch
		Overrides map[string]launch `json:"platform_overrides"`
	} `json:"mcp_config"`
}

// A launch is how a host starts weir.
type launch struct {
	Command string            `json:"command"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
}

type compatibility struct {
	Platforms []string `json:"platforms"`
}

// A setting is what the host asks the user for. It has a default, empty, as some
// hosts start a server with "${user_config.…}" as it stands where there is none.
type aSetting struct {
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Required    bool   `json:"required"`
	Default     string `json:"default"`
	Sensitive   bool   `json:"sensitive,omitempty"`
}

const (
	oneLine = "One MCP server in front of many: one roof, your policy, there at once"

	beginning = `weir is one MCP server in front of many. It offers the tools, prompts and resources of all the servers in your ` +
		"`mcp.yaml`" + ` under one roof, decides by your policy which may be seen and called, asks you first where you say so, ` +
		`and keeps the lists on disk, so that it answers at once.

To begin, write a ` + "`mcp.yaml`" + ` with your servers:

` + "```yaml" + `
servers:
  files:
    command: npx
    args: ["-y", "@modelcontextprotocol/server-filesystem", "${HOME}/Documents"]
` + "```" + `

It lies in ` + "`~/.config/weir`" + ` on Linux, ` + "`~/Library/Application Support/weir`" + ` on macOS and ` + "`%AppData%\\weir`" +
		` on Windows, or where you say in the settings. weir reads it as soon as it is saved; until there is one, your assistant is ` +
		`told what to do.`
)

// newManifest is for a bundle that has programs for these systems, which are named
// as Node names them.
func newManifest(version string, programs map[string]string) *manifest {
	m := &manifest{
		ManifestVersion: "0.3", Name: "weir", DisplayName: "weir", Version: version,
		Description: oneLine, LongDescription: beginning,
		Author:     person{"The weir authors", repository},
		Repository: repositoryLink{"git", repository + ".git"},
		Homepage:   repository, Documentation: repository + "#readme", Support: repository + "/issues",
		Icon: iconName, ToolsGenerated: true, PromptsToo: true, Licence: "Apache-2.0",
		Keywords: []string{"gateway", "aggregator", "proxy", "policy"},
		Settings: map[string]aSetting{
			"config": {
				Type: "file", Title: "Configuration",
				Description: "Your mcp.yaml. Leave it empty for the usual place.",
			},
			"profile": {
				Type: "string", Title: "Profile",
				Description: "The name of a profile in mcp.yaml, to offer only its servers here. Leave it empty for all.",
			},
			"key": {
				Type: "string", Title: "Key", Sensitive: true,
				Description: "The key that mcp.yaml knows this assistant by (weir policy key). Leave it empty if there are no keys.",
			},
		},
	}
	m.Server.Type, m.Server.EntryPoint = "binary", launcherName
	m.Server.Config.launch = launchOf(launcherName)
	m.Server.Config.Overrides = map[string]launch{}
	for _, system := range nodeSystems {
		if program := programs[system.node]; program != "" {
			m.Server.Config.Overrides[system.node] = launchOf(program)
			m.Compatibility.Platforms = append(m.Compatibility.Platforms, system.node)
		}
	}
	return m
}

// launchOf starts a program of the bundle. Hosts leave empty what the user leaves
// empty, and weir takes that for not given. The key goes by the environment, where
// others do not see it.
func launchOf(program string) launch {
	return launch{
		Command: "${__dirname}/" + program,
		Args:    []string{"serve", "--config=${user_config.config}", "--profile=${user_config.profile}"},
		Env:     map[string]string{"WEIR_KEY": "${user_config.key}"},
	}
}

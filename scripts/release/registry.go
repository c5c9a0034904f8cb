package main

import (
	"crypto/sha256"
	"encoding/hex"
)

// What registries of MCP servers are told: where the bundle is, and its sum.

type registration struct {
	Schema      string              `json:"$schema"`
	Name        string              `json:"name"`
	Title       string              `json:"title"`
	Description string              `json:"description"`
	Version     string              `json:"version"`
	Repository  registryRepository  `json:"repository"`
	Packages    []registeredPackage `json:"packages"`
}

type registryRepository struct {
	URL    string `json:"url"`
	Source string `json:"source"`
}

type registeredPackage struct {
	Type       string `json:"registryType"`
	Identifier string `json:"identifier"`
	Version    string `json:"version"`
	SHA256     string `json:"fileSha256"`
	Transport  struct {
		Type string `json:"type"`
	} `json:"transport"`
}

// registrySchema is that of the revision that this file follows.
const registrySchema = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"

func newRegistration(version string, bundle []byte) *registration {
	sum := sha256.Sum256(bundle)
	p := registeredPackage{
		Type: "mcpb", Version: version, SHA256: hex.EncodeToString(sum[:]),
		Identifier: repository + "/releases/download/v" + version + "/" + bundleName(version),
	}
	p.Transport.Type = "stdio"
	return &registration{
		Schema: registrySchema, Name: "io.github.weir-mcp/weir", Title: "weir", Description: oneLine, Version: version,
		Repository: registryRepository{repository, "github"}, Packages: []registeredPackage{p},
	}
}

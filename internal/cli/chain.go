package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weir-mcp/weir/internal/config"
)

// chainVariable tells a child which configurations are being served above it.
const chainVariable = "WEIR_CHAIN"

// maxChain is how many weirs may stand above one another.
const maxChain = 8

// A chain is the digests of (config path, profile) of the weirs above a
// process, the outermost first. It keeps a weir from starting itself, by way
// of its own configuration or another's, without end.
type chain []string

func parseChain(variable string) chain {
	if variable == "" {
		return nil
	}
	return strings.Split(variable, ":")
}

func (c chain) String() string { return strings.Join(c, ":") }

// enter returns the chain for the children of a weir that serves a
// configuration, or an error if it must serve none.
func (c chain) enter(configPath, profile string) (chain, error) {
	link := chainLink(configPath, profile)
	if slices.Contains(c, link) {
		return nil, fmt.Errorf("weir was started by itself: %s leads back to it", configPath)
	}
	if len(c) >= maxChain {
		return nil, fmt.Errorf("weir was started by weir %d levels deep", len(c))
	}
	return append(slices.Clone(c), link), nil
}

// laterChain is what a weir that serves no servers yet will tell those that a
// configuration brings later; nil if it must serve none.
func (a *app) laterChain() map[string]string {
	profile := a.identity.profile.or(a.getenv(profileVariable))
	c, err := parseChain(a.getenv(chainVariable)).enter(config.Where(a.configFlag), profile)
	if err != nil {
		return nil
	}
	return map[string]string{chainVariable: c.String()}
}

func chainLink(configPath, profile string) string {
	if real, err := filepath.EvalSymlinks(configPath); err == nil {
		configPath = real
	} else if folder, err := filepath.EvalSymlinks(filepath.Dir(configPath)); err == nil {
		configPath = filepath.Join(folder, filepath.Base(configPath)) // it may come later
	}
	if abs, err := filepath.Abs(configPath); err == nil {
		configPath = abs
	}
	sum := sha256.Sum256([]byte(configPath + "\x00" + profile))
	return hex.EncodeToString(sum[:8])
}

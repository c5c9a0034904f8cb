package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// The bill of materials, as CycloneDX 1.6 has it: the binaries, the modules that the
// linker put into each, and under which licence, where that is sure.

type bill struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	Serial       string       `json:"serialNumber,omitempty"`
	Version      int          `json:"version"`
	Metadata     billMetadata `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type billMetadata struct {
	Timestamp  string          `json:"timestamp"`
	Lifecycles []billLifecycle `json:"lifecycles"`
	Component  component       `json:"component"`
}

type billLifecycle struct {
	Phase string `json:"phase"`
}

type component struct {
	Type       string          `json:"type"`
	Ref        string          `json:"bom-ref"`
	Name       string          `json:"name"`
	Version    string          `json:"version,omitempty"`
	Hashes     []componentHash `json:"hashes,omitempty"`
	Licences   []billLicence   `json:"licenses,omitempty"`
	URL        string          `json:"purl,omitempty"`
	References []billReference `json:"externalReferences,omitempty"`
	Properties []billProperty  `json:"properties,omitempty"`
}

type componentHash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type billLicence struct {
	Licence struct {
		ID string `json:"id"`
	} `json:"license"`
}

type billReference struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

type billProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref  string   `json:"ref"`
	Uses []string `json:"dependsOn,omitempty"`
}

// repository is where weir's source is.
const repository = "https://" + modulePath

// newBill makes the bill of a release. The same release has the same one.
func newBill(r *release) (*bill, error) {
	weir := component{
		Type: "application", Ref: packageURL(modulePath, "v"+r.version), Name: "weir", Version: r.version,
		URL: packageURL(modulePath, "v"+r.version), Licences: licenceID("Apache-2.0"),
		References: []billReference{{"vcs", repository}},
		Properties: []billProperty{{"weir:commit", r.commit}},
	}
	b := &bill{
		Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: billMetadata{
			Timestamp: r.time.Format(time.RFC3339), Lifecycles: []billLifecycle{{"build"}}, Component: weir,
		},
	}
	whole := dependency{Ref: weir.Ref}
	used := []dependency{}
	for _, binary := range r.binaries {
		file := binaryComponent(r.version, binary)
		uses, err := modulesOf(binary)
		if err != nil {
			return nil, err
		}
		b.Components = append(b.Components, file)
		whole.Uses = append(whole.Uses, file.Ref)
		used = append(used, dependency{file.Ref, uses})
	}
	for _, key := range r.allModules() {
		b.Components = append(b.Components, moduleComponent(r.modules[key]))
	}
	b.Dependencies = append([]dependency{whole}, used...)
	content, err := indented(b)
	if err != nil {
		return nil, err
	}
	b.Serial = serialOf(content)
	return b, nil
}

func binaryComponent(version string, b *product) component {
	sum := sha256.Sum256(b.data)
	return component{
		Type: "file", Ref: "file:" + b.folder(version), Name: b.folder(version) + "/" + b.program(), Version: version,
		Hashes:     []componentHash{{"SHA-256", hex.EncodeToString(sum[:])}},
		Properties: []billProperty{{"weir:goos", b.os}, {"weir:goarch", b.arch}},
	}
}

func modulesOf(b *product) (refs []string, err error) {
	keys, err := b.linked()
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		refs = append(refs, packageURL(key.path, key.version))
	}
	return refs, nil
}

func moduleComponent(m *module) component {
	url := packageURL(m.path, m.version)
	c := component{Type: "library", Ref: url, Name: m.path, Version: m.version, URL: url, Licences: licenceID(m.licence)}
	if m.sum != "" {
		// No hash of a file, so not one of the hashes.
		c.Properties = []billProperty{{"weir:go.sum", m.sum}}
	}
	return c
}

func licenceID(id string) []billLicence {
	if id == "" {
		return nil
	}
	l := billLicence{}
	l.Licence.ID = id
	return []billLicence{l}
}

// packageURL names a Go module for scanners.
func packageURL(path, version string) string {
	return "pkg:golang/" + strings.ToLower(path) + "@" + strings.ReplaceAll(version, "+", "%2B")
}

// serialOf is a UUID that is made of what it is for (version 8: of our own making).
func serialOf(content []byte) string {
	id := sha256.Sum256(content)
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
}

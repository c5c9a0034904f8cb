package doctor

import (
	"crypto/sha256"
	"fmt"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// duplicates are servers and tools that are there twice.
func duplicates(f *Facts) (all []Finding) {
	same := f.repeated()
	for _, s := range f.Servers {
		if other := same[s.Name]; other != "" {
			all = append(all, Finding{
				Severity: Warning, Subject: s.Name, Text: fmt.Sprintf("it is the same server as %s, so all of its tools are there twice", other),
				Remedy: "weir remove " + s.Name,
			})
		}
	}
	all = append(all, sameTools(f, same)...)
	for _, h := range f.Hosts {
		if !h.isIn() {
			continue
		}
		for _, t := range h.Twins {
			all = append(all, Finding{
				Severity: Warning, Subject: h.Title,
				Text:   fmt.Sprintf("it starts %q by itself (%s), and has it behind weir as %s: its tools are there twice, and past weir's policy", t.Name, t.File, t.Server),
				Remedy: "weir install " + h.ID + " --take-over",
			})
		}
	}
	if len(all) == 0 && len(f.Tools) > 0 {
		return []Finding{{Severity: OK, Text: "no server and no tool is there twice"}}
	}
	return all
}

// repeated are the servers that are the same as one before, with that one.
func (f *Facts) repeated() map[string]string {
	same, first := map[string]string{}, map[string]string{}
	for _, s := range f.Servers {
		if s.Address == "" || s.Disabled {
			continue
		}
		if other, twice := first[s.Address]; twice {
			same[s.Name] = other
			continue
		}
		first[s.Address] = s.Name
	}
	return same
}

// different are the servers without those that are repeated: what is to be said of one
// is said once.
func (f *Facts) different() (all []Server) {
	same := f.repeated()
	for _, s := range f.Servers {
		if same[s.Name] == "" {
			all = append(all, s)
		}
	}
	return all
}

// sameTools are tools that two servers define alike.
func sameTools(f *Facts, same map[string]string) (all []Finding) {
	type pair struct{ one, other string }
	var pairs []pair
	tools := map[pair][]string{}
	seen := map[[sha256.Size]byte]string{}
	for _, t := range f.Tools {
		id := identity(t)
		one, twice := seen[id]
		switch {
		case !twice:
			seen[id] = t.Server
		case one != t.Server && same[t.Server] == "":
			p := pair{one, t.Server}
			if tools[p] == nil {
				pairs = append(pairs, p)
			}
			tools[p] = append(tools[p], t.Name)
		}
	}
	for _, p := range pairs {
		all = append(all, Finding{
			Severity: Note, Subject: p.other,
			Text:   fmt.Sprintf("%s there in %s too, word by word: %s", counted(len(tools[p]), "tool is", "tools are"), p.one, some(tools[p])),
			Remedy: fmt.Sprintf("if they do the same, weir disable %s, or leave them out: tools: {exclude: […]}", p.other),
		})
	}
	return all
}

// identity is that of a tool whatever it is called here.
func identity(t Tool) [sha256.Size]byte {
	members, _ := jsonrpc.ParseObject(nil, t.Definition)
	text := t.Name + "\x00" + string(jsonrpc.Find(members, "description")) + "\x00" + string(jsonrpc.Find(members, "inputSchema"))
	return sha256.Sum256([]byte(text))
}

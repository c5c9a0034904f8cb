package config

import (
	"maps"
	"os"
	"slices"
	"strconv"
)

// identity writes down all that could change what a server lists: each text
// with its length, so that no two configurations read the same. References to
// files stay references. Inherited variables count with their values where they
// are named: they may choose an account.
func (m *serverMaker) identity() []byte {
	s := &m.made
	id := make(identity, 0, 256)
	id = id.texts("server", s.Transport, s.Protocol, s.Command, s.Dir, s.URL, strconv.FormatBool(s.InheritAll))
	id = id.texts("args", s.Args...)
	id = id.pairs("env", s.Env)
	id = id.pairs("headers", s.Headers)
	if s.Subprotocol != "" {
		id = id.texts("subprotocol", s.Subprotocol)
	}
	inherited := make(map[string]string, len(s.InheritEnv))
	for _, name := range s.InheritEnv {
		inherited[name] = os.Getenv(name)
	}
	return id.pairs("inherited", inherited)
}

type identity []byte

func (id identity) texts(label string, texts ...string) identity {
	id = append(id, label...)
	id = strconv.AppendInt(append(id, ' '), int64(len(texts)), 10)
	for _, t := range texts {
		id = strconv.AppendInt(append(id, ' '), int64(len(t)), 10)
		id = append(append(id, ':'), t...)
	}
	return append(id, '\n')
}

func (id identity) pairs(label string, values map[string]string) identity {
	texts := make([]string, 0, 2*len(values))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		texts = append(texts, key, values[key])
	}
	return id.texts(label, texts...)
}

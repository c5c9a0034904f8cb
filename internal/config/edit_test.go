package config

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// readChange reads a change as the tests write it: underlines are blanks in
// texts, and \x1b is that character.
func readChange(t testing.TB, line string) Change {
	t.Helper()
	words := strings.Fields(line)
	switch words[0] {
	case "remove":
		return RemoveServer{words[1]}
	case "enable", "disable":
		return SetEnabled{words[1], words[0] == "enable"}
	case "alias":
		return AddAlias{words[1], words[2]}
	case "unalias":
		return RemoveAlias{words[1]}
	case "add":
	default:
		t.Fatalf("unknown change %q", line)
	}
	c := AddServer{Name: words[1], Env: map[string]string{}, Headers: map[string]string{}}
	for _, word := range words[2:] {
		key, value, _ := strings.Cut(word, "=")
		value = strings.NewReplacer("_", " ", `\x1b`, "\x1b").Replace(value)
		kind, name, _ := strings.Cut(key, ".")
		switch kind {
		case "command":
			c.Command = value
		case "arg":
			c.Args = append(c.Args, value)
		case "env":
			c.Env[name] = value
		case "header":
			c.Headers[name] = value
		case "cwd":
			c.Cwd = value
		case "url":
			c.URL = value
		case "transport":
			c.Transport = value
		case "description":
			c.Description = value
		case "prefix":
			c.Prefix = &value
		case "tag":
			c.Tags = append(c.Tags, value)
		default:
			t.Fatalf("unknown key %q", key)
		}
	}
	return c
}

// TestEdit: testdata/edit has a change, the text before and what comes of it, each
// also with Windows' line ends and without the last one.
func TestEdit(t *testing.T) {
	files, err := filepath.Glob("testdata/edit/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no tests", err)
	}
	windows := func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")) }
	open := func(text []byte) []byte { return bytes.TrimSuffix(text, []byte("\n")) }
	marked := func(text []byte) []byte { return append([]byte(byteOrderMark), text...) }
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			change := readChange(t, string(archive.Comment))
			before, after := archive.Files[0].Data, archive.Files[1].Data
			if archive.Files[1].Name == "error" {
				if _, err := Edit(before, change); err == nil || err.Error()+"\n" != string(after) {
					t.Errorf("got %v, want %s", err, after)
				}
				return
			}
			check := func(manner string, in, want []byte) {
				t.Helper()
				got, err := Edit(in, change)
				if diff := cmp.Diff(string(want), string(got)); diff != "" || err != nil {
					t.Errorf("%s: %v (-want +got):\n%s", manner, err, diff)
				}
			}
			check("as it is", before, after)
			check("with a byte order mark", marked(before), marked(after))
			if len(before) > 0 {
				check("with Windows' line ends", windows(before), windows(after))
				check("without the last line end", open(before), open(after))
			}
		})
	}
}

// FuzzEdit: a change and its inverse give back the same bytes, where there was
// something of the kind before.
func FuzzEdit(f *testing.F) {
	files, _ := filepath.Glob("testdata/edit/*.txtar") // without them it begins from nothing
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(archive.Files[0].Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		root, err := editableTree(bytes.TrimPrefix(data, []byte(byteOrderMark)))
		if err != nil {
			return
		}
		inverse := func(there bool, change, back Change) {
			t.Helper()
			changed, err := Edit(data, change)
			if err != nil {
				if changed != nil {
					t.Error("a text with an error")
				}
				return
			}
			if !there {
				return
			}
			again, err := Edit(changed, back)
			if _, refused := errors.AsType[*UneditableError](err); refused {
				return // text that nobody writes
			}
			if err != nil || !bytes.Equal(again, data) {
				t.Errorf("%+v and back: %v\n%q\n%q\n%q", change, err, data, changed, again)
			}
		}
		servers := sub(root, "servers").Content
		inverse(len(servers) > 0, AddServer{
			Name: "zz-new", Command: "x", Args: []string{"-y", "$\u00a0{"}, Env: map[string]string{"A": "#"},
		}, RemoveServer{"zz-new"})
		for i := 0; i+1 < len(servers); i += 2 {
			name, enabled := servers[i].Value, member(servers[i+1], "enabled")
			inverse(len(sub(root, "aliases").Content) > 0, AddAlias{"zz-new", name}, RemoveAlias{"zz-new"})
			inverse(enabled != nil && enabled.Value == "true", SetEnabled{name, false}, SetEnabled{name, true})
			inverse(enabled != nil && enabled.Value == "false", SetEnabled{name, true}, SetEnabled{name, false})
			inverse(false, RemoveServer{name}, nil)
		}
	})
}

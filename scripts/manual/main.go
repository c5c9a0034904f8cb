// Manual writes what "weir --help" and "weir help" say as pages: docs/reference.md
// for who reads in a browser, and docs/man for man.
//
//	go run ./scripts/manual
//
// A test fails where they are not what the program says.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/weir-mcp/weir/internal/cli"
)

func main() {
	if err := write("docs"); err != nil {
		fmt.Fprintln(os.Stderr, "manual:", err)
		os.Exit(1)
	}
}

// write writes the pages below a folder, and takes away those of what is no more.
func write(docs string) error {
	files, err := pages()
	if err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(docs, "man")); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(docs, "man"), 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(docs, filepath.FromSlash(name)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pages returns the files by their names below docs.
func pages() (map[string][]byte, error) {
	commands, topics, err := cli.Manual()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"reference.md": reference(commands, topics)}
	for _, c := range commands {
		files["man/"+manName(c.Name)+".1"] = commandPage(c, commands)
	}
	for _, topic := range topics {
		files["man/weir-"+topic.Name+".7"] = topicPage(topic)
	}
	return files, nil
}

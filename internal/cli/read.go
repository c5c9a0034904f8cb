package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/spf13/cobra"

	"github.com/weir-mcp/weir/internal/spell"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

func (a *app) readCommand() *cobra.Command {
	var asJSON, list bool
	var output string
	cmd := &cobra.Command{
		Use:   "read [URI]",
		Short: "Read a resource, or list those there are",
		Long: `Read a resource by its URI, and print its text as it is. Bytes are saved in a new
file in the working folder, and a line says which; -o names another file, which
must not be there yet, and -o - writes what was read to stdout, to the byte.

Without a URI it lists the resources of all servers, and the templates: URIs with
{parts} that you fill in.`,
		Example: `  weir read
  weir read --json
  weir read file:///home/me/notes.md
  weir read screen://main -o screen.png
  weir read db://tables/users -o - | wc -c`,
		Args: atMostOne("URI"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && output != "":
				return usageError("-o goes with the URI of a resource (see: weir read)")
			case len(args) == 1 && list:
				return usageError("--list and a URI contradict each other")
			case asJSON && output != "":
				return usageError("--json and -o contradict each other")
			case len(args) == 0:
				return a.listResources(cmd.Context(), asJSON)
			}
			return a.read(cmd.Context(), args[0], a.readView(args[0], asJSON, output))
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list resources and templates, as without a URI")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the whole result, or the lists, as JSON")
	cmd.Flags().StringVarP(&output, "output", "o", "", "write what was read to a new `FILE`, or with - to stdout")
	return cmd
}

// readView is how the result of a read is shown.
func (a *app) readView(uri string, asJSON bool, output string) func(raw []byte) error {
	switch {
	case asJSON:
		return func(raw []byte) error { printLine(a.Stdout, string(raw)); return nil }
	case output != "":
		return func(raw []byte) error { return a.writeContents(raw, output) }
	}
	v := a.view("", path.Base(uri))
	return func(raw []byte) error { return v.contents(raw) }
}

func (a *app) read(ctx context.Context, uri string, show func(raw []byte) error) error {
	return a.asking(ctx, func(g *gateway) error {
		w := a.wait("reading " + uri)
		raw, err := g.host.call(ctx, "resources/read", fmt.Appendf(nil, `{"uri":%s}`, quoted(uri)))
		w.stop()
		if err != nil {
			return g.withNearestURI(ctx, err, uri)
		}
		return show(raw)
	})
}

// withNearestURI adds to a refusal what could have been meant.
func (g *gateway) withNearestURI(ctx context.Context, err error, uri string) error {
	if _, refused := errors.AsType[*replyError](err); !refused {
		return err
	}
	entries, listErr := g.host.listAll(ctx, "resources/list", "resources")
	if listErr != nil {
		return err
	}
	var uris []string
	for _, raw := range entries {
		resource, _ := jsonrpc.ParseObject(nil, raw)
		uris = append(uris, textOf(resource, "uri"))
	}
	if near := spell.Nearest(uri, uris); near != "" && near != uri {
		return fmt.Errorf("%w; did you mean %q?", err, near)
	}
	if slices.Contains(uris, uri) {
		return err
	}
	return fmt.Errorf("%w (see: weir read)", err)
}

// contentsOf are the contents that a read brought.
func contentsOf(raw []byte) ([][]byte, error) {
	members, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, fmt.Errorf("reading the result: %w", err)
	}
	contents, err := jsonrpc.ParseArray(nil, jsonrpc.Find(members, "contents"))
	if err != nil {
		return nil, fmt.Errorf("reading the contents: %w", err)
	}
	return contents, nil
}

// contents shows what a read brought. A text goes to a program to the byte.
func (v *view) contents(raw []byte) error {
	contents, err := contentsOf(raw)
	if err != nil {
		return err
	}
	if len(contents) == 1 && !v.terminal {
		resource, _ := jsonrpc.ParseObject(nil, contents[0])
		if text := jsonrpc.Find(resource, "text"); text != nil {
			_, err := v.out.Write([]byte(textOf(resource, "text")))
			return err
		}
	}
	for _, one := range contents {
		v.resource(one)
	}
	return nil
}

// writeContents writes what a read brought to a file, or to stdout.
func (a *app) writeContents(raw []byte, output string) error {
	contents, err := contentsOf(raw)
	if err != nil {
		return err
	}
	if len(contents) != 1 {
		return fmt.Errorf("the server answered with %s, and -o takes one (--json has them)", plural(len(contents), "content", "contents"))
	}
	data, err := payloadOf(contents[0])
	if err != nil {
		return err
	}
	if output == "-" {
		_, err := a.Stdout.Write(data)
		return err
	}
	if err := writeNew(output, data); err != nil {
		return fmt.Errorf("saving what was read: %w", err)
	}
	fmt.Fprintf(a.Stderr, "%s are in %s\n", plural(len(data), "byte", "bytes"), output)
	return nil
}

// payloadOf is what one content holds: a text, or bytes.
func payloadOf(raw []byte) ([]byte, error) {
	resource, err := jsonrpc.ParseObject(nil, raw)
	if err != nil {
		return nil, fmt.Errorf("reading the contents: %w", err)
	}
	if jsonrpc.Find(resource, "text") != nil {
		return []byte(textOf(resource, "text")), nil
	}
	data, err := decodeBytes(textOf(resource, "blob"))
	if err != nil {
		return nil, fmt.Errorf("the server's data is not base64: %w", err)
	}
	return data, nil
}

func (a *app) listResources(ctx context.Context, asJSON bool) error {
	g, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer g.close()
	resources, err := g.host.listAll(ctx, "resources/list", "resources")
	if err != nil {
		return fmt.Errorf("listing resources: %w", err)
	}
	templates, err := g.host.listAll(ctx, "resources/templates/list", "resourceTemplates")
	if err != nil {
		return fmt.Errorf("listing templates: %w", err)
	}
	if asJSON {
		fmt.Fprint(a.Stdout, `{"resources": `)
		printEntries(a.Stdout, resources)
		fmt.Fprint(a.Stdout, `, "resourceTemplates": `)
		printEntries(a.Stdout, templates)
		fmt.Fprintln(a.Stdout, "}")
	} else {
		a.printResources(resources, templates)
	}
	return g.missing(a)
}

func (a *app) printResources(resources, templates [][]byte) {
	p := a.paint()
	t := table{head: []string{"URI", "TYPE", "NAME", "DESCRIPTION"}}
	add := func(entries [][]byte, uri string) {
		for _, raw := range entries {
			m, _ := jsonrpc.ParseObject(nil, raw)
			t.rows = append(t.rows, []cell{
				{textOf(m, uri), p.bold}, plain(textOf(m, "mimeType")), plain(textOf(m, "name")), plain(described(m)),
			})
		}
	}
	add(resources, "uri")
	add(templates, "uriTemplate")
	if len(t.rows) > 0 {
		t.dropEmpty()
		t.print(a.Stdout, p, a.width())
	}
	fmt.Fprintln(a.Stdout, p.dim(plural(len(resources), "resource", "resources")+", "+plural(len(templates), "template", "templates")))
}

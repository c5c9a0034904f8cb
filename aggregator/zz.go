package aggregator

import (
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

type learned struct{}

func (*learned) learn(*server, *operation, []jsonrpc.Member)                   {}
func (a *Aggregator) resolvePrompt(string) *catalog.Route                      { return nil }
func (a *Aggregator) resolveTemplate(string) *catalog.Route                    { return nil }
func (a *Aggregator) resolveResource(uri string) (*server, string)             { return nil, "" }
func (c *call) exposeURIs(e []jsonrpc.Edit, _ []jsonrpc.Member) []jsonrpc.Edit { return e }

var listing = &operation{method: "tools/list", kind: "list"}

type exposer struct{}

func (exposer) ExposeURI(_, u string) string { return u }

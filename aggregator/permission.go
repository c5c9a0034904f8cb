package aggregator

import (
	"github.com/weir-mcp/weir/aggregator/catalog"
	"github.com/weir-mcp/weir/policy"
)

// This file is the only way to the policy. Names are those that the servers
// use: what is judged is what is sent.

// decide is the policy's word on a request of the principal, by way of the
// client whose view this is.
func (v *view) decide(r policy.Request) policy.Verdict {
	r.Principal, r.Client = v.principal, v.client
	return v.policy.Decide(r)
}

// listed is the policy's word on whether an item is to be in a list. A template
// is judged by its text, as a resource.
func (v *view) listed(route *catalog.Route) bool {
	r := requestFor(route)
	r.Listing = true
	return v.decide(r).Listed()
}

// judge is the policy's word on the use of an item with these arguments, raw;
// nil are none.
func (v *view) judge(route *catalog.Route, arguments []byte) policy.Verdict {
	r := requestFor(route)
	r.Arguments = arguments
	return v.decide(r)
}

// policyKinds are what policies call the kinds of lists.
var policyKinds = [catalog.Kinds]policy.Kind{policy.Tool, policy.Prompt, policy.Resource, policy.Resource}

func requestFor(route *catalog.Route) policy.Request {
	return policy.Request{Server: route.Server, Kind: policyKinds[route.Kind], Name: route.Item.Name(), Definition: route.Item.Raw()}
}

// judgeURI is the policy's word on a resource, listed or not.
func (v *view) judgeURI(server, uri string) policy.Verdict {
	return v.decide(policy.Request{Server: server, Kind: policy.Resource, Name: uri})
}

func (v *view) readable(server, uri string) bool { return v.judgeURI(server, uri).Listed() }

// present reports whether a server is there for the principal.
func (v *view) present(server string) bool {
	return v.decide(policy.Request{Server: server, Listing: true}).Listed()
}

package catalog

// A Kind is one sort of things that servers list.
type Kind uint8

// The kinds of items, and how many there are.
const (
	Tools Kind = iota
	Prompts
	Resources
	Templates
	Kinds = iota
)

var kinds = [Kinds]struct {
	noun    string // for people
	list    string // the member of a list result that holds the items
	key     string // the member of an item that names it
	feature feature
}{
	Tools:     {"tool", "tools", "name", toolsFeature},
	Prompts:   {"prompt", "prompts", "name", promptsFeature},
	Resources: {"resource", "resources", "uri", resourcesFeature},
	Templates: {"resource template", "resourceTemplates", "uriTemplate", resourcesFeature},
}

func (k Kind) String() string { return kinds[k].noun }

// Of returns the list of a kind.
func (l *Lists) Of(k Kind) *List {
	return [Kinds]*List{&l.Tools, &l.Prompts, &l.Resources, &l.Templates}[k]
}

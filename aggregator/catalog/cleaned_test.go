package catalog

import (
	"testing"

	"github.com/weir-mcp/weir/aggregator/namespace"
)

// poisoned has hidden text in most places where it can stand.
const poisoned = `{"outputSchema":{"description":"o\u200b"},"title":"t\u200b", "name":"x\u200b" ,"description":"d\u200b","inputSchema":{"description":"i\u200b","default":"v\u200b"},"_meta":{"ui/resourceUri":"ui://app/x","a":"m\u200b"}}`

func poisonedServer(t *testing.T, name string) Server {
	t.Helper()
	s := sharing(t, name, "show=ui://app/x")
	s.Lists.Tools.Items[0] = item(t, poisoned)
	return s
}

func TestCleanedDefinition(t *testing.T) {
	servers := []Server{sharing(t, "a", "ui://app/x"), poisonedServer(t, "b"), asSent(poisonedServer(t, "c"))}
	s := Merge(namespace.Rules{}, servers)
	tools := s.Routes(Tools)
	modern := `{"outputSchema":{"description":"o"},"title":"t", "name":"` + tools[0].Exposed + `" ,"description":"d","inputSchema":{"description":"i","default":"v\u200b"},"_meta":{"ui/resourceUri":"ui://b.app/x","a":"m\u200b"}}`
	legacy := `{"title":"t", "name":"` + tools[0].Exposed + `" ,"description":"d","inputSchema":{"description":"i","default":"v\u200b"},"_meta":{"ui/resourceUri":"ui://b.app/x","a":"m\u200b"}}`
	if got := string(tools[0].AppendDefinition(nil, Shape{})); got != modern {
		t.Errorf("got %s, want %s", got, modern)
	}
	if got := string(tools[0].AppendDefinition(nil, Shape{Legacy: true})); got != legacy {
		t.Errorf("legacy: got %s, want %s", got, legacy)
	}
	raw := `{"outputSchema":{"description":"o\u200b"},"title":"t\u200b", "name":"` + tools[1].Exposed + `" ,"description":"d\u200b","inputSchema":{"description":"i\u200b","default":"v\u200b"},"_meta":{"ui/resourceUri":"ui://c.app/x","a":"m\u200b"}}`
	if got := string(tools[1].AppendDefinition(nil, Shape{})); got != raw {
		t.Errorf("as sent: got %s, want %s", got, raw)
	}
	for _, r := range tools {
		if got := string(r.Item.Raw()); got != poisoned || !r.Item.Unclean() {
			t.Errorf("got the server's own definition %s, unclean %v, want it as it was sent, and marked", got, r.Item.Unclean())
		}
	}
}

// The name of a resource is shown; its URI is not.
func TestCleanedResource(t *testing.T) {
	i, err := ParseItem(Resources, []byte(`{"name":"n\u200b","uri":"x:\u200b","icons":[{"src":"ui://x"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	r := &Route{Kind: Resources, Exposed: i.Name(), Item: i}
	if got, want := string(r.AppendDefinition(nil, Shape{})), `{"name":"n","uri":"x:\u200b","icons":[]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Whether an item is clean is stored with it: a start looks at none.
func TestUncleanIsStored(t *testing.T) {
	lists := listsOf(t, "search")
	lists.Tools.Items = append(lists.Tools.Items, item(t, poisoned))
	dir := t.TempDir()
	key := Key{Server: "a", Identity: []byte("command")}
	if err := open(t, dir).Save(t.Context(), key, modern, lists, noon); err != nil {
		t.Fatal(err)
	}
	found := open(t, dir).LoadAll([]Wanted{{key, modern}}, noon)[0]
	if found.Err != nil {
		t.Fatal(found.Err)
	}
	if items := found.Lists.Tools.Items; items[0].Unclean() || !items[1].Unclean() {
		t.Errorf("got unclean %v and %v, want the second only", items[0].Unclean(), items[1].Unclean())
	}
}

// A list is another one when it is shown otherwise.
func TestSameSeesHygiene(t *testing.T) {
	shown := Merge(namespace.Rules{}, []Server{poisonedServer(t, "a")}).Routes(Tools)
	sent := Merge(namespace.Rules{}, []Server{asSent(poisonedServer(t, "a"))}).Routes(Tools)
	if Same(shown, sent) {
		t.Error("got the same lists, want different ones")
	}
}

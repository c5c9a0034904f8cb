package namespace

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	gh    = Server{Name: "github", Prefix: "gh", Aliases: []string{"hub"}}
	files = Server{Name: "files", Prefix: "files"}
	bare  = Server{Name: "bare"}
)

func TestExposed(t *testing.T) {
	for _, tt := range []struct {
		name     string
		rules    Rules
		server   Server
		original string
		want     string
	}{
		{"plain", Rules{}, gh, "search", "gh__search"},
		{"case and dash stay", Rules{}, gh, "Get-Me_2", "gh__Get-Me_2"},
		{"no prefix", Rules{}, bare, "search", "search"},
		{"own separator", Rules{Separator: "-"}, gh, "search", "gh-search"},
		{"dot", Rules{}, gh, "repo.search", "gh__repo_search_oe4koj"},
		{"other characters differ in the digest", Rules{}, gh, "repo/search", "gh__repo_search_td6rsf"},
		{"one character is one underscore", Rules{}, gh, "größe", "gh__gr__e_7qclj5"},
		{"not UTF-8", Rules{}, gh, "a\xff\xfeb", "gh__a__b_tacdn5"},
		{"empty", Rules{}, bare, "", "_pc2kc7"},
		{"as long as may be", Rules{}, gh, strings.Repeat("a", 46), "gh__" + strings.Repeat("a", 46)},
		{"too long", Rules{}, gh, strings.Repeat("a", 47), "gh__" + strings.Repeat("a", 39) + "_6n3njg"},
		{"prefix alone too long", Rules{Max: 16}, Server{Name: "s", Prefix: strings.Repeat("p", 20)}, "x", "ppppppppp_jgzmho"},
		{"limit too small", Rules{Max: 1}, bare, "abcdefghijklmnopq", "abcdefghi_es2jzx"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Exposed(tt.rules, tt.server, tt.original); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHashedForm(t *testing.T) {
	plain, hashed := Exposed(Rules{}, gh, "search"), Hashed(Rules{}, gh, "search")
	if !strings.HasPrefix(hashed, plain+"_") || len(hashed) != len(plain)+7 {
		t.Errorf("got %q, want %q, an underscore and six characters", hashed, plain)
	}
	other := Server{Name: "gitlab", Prefix: "gh"}
	if got := Hashed(Rules{}, other, "search"); got == hashed {
		t.Errorf("got %q for two servers, want different digests", got)
	}
}

func TestAssign(t *testing.T) {
	hashed := func(s Server, original string) string { return Hashed(Rules{}, s, original) }
	bare2 := Server{Name: "bare2"}
	for _, tt := range []struct {
		name       string
		servers    []Server
		items      []Item
		want       []string
		collisions []Collision
	}{
		{"none", nil, nil, []string{}, nil},
		{
			"different servers, same originals",
			[]Server{gh, files},
			[]Item{{Server: 0, Original: "search"}, {Server: 1, Original: "search"}},
			[]string{"gh__search", "files__search"},
			nil,
		},
		{
			"the first keeps the name",
			[]Server{bare, bare2},
			[]Item{{Server: 0, Original: "search"}, {Server: 1, Original: "search"}, {Server: 1, Original: "fetch"}},
			[]string{"search", hashed(bare2, "search"), "fetch"},
			[]Collision{{"search", 0, 1}},
		},
		{
			"a hashed form that is taken gets a longer digest",
			[]Server{bare, bare2},
			[]Item{{Server: 0, Original: "search"}, {Server: 0, Original: hashed(bare2, "search")}, {Server: 1, Original: "search"}},
			[]string{"search", hashed(bare2, "search"), Rules{}.hashed(bare2, "search", 12)},
			[]Collision{{"search", 0, 2}},
		},
		{
			"listed twice",
			[]Server{gh},
			[]Item{{Server: 0, Original: "search"}, {Server: 0, Original: "search"}, {Server: 0, Original: "a.b"}, {Server: 0, Original: "a.b"}},
			[]string{"gh__search", "", hashed(gh, "a.b"), ""},
			nil,
		},
		{
			"listed twice with a name that is another's",
			[]Server{bare, bare2},
			[]Item{{Server: 0, Original: "search"}, {Server: 1, Original: "search"}, {Server: 1, Original: "search"}},
			[]string{"search", hashed(bare2, "search"), ""},
			[]Collision{{"search", 0, 1}},
		},
		{
			"no stepping into another's place",
			[]Server{bare, gh},
			[]Item{{Server: 0, Original: "gh__search"}, {Server: 0, Original: "github__x"}, {Server: 0, Original: "hub__x"}, {Server: 0, Original: "mcp_github__x"}, {Server: 0, Original: "gh_search"}, {Server: 1, Original: "search"}},
			[]string{
				hashed(bare, "gh__search"), hashed(bare, "github__x"), hashed(bare, "hub__x"),
				hashed(bare, "mcp_github__x"), "gh_search", "gh__search",
			},
			nil,
		},
		{
			"no stepping into weir's place",
			[]Server{bare},
			[]Item{{Server: 0, Original: "weir__servers"}, {Server: 0, Original: "weir_servers"}, {Server: 0, Original: "weir__"}},
			[]string{hashed(bare, "weir__servers"), "weir_servers", hashed(bare, "weir__")},
			nil,
		},
		{
			"no stepping with a prefix that begins another",
			[]Server{{Name: "a", Prefix: "a"}, {Name: "a_", Prefix: "a_"}},
			[]Item{{Server: 0, Original: "___x"}, {Server: 1, Original: "x"}, {Server: 1, Original: "_x"}},
			[]string{hashed(Server{Name: "a", Prefix: "a"}, "___x"), "a___x", "a____x"},
			nil,
		},
		{
			"two unprefixed servers",
			[]Server{bare, bare2},
			[]Item{{Server: 0, Original: "bare__x"}, {Server: 0, Original: "bare2__x"}},
			[]string{"bare__x", hashed(bare, "bare2__x")},
			nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Assign(Rules{}, tt.servers, tt.items)
			if diff := cmp.Diff(tt.want, got.Names); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.collisions, got.Collisions); diff != "" {
				t.Errorf("collisions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	servers := []Server{gh, files, {Name: "db", Prefix: "files_"}, bare}
	items := []Item{
		{Server: 0, Original: "search"},
		{Server: 0, Original: "repo.list"},
		{Server: 1, Original: "read_file"},
		{Server: 1, Original: "search"},
		{Server: 1, Original: "stat"},
		{Server: 2, Original: "stat"},
		{Server: 3, Original: "hub__search"},
		{Server: 0, Original: "github__me"},
		{Server: 1, Original: "stat"},
		{Server: 1, Original: "gateway__inner__deep"},
		{Server: 2, Original: "inner__deep"},
		{Server: 2, Original: "gateway__only"},
		{Server: 2, Original: "gateway__read_file"},
	}
	table := Assign(Rules{}, servers, items)
	all := func(int) bool { return true }
	but := func(denied int) func(int) bool { return func(i int) bool { return i != denied } }

	for _, tt := range []struct {
		name      string
		permitted func(int) bool
		want      int // -1: nothing
	}{
		{"gh__search", all, 0},
		{"gh__search", but(0), 0},
		{table.Names[1], all, 1},
		{"gh__repo.list", all, 1},
		{"hub__search", all, 0},
		{"hub__search", but(0), -1},
		{"github__search", all, 0},
		{"hub__repo.list", all, 1},
		{"hub" + strings.TrimPrefix(table.Names[1], "gh"), all, 1},
		{"mcp_github__search", all, 0},
		{"mcp_hub__search", all, 0},
		{"mcp_gh__search", all, -1},
		{"mcp_github__nothing", all, -1},
		{"mcp_files__read_file", all, 2},
		{"read_file", all, 2},
		{"read_file", but(2), -1},
		{"search", all, -1},
		{"search", but(0), 3},
		{"stat", all, -1},
		{"stat", but(4), 5},
		{"repo.list", all, 1},
		{"repo_list", all, -1},
		{"db__stat", all, 5},
		{"files__stat", all, 4},
		{"files___stat", all, 5},
		{"hub__github__me", all, 7},
		{"", all, -1},
		{"gh__", all, -1},
		{"SEARCH", but(0), -1},
		{"only", all, 11},
		{"only", but(11), -1},
		{"deep", all, -1},
		{"deep", but(9), 10},
		{"inner__deep", all, 10},
		{"inner__deep", but(10), -1},
		{"nly", all, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := table.Resolve(tt.name, tt.permitted)
			if !ok {
				got = -1
			}
			if got != tt.want {
				t.Errorf("got item %d, want %d", got, tt.want)
			}
		})
	}
}

func FuzzAssign(f *testing.F) {
	f.Add("gh", "search", "gh__search", 50, "__")
	f.Add("", "größe", "gr__e", 16, "_")
	f.Add("a_", "weir__servers", "", 0, "")
	f.Add("", "a.b", "a/b", 20, "-")
	f.Fuzz(func(t *testing.T, prefix, one, two string, limit int, separator string) {
		r := Rules{Max: limit, Separator: separator}
		servers := []Server{{Name: "s", Prefix: prefix, Aliases: []string{"z"}}, gh, bare}
		items := []Item{{Server: 0, Original: one}, {Server: 0, Original: two}, {Server: 1, Original: one}, {Server: 1, Original: two}, {Server: 2, Original: one}, {Server: 2, Original: two}}
		table := Assign(r, servers, items)
		seen := map[string]int{}
		for i, name := range table.Names {
			if one == two && i%2 == 1 {
				if name != "" {
					t.Fatalf("got %q for a repeated item, want none", name)
				}
				continue
			}
			if k, twice := seen[name]; twice {
				t.Fatalf("got %q for items %d and %d", name, k, i)
			}
			seen[name] = i
			if name == "" || len(name) > r.max() || !legal(name) {
				t.Fatalf("got name %q, want 1 to %d legal characters", name, r.max())
			}
			if got, ok := table.Resolve(name, func(int) bool { return false }); !ok || got != i {
				t.Fatalf("got item %d, %t for %q, want %d", got, ok, name, i)
			}
			table.Resolve(items[i].Original, func(int) bool { return true })
		}
		if diff := cmp.Diff(table.Names, Assign(r, servers, items).Names); diff != "" {
			t.Fatalf("a second time (-first +second):\n%s", diff)
		}
	})
}

// FuzzExposed holds the name to its own server and tool: it says the same
// alone as among others, as long as nothing collides.
func FuzzExposed(f *testing.F) {
	f.Add("search", "fetch")
	f.Add("a b", "a_b")
	f.Fuzz(func(t *testing.T, one, two string) {
		name := Exposed(Rules{}, gh, one)
		if one != two && name == Exposed(Rules{}, gh, two) {
			t.Fatalf("got %q for %q and %q", name, one, two)
		}
		table := Assign(Rules{}, []Server{files, gh}, []Item{{Server: 0, Original: two}, {Server: 1, Original: one}})
		if table.Names[1] != name {
			t.Fatalf("got %q among others, want %q", table.Names[1], name)
		}
	})
}

func BenchmarkAssign(b *testing.B) {
	servers, items := many(50, 100)
	b.ReportAllocs()
	for b.Loop() {
		Assign(Rules{}, servers, items)
	}
}

func BenchmarkResolve(b *testing.B) {
	servers, items := many(50, 100)
	table := Assign(Rules{}, servers, items)
	permitted := func(int) bool { return true }
	for _, name := range []string{"server49__tool_99", "mcp_server49__tool_99", "tool_99", "unknown"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				table.Resolve(name, permitted)
			}
		})
	}
}

// many returns servers with tools each, all under names that are legal.
func many(servers, tools int) (s []Server, items []Item) {
	for i := range servers {
		name := fmt.Sprintf("server%d", i)
		s = append(s, Server{Name: name, Prefix: name})
		for k := range tools {
			items = append(items, Item{Server: i, Original: fmt.Sprintf("tool_%d", k)})
		}
	}
	return s, items
}

// TestKeysTellItemsApart: two items of a server that are called the same stay two
// where their keys differ.
func TestKeysTellItemsApart(t *testing.T) {
	s := Server{Name: "s", Prefix: "s"}
	table := Assign(Rules{}, []Server{s}, []Item{
		{Server: 0, Original: "find", Key: "search"},
		{Server: 0, Original: "find"},
		{Server: 0, Original: "find", Key: "search"},
	})
	if want := []string{"s__find", Hashed(Rules{}, s, "find"), ""}; !slices.Equal(table.Names, want) {
		t.Errorf("got names %q, want %q", table.Names, want)
	}
}

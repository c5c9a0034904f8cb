package catalog

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	noon   = time.UnixMilli(1_790_000_000_123)
	modern = Variant{Modern: true, Capabilities: `{"roots":{}}`}
	legacy = Variant{Capabilities: `{"roots":{}}`}

	github = Key{Server: "github", Identity: []byte(`{"url":"https://example.com/"}`)}
	files  = Key{Server: "files", Identity: []byte(`{"command":"npx"}`)}

	// compareItems lets cmp see what only this package may set.
	compareItems = cmp.AllowUnexported(Item{})
)

// A child that is started again as a writer does that and nothing else.
const writerEnv = "WEIR_TEST_CATALOG_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerEnv); dir != "" {
		os.Exit(writeMany(dir))
	}
	os.Exit(m.Run())
}

func permitAll(*Route) bool { return true }

func item(tb testing.TB, raw string) Item {
	tb.Helper()
	i, err := ParseItem(Tools, []byte(raw))
	if err != nil {
		tb.Fatalf("parsing %s: %v", raw, err)
	}
	return i
}

// listsOf returns lists of tools with these names.
func listsOf(tb testing.TB, names ...string) *Lists {
	tb.Helper()
	l := &Lists{
		Version:      "2026-07-28",
		Modern:       true,
		ServerInfo:   []byte(`{"name":"x"}`),
		Capabilities: []byte(`{"tools":{"listChanged":true}}`),
		Tools:        List{Fetched: noon, TTL: time.Minute, Hinted: true, Scope: ScopePublic},
	}
	for _, name := range names {
		l.Tools.Items = append(l.Tools.Items, item(tb, fmt.Sprintf(`{"name":%q,"inputSchema":{"type":"object"}}`, name)))
	}
	return l
}

func open(tb testing.TB, dir string) *Store {
	tb.Helper()
	s, err := OpenStore(tb.Context(), dir)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func save(tb testing.TB, s *Store, key Key, v Variant, l *Lists) {
	tb.Helper()
	if err := s.Save(tb.Context(), key, v, l, noon); err != nil {
		tb.Fatal(err)
	}
}

func load(tb testing.TB, s *Store, key Key, v Variant) Found {
	tb.Helper()
	return s.LoadAll([]Wanted{{key, v}}, noon.Add(2*time.Hour))[0]
}

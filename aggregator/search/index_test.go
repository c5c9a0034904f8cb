package search

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

type definition struct{ server, raw string }

var some = []definition{
	{"github", `{"name":"github__create_issue","description":"Create a new issue in a GitHub repository","inputSchema":{"type":"object","properties":{"title":{"type":"string","description":"Issue title"},"labels":{"type":"array","items":{"type":"string"}}}}}`},
	{"github", `{"name":"github__list_issues","title":"List issues","description":"List issues in a repository, filtered by state","inputSchema":{"properties":{"state":{"enum":["open","closed"]}}}}`},
	{"github", `{"name":"github__merge_pull_request","description":"Merge a pull request"}`},
	{"files", `{"name":"files__read_text_file","description":"Read the complete contents of a file from the file system"}`},
	{"files", `{"name":"files__directory_tree","annotations":{"title":"Directory tree"},"description":"A recursive view as JSON"}`},
	{"browser", `{"name":"browser__take_screenshot","description":"Take a picture of the current page"}`},
	{"db", `{"name":"db__q","description":"Runs SQL.","inputSchema":{"properties":{"filter":{"type":"object","properties":{"customerNumber":{"description":"Whose invoices"}}}}}}`},
	{"odd", `{"name":7,"description":null,"inputSchema":[1],"annotations":"x"}`},
	{"odd", `nonsense`},
}

func indexOf(definitions []definition) *Index {
	var b Builder
	for _, d := range definitions {
		b.Tool(d.server, []byte(d.raw))
	}
	return b.Index()
}

func TestTools(t *testing.T) {
	x := indexOf(some)
	for _, c := range []struct {
		query string
		first int // -1: nothing is found
	}{
		{"create issue", 0},
		{"open a new ticket", 0},
		{"listing the issue", 1},
		{"merging PRs", 2},
		{"github__merge_pull_request", 2},
		{"mergePullRequest", 2},
		{"read files", 3},
		{"show me the folder", 4},
		{"directories", 4},
		{"screen shot", 5},
		{"screenshots", 5},
		{"customer number", 6},
		{"invoice", 6},
		{"closed", 1},
		{"repo", 0},
		{"config", -1},
		{"the of and", -1},
		{"", -1},
		{"\xff\x00", -1},
		{"odd", 7},
	} {
		hits := x.Find(c.query, 5)
		got := -1
		if len(hits) > 0 {
			got = hits[0].At
		}
		if got != c.first {
			t.Errorf("first found by %q: got %d of %v, want %d", c.query, got, hits, c.first)
		}
	}
}

func TestTiesGoToWhatCameFirst(t *testing.T) {
	var b Builder
	for range 20 {
		b.Tool("s", []byte(`{"name":"same"}`))
	}
	hits := b.Index().Find("same", 7)
	for i, hit := range hits {
		if hit.At != i {
			t.Fatalf("got %v, want the order in which they were added", hits)
		}
	}
	if len(hits) != 7 {
		t.Errorf("got %d hits, want as many as the limit says", len(hits))
	}
}

func TestAWordInTheNameCountsMost(t *testing.T) {
	x := indexOf([]definition{
		{"a", `{"name":"x","description":"deploy"}`},
		{"a", `{"name":"deploy","description":"y"}`},
		{"a", `{"name":"z","inputSchema":{"properties":{"deploy":{}}}}`},
		{"a", `{"name":"v","title":"deploy"}`},
	})
	var got []int
	for _, hit := range x.Find("deploy", 10) {
		got = append(got, hit.At)
	}
	if want := []int{1, 3, 0, 2}; !slices.Equal(got, want) {
		t.Errorf("order by where the word stands: got %v, want %v", got, want)
	}
}

// What says one thing in all words alike is no better than what says it once.
func TestAlikeWordsCountOnce(t *testing.T) {
	x := indexOf([]definition{
		{"a", `{"name":"p","description":"erase drop destroy discard purge"}`}, {"a", `{"name":"q","description":"delete thing"}`},
	})
	if hits := x.Find("delete", 2); len(hits) != 2 || hits[0].At != 1 {
		t.Errorf("got %v, want the word itself first", hits)
	}
}

func TestOfManyAtOnce(t *testing.T) {
	x := indexOf(some)
	want := x.Find("issues in a repository", 5)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				if got := x.Find("issues in a repository", 5); !reflect.DeepEqual(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			}
		})
	}
	wait.Wait()
}

func TestAnEmptyIndex(t *testing.T) {
	for _, x := range []*Index{{}, new(Builder).Index()} {
		if hits := x.Find("anything", 5); hits != nil {
			t.Errorf("found %v in nothing", hits)
		}
	}
}

// A definition that is made to cost much costs no more than the bounds say.
func TestAHostileDefinitionIsCutOff(t *testing.T) {
	var schema strings.Builder
	schema.WriteString(`{"properties":{`)
	for i := range 5000 {
		fmt.Fprintf(&schema, `"arg%d":{"description":"text%d"},`, i, i)
	}
	schema.WriteString(`"last":{}}}`)
	deep := strings.Repeat(`{"items":`, 100) + `{"properties":{"bottom":{}}}` + strings.Repeat("}", 100)
	x := indexOf([]definition{
		{"a", `{"name":"wide","inputSchema":` + schema.String() + `}`},
		{"a", `{"name":"long","description":"` + strings.Repeat("blah ", maxText) + `finally"}`},
		{"a", `{"name":"deep","inputSchema":` + deep + `}`},
	})
	if len(x.words) > maxTexts+10 {
		t.Errorf("got %d words of three definitions", len(x.words))
	}
	for _, query := range []string{"finally", "bottom", "last"} {
		if hits := x.Find(query, 1); len(hits) > 0 {
			t.Errorf("%q was found beyond the bounds", query)
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, query := range []string{"create issue", "", "天气", "\xff\xfe", "a a a a", strings.Repeat("x y ", 2000), "URLs sha256Sum"} {
		f.Add(query, 5)
	}
	x := indexOf(some)
	f.Fuzz(func(t *testing.T, query string, limit int) {
		hits := x.Find(query, limit)
		if len(hits) > max(0, limit) {
			t.Fatalf("got %d hits, want at most %d", len(hits), limit)
		}
		if again := x.Find(query, limit); !reflect.DeepEqual(hits, again) {
			t.Fatalf("got %v, then %v", hits, again)
		}
		for i, hit := range hits {
			switch {
			case hit.At < 0 || hit.At >= x.Len():
				t.Fatalf("hit %d is of nothing: %v", i, hit)
			case !(hit.Score > 0):
				t.Fatalf("hit %d has no score: %v", i, hit)
			case i > 0 && hits[i-1].Score < hit.Score:
				t.Fatalf("hits are out of order: %v", hits)
			}
		}
	})
}

func FuzzTool(f *testing.F) {
	for _, d := range some {
		f.Add(d.server, []byte(d.raw), "issue")
	}
	f.Fuzz(func(t *testing.T, server string, raw []byte, query string) {
		var b Builder
		b.Tool(server, raw)
		x := b.Index()
		if x.Len() != 1 {
			t.Fatalf("got %d definitions, want 1", x.Len())
		}
		x.Find(query, 3)
	})
}

// many are definitions of the length and the variety that real ones have.
func many(n int) []definition {
	r := rand.New(rand.NewPCG(1, 2))
	vocabulary := make([]string, 4000)
	for i := range vocabulary {
		var word []byte
		for range 3 + r.IntN(8) {
			word = append(word, "etaoinshrdlucmfwypvbgkjqxz"[int(r.ExpFloat64()*5)%26])
		}
		vocabulary[i] = string(word)
	}
	words := func(n int, by string) string {
		out := make([]string, n)
		for i := range out {
			out[i] = vocabulary[int(r.ExpFloat64()*400)%len(vocabulary)]
		}
		return strings.Join(out, by)
	}
	all := make([]definition, n)
	for i := range all {
		var arguments []string
		for range 4 {
			arguments = append(arguments, fmt.Sprintf(`%q:{"type":"string","description":%q}`, words(2, "_"), words(8, " ")))
		}
		all[i] = definition{words(1, ""), fmt.Sprintf(
			`{"name":%q,"description":%q,"inputSchema":{"type":"object","properties":{%s}}}`, words(3, "_"), words(25, " "), strings.Join(arguments, ","))}
	}
	return all
}

func BenchmarkIndex(b *testing.B) {
	all := many(5000)
	b.ReportAllocs()
	for b.Loop() {
		indexOf(all)
	}
}

func BenchmarkFind(b *testing.B) {
	all := many(5000)
	x := indexOf(all)
	query := strings.Join([]string{x.words[0], x.words[10], x.words[100], x.words[200], x.words[1000], "the", "unheard"}, " ")
	b.ReportAllocs()
	for b.Loop() {
		x.Find(query, 5)
	}
}

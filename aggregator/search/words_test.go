package search

import (
	"slices"
	"strings"
	"testing"
)

func TestTextsAreTakenApart(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"gh__create_issue", "gh create issue"},
		{"createPullRequest", "create pull request createpullrequest"},
		{"XMLFile", "xml file xmlfile"},
		{"parseURLs now", "parse urls parseurls now"},
		{"PRs, IDs.", "prs ids"},
		{"files.read/text-v2", "files read text v2"},
		{"sha256Sum s3", "sha256 sum sha256sum s3"},
		{"GitHub API", "git hub github api"},
		{"Überblick ÄÖ größer", "überblick äö größer"},
		{"天气 forecast", "天 气 forecast"},
		{"\xff\xfeok", "ok"},
		{strings.Repeat("a", 100), strings.Repeat("a", maxWord)},
	} {
		var got []string
		var s splitter
		s.words([]byte(c.text), func(word []byte) { got = append(got, string(word)) })
		if want := strings.Fields(c.want); !slices.Equal(got, want) {
			t.Errorf("words of %q: got %q, want %q", c.text, got, want)
		}
	}
}

func TestFormsOfAWordAreOne(t *testing.T) {
	for _, forms := range []string{
		"file files", "create creates created creating creation", "query queries querying queried",
		"search searches searching searched", "box boxes", "list lists listing listed", "delete deleted deletion",
		"run runs running", "cancel cancelled cancels canceling", "class classes", "repository repositories",
		"call calls calling called", "id ids", "issue issues", "copy copied copies", "stop stopped stopping",
	} {
		words := strings.Fields(forms)
		want := stem(words[0])
		for _, form := range words[1:] {
			if got := stem(form); got != want {
				t.Errorf("stem of %q: got %q, want %q as of %q", form, got, want, words[0])
			}
		}
	}
	for _, pair := range []string{"data date", "string sting", "status state", "need net", "user use", "process proceed"} {
		a, b, _ := strings.Cut(pair, " ")
		if stem(a) == stem(b) {
			t.Errorf("%q and %q have one stem", a, b)
		}
	}
}

// A silent word is never looked for, so one in the list of those alike would stand
// there for nothing.
func TestNoSilentWordIsLikeAnother(t *testing.T) {
	for word := range strings.FieldsSeq(alikeLines) {
		if silent()[word] {
			t.Errorf("%q is silent", word)
		}
	}
}

package catalog_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weir-mcp/weir/aggregator/catalog"
)

// TestSurvey: what lies in the folder is told apart, and nothing of it is changed.
func TestSurvey(t *testing.T) {
	dir := t.TempDir()
	if all, err := catalog.Survey(filepath.Join(dir, "none"), time.Now()); all != nil || err != nil {
		t.Errorf("got %v, %v where there is no folder", all, err)
	}
	store, err := catalog.OpenStore(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	key := catalog.Key{Server: "good"}
	lists := &catalog.Lists{Tools: catalog.List{Fetched: time.Now()}}
	if err := store.Save(t.Context(), key, catalog.Variant{}, lists, time.Now()); err != nil {
		t.Fatal(err)
	}
	good := store.Path(key)
	damaged := store.Path(catalog.Key{Server: "damaged"})
	left := filepath.Join(dir, "."+filepath.Base(good)+"123")
	old := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	for _, path := range []string{damaged, left} {
		if err := os.WriteFile(path, []byte("weir lists 4 00000000\nx"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	all, err := catalog.Survey(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]catalog.Stored{}
	for _, s := range all {
		found[s.Path] = s
	}
	if s := found[good]; !s.Lists || s.Err != nil || s.Left || s.Size == 0 {
		t.Errorf("good lists: got %+v", s)
	}
	if s := found[damaged]; !s.Lists || !errors.Is(s.Err, catalog.ErrDamaged) || !s.Used.Equal(old) {
		t.Errorf("damaged lists: got %+v", s)
	}
	if s := found[left]; !s.Left || s.Lists {
		t.Errorf("what a write has left: got %+v", s)
	}
	if s := found[filepath.Join(dir, "key")]; s.Lists || s.Left || s.Err != nil {
		t.Errorf("the key: got %+v", s)
	}
	if info, err := os.Stat(damaged); err != nil || !info.ModTime().Equal(old) {
		t.Errorf("got %v, %v: it is not to be touched", info, err)
	}
}

package login

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

func TestPaste(t *testing.T) {
	for name, text := range map[string]string{
		"address":        "http://127.0.0.1:4711/callback?QUERY",
		"other name":     "http://localhost:4711/callback?QUERY",
		"forwarded port": "http://[::1]:9999/callback?QUERY",
		"fragment":       "http://127.0.0.1:4711/callback?QUERY#_=_",
		"query":          "?QUERY",
		"bare query":     "QUERY",
		"in brackets":    " <http://127.0.0.1:4711/callback?QUERY>\r\n",
		"in quotes":      "\"http://127.0.0.1:4711/callback?QUERY\"",
		"from the web":   "\u00a0\ufeff'?QUERY'\n\n",
		"issuer":         "iss=https://login.example.com/&QUERY",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := open(t, Options{})
				if err := f.Paste(t.Context(), strings.ReplaceAll(text, "QUERY", f.good(""))); err != nil {
					t.Fatal(err)
				}
				f.want(t, 1, nil)
				if answer := <-f.redeemed; answer.Get("code") != "the-code" {
					t.Errorf("redeemed %v", answer)
				}
			})
		})
	}
}

func TestPasteRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{})
		for text, want := range map[string]error{
			"":         ErrNoReply,
			"the-code": ErrNoReply,
			f.URL():    ErrNoReply, // the link itself
			"https://login.example.com/callback?" + f.good(""): ErrNoReply,
			"http://127.0.0.1:4711/other?" + f.good(""):        ErrNoReply,
			"http://127.0.0.1:4711/callback":                   ErrNoReply,
			"state=" + f.state:                                 ErrNoReply,
			"http://127.0.0.1:4711/callback?code=a&state=x":    ErrOther,
			"code=a":                                ErrOther,
			f.good("&code=b"):                       errMalformed,
			f.good("&a=%zz"):                        errMalformed,
			f.good("&a=\x1b[31m"):                   errMalformed,
			f.good("&a=ä"):                          errMalformed,
			"code=a " + f.good(""):                  errMalformed,
			f.good(strings.Repeat("a", maxQuery)):   errTooLong,
			f.good(strings.Repeat("a", 2*maxQuery)): errTooLong,
		} {
			err := f.Paste(t.Context(), text)
			if !errors.Is(err, want) {
				t.Errorf("%.100q: got error %v, want %v", text, err, want)
			}
		}
		if len(f.redeemed) > 0 {
			t.Error("redeemed")
		}
		if err := f.Paste(t.Context(), f.good("")); err != nil {
			t.Errorf("then the right one: %v", err)
		}
		f.want(t, 1, nil)
	})
}

// TestPasteOfAnError: that is an answer as well.
func TestPasteOfAnError(t *testing.T) {
	denied := &DeniedError{Code: "access_denied"}
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{Redeem: func(context.Context, url.Values) error { return denied }})
		if err := f.Paste(t.Context(), "?error=access_denied&state="+f.state); !errors.Is(err, denied) {
			t.Errorf("got error %v, want %v", err, denied)
		}
		f.want(t, 1, denied)
	})
}

// TestPasteOutcome: a paste ends with the attempt, or with its own context, and
// races with a browser like another browser.
func TestPasteOutcome(t *testing.T) {
	trouble := errors.New("trouble")
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{Redeem: func(context.Context, url.Values) error { return trouble }})
		if err := f.Paste(t.Context(), f.good("")); !errors.Is(err, trouble) {
			t.Errorf("got error %v, want %v", err, trouble)
		}
		f.want(t, 1, trouble)
		if err := f.Paste(t.Context(), f.good("&more=1")); !errors.Is(err, ErrOther) {
			t.Errorf("after the end: got error %v, want %v", err, ErrOther)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{})
		f.Close()
		if err := f.Paste(t.Context(), f.good("")); !errors.Is(err, ErrAbandoned) {
			t.Errorf("after Close: got error %v, want %v", err, ErrAbandoned)
		}
		f.want(t, 0, ErrAbandoned)
	})
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		f := open(t, Options{Redeem: func(context.Context, url.Values) error {
			<-let
			return nil
		}})
		ctx, cancel := context.WithCancel(t.Context())
		var both sync.WaitGroup
		both.Go(func() { f.get(t, f.good("")) })
		both.Go(func() {
			if err := f.Paste(ctx, f.good("")); !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v, want %v", err, context.Canceled)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(let)
		both.Wait()
		f.want(t, 1, nil)
	})
}

// TestPastesAreCounted: they are no way around the limit of guesses.
func TestPastesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := open(t, Options{})
		for range maxWrong {
			if err := f.Paste(t.Context(), "code=a&state=b"); !errors.Is(err, ErrOther) {
				t.Fatalf("got error %v", err)
			}
		}
		f.want(t, 0, ErrSpoiled)
	})
}

func FuzzPaste(f *testing.F) {
	for _, seed := range []string{
		"http://127.0.0.1:4711/callback?code=a&state=b", "?error=access_denied&state=b", "<code=a>", "code=%zz", "http://[::1%25]:1/callback?code",
		"https://a.example/callback?code=a", "code=http://127.0.0.1/callback", "?state=a://b", "\"'`", "http://127.0.0.1:4711/callback#code=a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		query, err := pasted(text)
		if err != nil {
			if !errors.Is(err, ErrNoReply) && !errors.Is(err, errMalformed) && !errors.Is(err, errTooLong) {
				t.Errorf("got error %v", err)
			}
			return
		}
		if !strings.Contains(text, query) {
			t.Errorf("got %q, which is not in the text", query)
		}
		if strings.ContainsFunc(query, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("got %q, which no browser would send", query)
		}
		if answer, err := url.ParseQuery(query); err == nil && !answer.Has("code") && !answer.Has("error") {
			t.Errorf("got %q, which answers nothing", query)
		}
	})
}

func FuzzShown(f *testing.F) {
	f.Add("a\x1b[31m\u202eb\r\n c", 5)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit &= 0xff
		got := shown(text, limit)
		if n := len([]rune(got)); n > limit+1 {
			t.Errorf("got %d characters of %d", n, limit)
		}
		if strings.ContainsAny(got, "\x1b\n\r\t\u202e\u200b\u2028\x00\x7f\u0085") || strings.Contains(got, "  ") {
			t.Errorf("got %q", got)
		}
	})
}

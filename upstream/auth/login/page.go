package login

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// A page is what a person sees in the browser. Its lines are HTML: what came from
// anywhere else has gone through [text].
type page struct {
	title string
	sign  string // its place in the style: "good", "bad" or "calm"
	lines []string
}

// The pages for those who have not shown the state. No names are on them.
var (
	oldPage = page{"This page is old", "calm", []string{
		"It belongs to a login that has ended, or to another one. Nothing was changed.",
		"You can close this tab. If a server still wants you to log in, run <code>weir login</code> and its name in a terminal.",
	}}
	nothingPage = page{"There is nothing here", "calm", []string{
		"weir waits at this address for a browser to come back from a login.",
	}}
	foreignPage = page{"This is not for you", "bad", []string{
		"weir waits here for a browser to come back from a login, and answers no other pages.",
	}}
)

// A subject is whose login it is, as the pages tell it: HTML.
type subject struct{ server, at, command string }

func newSubject(server, issuer string) subject {
	s := subject{server: "<b>" + text(server, 60) + "</b>", command: "<code>weir login " + text(server, 60) + "</code>"}
	if u, err := url.Parse(issuer); err == nil && u.Host != "" {
		s.at = " at <b>" + text(u.Host, 100) + "</b>"
	}
	return s
}

// outcome is the page that says how a login went. The texts of an error are for
// people; see Options.Redeem.
func (s subject) outcome(err error) page {
	if err == nil {
		return page{"Logged in", "good", []string{
			"weir is logged in to " + s.server + s.at + ".",
			"You can close this tab. weir goes on by itself.",
		}}
	}
	again := "To try again, run " + s.command + " in a terminal."
	if denied, ok := errors.AsType[*DeniedError](err); ok && denied.refused() {
		lines := []string{"The login to " + s.server + s.at + " was refused, by you or by the server."}
		if denied.Description != "" {
			lines = append(lines, "The server says: <q>"+text(denied.Description, shownMost)+"</q>")
		}
		return page{"Not logged in", "bad", append(lines, again)}
	}
	return page{"Not logged in", "bad", []string{
		"The login to " + s.server + s.at + " did not work:",
		"<samp>" + text(err.Error(), 3*shownMost) + "</samp>",
		again,
	}}
}

// text is a text of anybody's as HTML, to stand between tags.
func text(t string, limit int) string {
	return "<bdi>" + html.EscapeString(cmp.Or(shown(t, limit), "–")) + "</bdi>"
}

// writePage answers with a page that loads nothing, runs nothing, is kept nowhere,
// and tells no other page that or how it was come from.
func writePage(w http.ResponseWriter, status int, p page) {
	body := p.render()
	hash := sha256.Sum256([]byte(style))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // nobody else is left to tell
}

func (p page) render() []byte {
	var b strings.Builder
	b.WriteString(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>` + p.title + ` – weir</title>
<style>` + style + `</style>
</head>
<body>
<main class="` + p.sign + `">
<h1>` + signs[p.sign] + p.title + `</h1>
`)
	for _, line := range p.lines {
		b.WriteString("<p>" + line + "</p>\n")
	}
	b.WriteString("<footer>weir, on your own computer</footer>\n</main>\n</body>\n</html>\n")
	return []byte(b.String())
}

// signs are for those who see them; the title says the same.
var signs = map[string]string{
	"good": sign(`<path d="M7 12.5l3.5 3.5L17 9"/>`),
	"bad":  sign(`<path d="M8.5 8.5l7 7m0-7l-7 7"/>`),
	"calm": sign(`<path d="M12 11v5.5m0-9.2v.2"/>`),
}

func sign(drawing string) string {
	return `<svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="10.5"/>` + drawing + `</svg>`
}

const style = `
:root{color-scheme:light dark;--back:#f3f4f6;--card:#fff;--line:#d9dce1;--text:#1c2127;--soft:#59636e;--sign:#59636e;--mono:#eef0f3}
.good{--sign:#1a7f37}.bad{--sign:#b3261e}
@media (prefers-color-scheme:dark){:root{--back:#0f1216;--card:#181c22;--line:#30363d;--text:#e6e9ed;--soft:#9aa4af;--sign:#9aa4af;--mono:#242a32}.good{--sign:#4ac26b}.bad{--sign:#ff8178}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--back);color:var(--text);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
main{width:100%;max-width:34rem;padding:2rem 2.25rem 1.5rem;background:var(--card);border:1px solid var(--line);border-top:4px solid var(--sign);border-radius:.6rem}
h1{display:flex;align-items:center;gap:.7rem;margin:0 0 1.1rem;font-size:1.5rem;line-height:1.25;font-weight:650}
svg{flex:none;width:1.9rem;height:1.9rem;fill:none;stroke:var(--sign);stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
p{margin:.7rem 0;overflow-wrap:anywhere}
samp,code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.9em;background:var(--mono);border-radius:.3rem}
code{display:inline-block;max-width:100%;padding:0 .4em}
samp{display:block;padding:.7em .9em}
footer{margin-top:1.6rem;padding-top:.8rem;border-top:1px solid var(--line);color:var(--soft);font-size:.85rem}
@media (max-width:30rem){body{padding:.75rem;place-items:start stretch}main{padding:1.4rem 1.25rem 1rem}}
`

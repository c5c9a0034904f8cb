package aggregator

import (
	"fmt"
	"strings"

	"github.com/weir-mcp/weir/aggregator/catalog"
)

// This file is how many of the tools that are there for the principal a host is
// shown. What it is not shown it can find (searching.go), and call by name as if it
// stood in the list.

// An Exposure is how hosts learn of tools.
type Exposure uint8

// How hosts learn of tools.
const (
	ExposeAll    Exposure = iota // by the list, as long as there is room in it
	ExposeSearch                 // by asking for them
	ExposeAuto                   // by the list if there is room in it for all, else by asking
)

// defaultRoom is how many tools a host is taken to bear that is not known.
const defaultRoom = 100

// LeastRoom is how many tools any host bears that is known.
const LeastRoom = 40

// rooms are how many tools hosts bear, by what stands in the names that they give
// themselves, in lower case; the first that fits counts.
var rooms = []struct {
	name string
	room int
}{
	{"cursor", LeastRoom}, // before vscode: it calls itself both
	{"windsurf", 100},
	{"visual studio code", 128},
	{"vscode", 128},
}

// KnownRoom is how many tools a host bears that calls itself so; it reports false
// where that is not known. No other table has these numbers.
func KnownRoom(client string) (room int, known bool) {
	client = strings.ToLower(client)
	for _, r := range rooms {
		if strings.Contains(client, r.name) {
			return r.room, true
		}
	}
	return 0, false
}

// roomOf is how many tools a host is shown that calls itself so.
func roomOf(client string) int {
	if room, known := KnownRoom(client); known {
		return room
	}
	return defaultRoom
}

// perHost reports whether hosts that differ in name may see other lists.
func (w *world) perHost() bool { return w.exposure == ExposeAuto && w.maxTools == 0 }

// room is how many tools there is room for in the list, weir's own among them; 0 is
// no limit.
func (v *view) room() int {
	if v.maxTools == 0 && v.exposure == ExposeAuto {
		return roomOf(v.client.Name)
	}
	return v.maxTools
}

// An assortment is the tools that are there for the principal, listed or not.
type assortment struct {
	all      []*catalog.Route
	left     int  // how many of them are not in the list
	searched bool // weir's own tools for that are in it
	finder   finder
}

// expose makes the list of tools of those that are there for the principal: all of
// them if there is room, else the first, in the order of the configuration, or
// none. What is for apps only takes no room: hosts do not show it to their models.
func (v *view) expose() {
	l := v.lists[catalog.Tools]
	v.tools.all, l.own = l.routes, v.listedOwn()
	room := v.room()
	full := room > 0 && l.shown()+len(l.own) > room
	if len(v.shown) == 0 || !full && v.exposure != ExposeSearch {
		return
	}
	v.tools.searched = true
	l.own = v.listedOwn()
	if room > 0 {
		l.own = l.own[:min(len(l.own), room)]
	}
	if v.exposure == ExposeAll {
		room -= len(l.own)
	} else {
		room = 0
	}
	v.lists[catalog.Tools], v.tools.left = l.first(room)
}

// shown is how many of the routes models see.
func (l *viewedList) shown() (n int) {
	for _, route := range l.routes {
		if !route.AppOnly() {
			n++
		}
	}
	return n
}

// first is the list with as many of what models see as there is room for, and how
// many are left out.
func (l *viewedList) first(room int) (short *viewedList, left int) {
	short = &viewedList{kind: l.kind, own: l.own}
	for _, route := range l.routes {
		switch {
		case route.AppOnly():
			short.add(route)
		case room > 0:
			short.add(route)
			room--
		default:
			left++
		}
	}
	return short, left
}

// waysToTools says how to come by tools that are not in the list.
const waysToTools = "weir__find_tools finds tools by what they do, weir__describe_tool tells how one is called, and weir__call_tool calls it."

// instructsToFind tells hosts that there are tools which are not in the list; "" if
// there are none.
func (v *view) instructsToFind() string {
	switch {
	case !v.tools.searched:
		return ""
	case v.exposure == ExposeAll:
		return fmt.Sprintf("The list of tools is not whole: %d more are behind weir. ", v.tools.left) + waysToTools
	}
	return "The tools of the servers behind weir are not in the list of tools. " + waysToTools
}

// tellExposure logs how many tools hosts are not shown, when that changes. Where it
// hangs on the host nobody can say.
func (a *Aggregator) tellExposure(now, before *view) {
	if now.perHost() || now.tools.left == before.tools.left && now.tools.searched == before.tools.searched {
		return
	}
	if !now.tools.searched {
		a.log.Info().Int("tools", len(now.tools.all)).Msg("all tools are in the list again")
		return
	}
	a.log.Warn().Int("tools", len(now.tools.all)).Int("left_out", now.tools.left).Int("max_tools", now.maxTools).
		Msg("tools are not in the list: hosts find them by weir__find_tools")
}

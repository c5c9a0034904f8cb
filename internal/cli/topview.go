package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-mcp/weir/aggregator/audit"
	"github.com/weir-mcp/weir/internal/live"
	"github.com/weir-mcp/weir/upstream"
)

// A topView is what "weir top" shows: the weirs that run, with their servers, and
// the last lines of the audit log. One server is selected.
type topView struct {
	weirs    []*live.Weir // as live.List returns them
	log      []audit.Entry
	waiting  int // calls that wait for the user's approval
	selected selection
	message  string // of what was done last
}

// A selection names a server of one weir. It stays while other lines come and go.
type selection struct {
	pid    int
	server string
}

// topRows are the servers in the order in which they are shown.
func (v *topView) rows() (all []selection) {
	for _, w := range v.weirs {
		for _, s := range w.Servers {
			all = append(all, selection{w.PID, s.Name})
		}
	}
	return all
}

// move selects a server further down, or up.
func (v *topView) move(by int) {
	rows := v.rows()
	if len(rows) == 0 {
		return
	}
	at := slices.Index(rows, v.selected)
	v.selected = rows[min(max(at+by, 0), len(rows)-1)]
}

// settle selects another server where the one that was selected is no more.
func (v *topView) settle() {
	if rows := v.rows(); len(rows) > 0 && !slices.Contains(rows, v.selected) {
		v.selected = rows[0]
	}
}

// chosen is the server that is selected, and its weir; nil without one.
func (v *topView) chosen() (*live.Weir, *live.Server) {
	for _, w := range v.weirs {
		for i := range w.Servers {
			if (selection{w.PID, w.Servers[i].Name}) == v.selected {
				return w, &w.Servers[i]
			}
		}
	}
	return nil, nil
}

// What is shown below the servers, in lines.
const (
	mostLog   = 8 // of the audit log, its head among them
	mostAbout = 3 // of the selected server
)

// render returns exactly height lines of at most width characters.
func (v *topView) render(p paint, width, height int, now time.Time) []string {
	above := []string{v.summary(p, width)}
	about := v.about(p, width, now)
	log := v.logLines(p, width, min(mostLog, height/3))
	below := slices.Concat(about, log, []string{v.foot(p, width)})
	room := max(height-len(above)-len(below), 0)
	servers := v.window(v.serverLines(p, width, now), room)
	lines := slices.Concat(above, servers, make([]string, room-len(servers)), below)
	lines = lines[:min(height, len(lines))]
	for i, line := range lines {
		lines[i] = clipped(line, width)
	}
	return lines
}

// clipped is a painted line without what stands beyond the width.
func clipped(line string, width int) string {
	if visibleLength(line) <= width {
		return line
	}
	var b strings.Builder
	for left := width; line != ""; {
		if strings.HasPrefix(line, "\x1b[") {
			end := strings.IndexByte(line, 'm') + 1
			b.WriteString(line[:end])
			line = line[end:]
			continue
		}
		r, size := utf8.DecodeRuneInString(line)
		if left -= columnsOfRune(r); left >= 0 {
			b.WriteString(line[:size])
		}
		line = line[size:]
	}
	return b.String()
}

func (v *topView) summary(p paint, width int) string {
	states := map[upstream.State]int{}
	all, flying := 0, 0
	for _, w := range v.weirs {
		for _, s := range w.Servers {
			all++
			states[upstream.State(s.State)]++
			flying += s.InFlight
		}
	}
	parts := []string{plural(len(v.weirs), "weir", "weirs"), plural(all, "server", "servers")}
	for _, state := range []upstream.State{upstream.Ready, upstream.Connecting, upstream.Backoff, upstream.NeedsLogin, upstream.Failed} {
		if n := states[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	parts = append(parts, plural(flying, "call", "calls")+" in flight")
	if v.waiting > 0 {
		parts = append(parts, fmt.Sprintf("%d to approve", v.waiting))
	}
	return p.bold(oneLine("weir top: "+strings.Join(parts, ", "), width))
}

// A topLine is a line of the part that may be longer than the screen.
type topLine struct {
	text string
	of   selection // the zero selection for a line of no server
}

func (v *topView) serverLines(p paint, width int, now time.Time) (lines []topLine) {
	if len(v.weirs) == 0 {
		return []topLine{{text: ""}, {text: "no weir is running: your assistant starts one"}}
	}
	for _, w := range v.weirs {
		title := fmt.Sprintf("weir %d  %s", w.PID, strings.Join(present(printable(strings.Join(w.Hosts, ", ")), printable(w.As), "for "+lasting(now.Sub(w.Since)), printable(w.Config)), ", "))
		lines = append(lines, topLine{}, topLine{text: p.cyan(oneLine(title, width))})
		if w.Problem != "" {
			lines = append(lines, topLine{text: p.red(oneLine("problem: "+w.Problem, width))})
		}
		lines = append(lines, v.tableLines(p, w, width, now)...)
	}
	return lines
}

// present are the texts that are not empty.
func present(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// tableLines are the servers of a weir, in the columns for which there is room.
func (v *topView) tableLines(p paint, w *live.Weir, width int, now time.Time) (lines []topLine) {
	if len(w.Servers) == 0 {
		return []topLine{{text: "  no servers"}}
	}
	t := table{head: []string{"SERVER", "STATE", "FOR", "NEXT TRY", "FLYING", "CALLS", "ERRORS", "FAILED", "P50", "P99", "LOST"}}
	for _, s := range w.Servers {
		t.rows = append(t.rows, liveRow(p, s, now))
	}
	t.dropEmpty()
	const mark = "  "
	t.narrow(width-len(mark), dispensable...)
	widths := t.columnWidths(width - len(mark))
	lines = append(lines, topLine{text: mark + strings.TrimRight(rowText(t.headRow(p), widths), " \n")})
	for i, s := range w.Servers {
		of := selection{w.PID, s.Name}
		text := mark + strings.TrimRight(rowText(t.rows[i], widths), " \n")
		if of == v.selected {
			text = p.selected("> "+strings.TrimRight(rowText(unpainted(t.rows[i]), widths), " \n"), width)
		}
		lines = append(lines, topLine{text, of})
	}
	return lines
}

// selected shows a line as the one that is meant.
func (p paint) selected(text string, width int) string {
	if !p.on {
		return text
	}
	return p.wrap("7", text+strings.Repeat(" ", max(width-columnsOf(text), 0)))
}

func unpainted(row []cell) []cell {
	out := slices.Clone(row)
	for i := range out {
		out[i].paint = nil
	}
	return out
}

// window is the part of the lines for which there is room, with the selected one.
func (v *topView) window(lines []topLine, room int) []string {
	first := 0
	if at := slices.IndexFunc(lines, func(l topLine) bool { return l.of == v.selected && l.of != (selection{}) }); at >= room {
		first = at - room + 1
	}
	shown := lines[first:min(first+room, len(lines))]
	texts := make([]string, len(shown))
	for i, l := range shown {
		texts[i] = l.text
	}
	return texts
}

// about says of the selected server what has no room in its line.
func (v *topView) about(p paint, width int, now time.Time) []string {
	_, s := v.chosen()
	if s == nil {
		return nil
	}
	lines := []string{"", p.bold(oneLine(fmt.Sprintf("%s: %s, %s, %s, %s", s.Name, cmp.Or(s.Protocol, s.Transport),
		plural(s.Tools, "tool", "tools"), plural(s.Prompts, "prompt", "prompts"), plural(s.Resources, "resource", "resources")), width))}
	if s.Reason != "" {
		lines = append(lines, p.red(oneLine(s.Reason, width)))
	}
	if last := s.LastFailure; last != nil {
		lines = append(lines, p.yellow(oneLine(fmt.Sprintf("last failure, %s: %s", age(now.Sub(last.At)), last.Text), width)))
	}
	return lines[:min(len(lines), mostAbout+1)]
}

func (v *topView) logLines(p paint, width, most int) []string {
	if len(v.log) == 0 || most < 3 {
		return nil
	}
	entries := v.log[max(len(v.log)-most+2, 0):]
	t := table{head: []string{"TIME", "HOST", "SERVER", "NAME", "OUTCOME", "TOOK", "WHY"}}
	for i := range entries {
		row := slices.Delete(logRow(p, &entries[i]), 4, 5) // the verdict: the outcome says enough
		row[0].text = entries[i].Time.Local().Format("15:04:05")
		row[1].text, row[3].text = oneLine(row[1].text, width/6), oneLine(row[3].text, width/3)
		t.rows = append(t.rows, row)
	}
	t.narrow(width, "HOST", "TOOK", "WHY", "TIME")
	t.head = nil // the columns explain themselves
	widths := t.columnWidths(width)
	lines := []string{"", p.dim("last requests")}
	for _, row := range t.rows {
		lines = append(lines, strings.TrimRight(rowText(row, widths), " \n"))
	}
	return lines[:min(len(lines), most)]
}

func (v *topView) foot(p paint, width int) string {
	if v.message != "" {
		return p.yellow(oneLine(v.message, width))
	}
	return p.dim(oneLine("q quit  ↑↓ select  r restart  e enable/disable  l log in  a approve", width))
}

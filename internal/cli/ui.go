package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/term"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// paint colours words, or leaves them as they are.
type paint struct{ on bool }

// paintFor decides by https://no-color.org: colours on a terminal only, and
// not where $NO_COLOR is set.
func (a *app) paintFor(stream any) paint {
	return paint{isTerminal(stream) && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"}
}

func (a *app) paint() paint      { return a.paintFor(a.Stdout) }
func (a *app) errorPaint() paint { return a.paintFor(a.Stderr) }

func (p paint) bold(s string) string   { return p.wrap("1", s) }
func (p paint) dim(s string) string    { return p.wrap("2", s) }
func (p paint) red(s string) string    { return p.wrap("31", s) }
func (p paint) green(s string) string  { return p.wrap("32", s) }
func (p paint) yellow(s string) string { return p.wrap("33", s) }
func (p paint) cyan(s string) string   { return p.wrap("36", s) }

func (p paint) wrap(code, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// width returns how many columns a table on stdout may take; 0 is no limit.
func (a *app) width() int {
	if n, err := strconv.Atoi(a.getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	f, ok := a.Stdout.(*os.File)
	if !ok {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}

// A table is rows of cells under a head. The last column gives way when the rows
// are wider than the terminal, and where that is not enough the widest of
// the others; in an even table all of them do.
type table struct {
	head []string
	rows [][]cell
	even bool
}

// A cell is a text and how to paint it; nil paints nothing.
type cell struct {
	text  string
	paint func(string) string
}

func plain(text string) cell { return cell{text: text} }

// columnGap is the space between two columns.
const columnGap = "  "

// print writes the table; width is as of [app.width].
func (t *table) print(w io.Writer, p paint, width int) {
	writeRows(w, append([][]cell{t.headRow(p)}, t.rows...), t.columnWidths(width))
}

// printRows is print without the head.
func (t *table) printRows(w io.Writer, width int) { writeRows(w, t.rows, t.columnWidths(width)) }

func (t *table) headRow(p paint) []cell {
	head := make([]cell, len(t.head))
	for i, text := range t.head {
		head[i] = cell{text, p.dim}
	}
	return head
}

func writeRows(w io.Writer, rows [][]cell, widths []int) {
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(rowText(row, widths))
	}
	_, _ = io.WriteString(w, b.String()) // nobody is left to tell
}

// dropEmpty takes out the columns in which no row has anything.
func (t *table) dropEmpty() {
	for i := len(t.head) - 1; i >= 0; i-- {
		if slices.ContainsFunc(t.rows, func(row []cell) bool { return row[i].text != "" }) {
			continue
		}
		t.head = slices.Delete(t.head, i, i+1)
		for k := range t.rows {
			t.rows[k] = slices.Delete(t.rows[k], i, i+1)
		}
	}
}

// narrow takes out columns, one after the other, until the rest has room; width is
// as of [app.width].
func (t *table) narrow(width int, dispensable ...string) {
	for _, title := range dispensable {
		if width <= 0 || rowWidth(t.wantedWidths()) <= width {
			return
		}
		i := slices.Index(t.head, title)
		if i < 0 {
			continue
		}
		t.head = slices.Delete(t.head, i, i+1)
		for k := range t.rows {
			t.rows[k] = slices.Delete(t.rows[k], i, i+1)
		}
	}
}

// rowText is a line of cells in columns of these widths.
func rowText(row []cell, widths []int) string {
	var b strings.Builder
	for i, c := range row {
		text := oneLine(c.text, widths[i])
		pad := widths[i] - columnsOf(text)
		if c.paint != nil {
			text = c.paint(text)
		}
		b.WriteString(text)
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", pad) + columnGap)
		}
	}
	return b.String() + "\n"
}

// columnWidths returns what each column needs, cut to what width has room for.
func (t *table) columnWidths(width int) []int {
	widths := t.wantedWidths()
	if width <= 0 {
		return widths
	}
	if t.even {
		return evenWidths(widths, width)
	}
	last := len(widths) - 1
	left := width
	for _, n := range widths[:last] {
		left -= n + len(columnGap)
	}
	const least = 12 // a few words even on a narrow terminal
	widths[last] = min(widths[last], max(left, least))
	if others := widths[:last]; rowWidth(widths) > width && last > 0 {
		others = evenWidths(others, width-len(columnGap)-widths[last])
		if cut := append(others, widths[last]); rowWidth(cut) <= width {
			return cut
		}
	}
	return widths
}

// wantedWidths returns what each column takes if nothing is cut.
func (t *table) wantedWidths() []int {
	columns := len(t.head)
	if len(t.rows) > 0 {
		columns = max(columns, len(t.rows[0]))
	}
	widths := make([]int, columns)
	for i, text := range t.head {
		widths[i] = columnsOf(printable(text))
	}
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], columnsOf(printable(c.text)))
		}
	}
	return widths
}

// leastColumn is what is left of every column of an even table.
const leastColumn = 8

// fits reports whether an even table can be cut to width so that something of each
// column is left.
func (t *table) fits(width int) bool {
	return width <= 0 || rowWidth(evenWidths(t.wantedWidths(), width)) <= width
}

// evenWidths cuts the widest columns, all of them to the same, until the rows fit.
func evenWidths(widths []int, width int) []int {
	cut := slices.Clone(widths)
	for limit := min(slices.Max(widths), width); limit >= leastColumn; limit-- {
		for i := range cut {
			cut[i] = min(widths[i], limit)
		}
		if rowWidth(cut) <= width {
			break
		}
	}
	return cut
}

func rowWidth(widths []int) int {
	all := len(columnGap) * (len(widths) - 1)
	for _, n := range widths {
		all += n
	}
	return all
}

// oneLine returns a text fit for one line of at most limit columns.
func oneLine(text string, limit int) string {
	text = printable(text)
	if columnsOf(text) <= limit {
		return text
	}
	if limit < 1 {
		return ""
	}
	return strings.TrimRight(withinColumns(text, limit-1), " ") + "…"
}

// printable makes one line of a text that a server wrote: white space becomes
// single spaces, and what could move the cursor, colour or turn around the
// text is left out.
func printable(text string) string {
	return strings.Join(strings.Fields(withoutControls(text)), " ")
}

// withoutControls leaves out control characters, but for line ends and tabs,
// and the characters that change the direction of a text.
func withoutControls(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return -1
		}
		return r
	}, text)
}

// milliseconds says a short time the way people compare them.
func milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms < 100 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// age says how long ago something was, in one unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// visibleLength is how many columns a painted text takes.
func visibleLength(s string) int {
	n := 0
	for {
		before, rest, painted := strings.Cut(s, "\x1b[")
		n += columnsOf(before)
		if !painted {
			return n
		}
		_, s, _ = strings.Cut(rest, "m")
	}
}

// quoted writes a text as a JSON string.
func quoted(s string) string { return string(jsonrpc.AppendString(nil, s)) }

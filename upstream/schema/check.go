package schema

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weir-mcp/weir/upstream/jsonrpc"
)

// The bounds of checking one value.
const (
	maxSteps    = 1 << 19
	maxNesting  = 2000 // of schemas that are looked at within each other
	maxProblems = 20
)

// A Problem is one thing that is wrong with a value.
type Problem struct {
	Path string // where, as in filter.tags[2]; "" is the value itself
	Text string // what, to follow the name of the place: "must be a string, not a number"
}

func (p Problem) String() string {
	if p.Path == "" {
		return "the value " + p.Text
	}
	return strconv.Quote(p.Path) + " " + p.Text
}

// Check checks a value, which must be valid JSON. It returns what is wrong with
// it: nil if nothing is, and not more than a reader can bear. A value that is too
// large to be checked, or checking that would take too long, is a problem too.
func (s *Schema) Check(raw []byte) []Problem {
	if !jsonrpc.Fair(raw) {
		return []Problem{{Text: "cannot be checked: it is nested too deep for its size"}}
	}
	d := decoder{left: maxValueNodes}
	v, err := d.decode(raw, 0)
	if err != nil {
		return []Problem{{Text: "cannot be checked: " + err.Error()}}
	}
	c := &check{left: maxSteps, notes: s.notes}
	found := &report{}
	ok := c.value(s.root, v, nil, found, nil)
	switch {
	case c.spent:
		return []Problem{{Text: "cannot be checked: that would take too long"}}
	case ok:
		return nil
	}
	return found.list()
}

// A check is the work on one value.
type check struct {
	left  int  // steps
	depth int  // of schemas within schemas
	spent bool // it took too long: no outcome counts
	notes bool // the schema wants to know what was looked at
}

// A place is where a part of the value stands.
type place struct {
	up    *place
	name  string
	index int // of an item; -1 of a member
}

func (p *place) String() string {
	if p == nil {
		return ""
	}
	if p.index >= 0 {
		return p.up.String() + "[" + strconv.Itoa(p.index) + "]"
	}
	name := p.name
	if name == "" || strings.ContainsAny(name, ".[]\" ") {
		name = strconv.Quote(name)
	}
	if p.up == nil {
		return name
	}
	return p.up.String() + "." + name
}

// A report gathers problems. A nil one does not want to know.
type report struct {
	problems []Problem
	more     int
}

func (r *report) add(at *place, format string, args ...any) {
	switch {
	case r == nil:
	case len(r.problems) >= maxProblems:
		r.more++
	default:
		r.problems = append(r.problems, Problem{at.String(), fmt.Sprintf(format, args...)})
	}
}

// take adds what another report has found.
func (r *report) take(problems []Problem) {
	fit := max(0, min(len(problems), maxProblems-len(r.problems)))
	r.problems = append(r.problems, problems[:fit]...)
	r.more += len(problems) - fit
}

func (r *report) list() []Problem {
	if len(r.problems) == 0 {
		return []Problem{{Text: "is not what the schema allows"}}
	}
	if r.more > 0 {
		return append(r.problems, Problem{Text: fmt.Sprintf("has %d more problems", r.more)})
	}
	return r.problems
}

// looked is what of a value was looked at: items by index, members by theirs. A
// nil one does not want to know.
type looked struct {
	all bool
	at  map[int]bool
}

func (l *looked) add(i int) {
	if l == nil || l.all {
		return
	}
	if l.at == nil {
		l.at = map[int]bool{}
	}
	l.at[i] = true
}

func (l *looked) merge(other *looked) {
	if l == nil || other == nil {
		return
	}
	l.all = l.all || other.all
	for i := range other.at {
		l.add(i)
	}
}

// step counts work. It reports false when there was too much of it.
func (c *check) step(n int) bool {
	if c.left -= n; c.left < 0 {
		c.spent = true
	}
	return !c.spent
}

// value reports whether a value fits a schema. What does not is told to r, and
// what was looked at to seen.
func (c *check) value(n *node, v *value, at *place, r *report, seen *looked) bool {
	c.depth++
	defer func() { c.depth-- }()
	if c.depth > maxNesting {
		c.spent = true
	}
	if !c.step(1) {
		return false
	}
	if n.never {
		r.add(at, "is not allowed")
		return false
	}
	var own *looked
	if c.notes {
		own = &looked{}
	}
	ok := c.typeFits(n, v, at, r)
	if !ok {
		return false // of a value of another type nothing else can be said
	}
	ok = c.oneOfThese(n, v, at, r)
	ok = c.scalar(n, v, at, r) && ok
	ok = c.combined(n, v, at, r, own) && ok
	if v.kind == object {
		ok = c.object(n, v, at, r, own) && ok
	}
	if v.kind == array {
		ok = c.array(n, v, at, r, own) && ok
	}
	if ok {
		seen.merge(own)
	}
	return ok
}

func (c *check) typeFits(n *node, v *value, at *place, r *report) bool {
	if n.types == 0 || n.types&v.kind != 0 {
		return true
	}
	r.add(at, "must be %s, not %s", n.types, v.kind)
	return false
}

func (c *check) oneOfThese(n *node, v *value, at *place, r *report) bool {
	if n.enum == nil {
		return true
	}
	c.step(len(n.enum))
	for _, allowed := range n.enum {
		if allowed.kind == v.kind && c.same(allowed, v) {
			return true
		}
	}
	if len(n.enum) == 1 {
		r.add(at, "must be %s", n.enum[0].quote())
		return false
	}
	r.add(at, "must be one of %s", listed(n.enum))
	return false
}

// same reports whether two values of one kind are equal.
func (c *check) same(a, b *value) bool {
	switch a.kind {
	case integer, fraction:
		return a.number.Cmp(b.number) == 0
	case object, array:
		return a.key() == b.key()
	default:
		return a.text == b.text
	}
}

func (c *check) scalar(n *node, v *value, at *place, r *report) bool {
	switch v.kind {
	case integer, fraction:
		return c.number(n, v, at, r)
	case text:
		return c.text(n, v.text, at, r)
	default:
		return true
	}
}

func (c *check) number(n *node, v *value, at *place, r *report) bool {
	ok := true
	demand := func(met bool, words string, limit *number) {
		if !met {
			ok = false
			r.add(at, "must be %s %s", words, limit.text)
		}
	}
	if l := n.minimum; l != nil {
		demand(v.number.Cmp(l.rat) >= 0, "at least", l)
	}
	if l := n.maximum; l != nil {
		demand(v.number.Cmp(l.rat) <= 0, "at most", l)
	}
	if l := n.above; l != nil {
		demand(v.number.Cmp(l.rat) > 0, "more than", l)
	}
	if l := n.below; l != nil {
		demand(v.number.Cmp(l.rat) < 0, "less than", l)
	}
	if l := n.multipleOf; l != nil {
		demand(isMultiple(v.number, l.rat), "a multiple of", l)
	}
	return ok
}

func (c *check) text(n *node, s string, at *place, r *report) bool {
	ok := true
	if n.minLength != nil || n.maxLength != nil {
		c.step(len(s) / 1024)
		ok = between(utf8.RuneCountInString(s), n.minLength, n.maxLength, "character", "characters", at, r)
	}
	if n.pattern != nil && !c.matches(n.pattern, s) {
		r.add(at, "must match the pattern %.200s", n.pattern)
		ok = false
	}
	return ok
}

// matches runs a pattern, which costs the more the longer both are.
func (c *check) matches(p *pattern, s string) bool {
	return c.step(1+len(s)*p.size/64) && p.MatchString(s)
}

// between checks how many of something there are.
func between(have int, least, most *int, one, many string, at *place, r *report) bool {
	word := func(n int) string {
		if n == 1 {
			return one
		}
		return many
	}
	switch {
	case least != nil && have < *least:
		r.add(at, "must have at least %d %s, not %d", *least, word(*least), have)
		return false
	case most != nil && have > *most:
		r.add(at, "must have at most %d %s, not %d", *most, word(*most), have)
		return false
	}
	return true
}

// combined checks what other schemas say of the same value.
func (c *check) combined(n *node, v *value, at *place, r *report, seen *looked) bool {
	ok := true
	if n.ref != nil {
		ok = c.value(n.ref, v, at, r, seen)
	}
	for _, each := range n.allOf {
		ok = c.value(each, v, at, r, seen) && ok
	}
	if n.anyOf != nil {
		ok = c.some(n.anyOf, v, at, r, seen, false) && ok
	}
	if n.oneOf != nil {
		ok = c.some(n.oneOf, v, at, r, seen, true) && ok
	}
	if n.not != nil && c.value(n.not, v, at, nil, nil) {
		r.add(at, "has a form that is not allowed")
		ok = false
	}
	if n.cond != nil {
		ok = c.conditional(n, v, at, r, seen) && ok
	}
	return ok
}

func (c *check) conditional(n *node, v *value, at *place, r *report, seen *looked) bool {
	branch := n.other
	if c.value(n.cond, v, at, nil, seen) {
		branch = n.then
	}
	return branch == nil || c.value(branch, v, at, r, seen)
}

// some checks that a value fits one of the forms, and exactly one where that is
// demanded. If it fits none, what is wrong by the nearest of them is told.
func (c *check) some(forms []*node, v *value, at *place, r *report, seen *looked, one bool) bool {
	fits := 0
	var nearest *report
	least := 0
	for _, form := range forms {
		var why *report
		if r != nil {
			why = &report{}
		}
		if c.value(form, v, at, why, seen) {
			if fits++; !one && !c.notes {
				return true
			}
			continue
		}
		if why == nil {
			continue
		}
		if far := why.distance(form, v); nearest == nil || far < least {
			nearest, least = why, far
		}
	}
	switch {
	case fits == 0:
		c.noForm(forms, v, at, r, nearest)
	case fits > 1 && one:
		r.add(at, "fits %d forms of which it may have one", fits)
	default:
		return true
	}
	return false
}

// distance is how far a value is from a form: another type is farthest.
func (r *report) distance(form *node, v *value) int {
	far := len(r.problems) + r.more
	if form.types != 0 && form.types&v.kind == 0 {
		far += 1000
	}
	return far
}

// noForm tells that a value fits none of the forms.
func (c *check) noForm(forms []*node, v *value, at *place, r, nearest *report) {
	if r == nil {
		return
	}
	var wanted types
	for _, form := range forms {
		if form.types == 0 || form.types&v.kind != 0 {
			wanted = 0
			break
		}
		wanted |= form.types
	}
	switch {
	case wanted != 0:
		r.add(at, "must be %s, not %s", wanted, v.kind)
	case len(forms) == 1 && nearest != nil:
		r.take(nearest.problems)
	default:
		r.add(at, "has none of the %d forms that it may have; by the nearest of them:", len(forms))
		if nearest != nil {
			r.take(nearest.problems[:min(len(nearest.problems), 5)])
		}
	}
}

func (c *check) array(n *node, v *value, at *place, r *report, seen *looked) bool {
	ok := between(len(v.items), n.minItems, n.maxItems, "item", "items", at, r)
	for i, item := range v.items {
		form := n.items
		if i < len(n.prefix) {
			form = n.prefix[i]
		}
		if form == nil {
			break
		}
		seen.add(i)
		ok = c.value(form, item, &place{at, "", i}, r, nil) && ok
	}
	if n.unique {
		ok = c.unique(v, at, r) && ok
	}
	if n.contains != nil {
		ok = c.contains(n, v, at, r, seen) && ok
	}
	if n.unevaluatedItems != nil && !seen.all {
		for i, item := range v.items {
			if !seen.at[i] {
				ok = c.value(n.unevaluatedItems, item, &place{at, "", i}, r, nil) && ok
			}
		}
		seen.all = true
	}
	return ok
}

func (c *check) unique(v *value, at *place, r *report) bool {
	first := make(map[string]int, len(v.items))
	for i, item := range v.items {
		key := item.key()
		if !c.step(1 + len(key)/64) {
			return false
		}
		if before, twice := first[key]; twice {
			r.add(at, "must not have an item twice, as [%d] and [%d] are", before, i)
			return false
		}
		first[key] = i
	}
	return true
}

func (c *check) contains(n *node, v *value, at *place, r *report, seen *looked) bool {
	have := 0
	for i, item := range v.items {
		if c.value(n.contains, item, at, nil, nil) {
			have++
			seen.add(i)
		}
	}
	least := 1
	if n.minContains != nil {
		least = *n.minContains
	}
	return between(have, &least, n.maxContains, "item of the demanded form", "items of the demanded form", at, r)
}

func (c *check) object(n *node, v *value, at *place, r *report, seen *looked) bool {
	ok := between(len(v.members), n.minMembers, n.maxMembers, "member", "members", at, r)
	for _, name := range n.required {
		ok = c.has(v, name, "", at, r) && ok
	}
	for i := range v.members {
		ok = c.member(n, v, i, at, r, seen) && ok
	}
	for _, d := range n.dependentRequired {
		if !c.finds(v, d.name) {
			continue
		}
		for _, name := range d.needs {
			ok = c.has(v, name, fmt.Sprintf(" (%q needs it)", d.name), at, r) && ok
		}
	}
	for _, d := range n.dependentSchemas {
		if c.finds(v, d.name) {
			ok = c.value(d.node, v, at, r, seen) && ok
		}
	}
	if n.unevaluatedMembers != nil && !seen.all {
		for i, m := range v.members {
			if !seen.at[i] {
				ok = c.value(n.unevaluatedMembers, m.value, &place{at, m.name, -1}, r, nil) && ok
			}
		}
		seen.all = true
	}
	return ok
}

func (c *check) has(v *value, name, why string, at *place, r *report) bool {
	if c.finds(v, name) {
		return true
	}
	r.add(&place{at, name, -1}, "is missing%s", why)
	return false
}

// finds reports whether an object has a member.
func (c *check) finds(v *value, name string) bool {
	return c.step(1+len(v.members)/16) && v.find(name) != nil
}

// member checks one member of an object.
func (c *check) member(n *node, v *value, i int, at *place, r *report, seen *looked) bool {
	m := v.members[i]
	here := &place{at, m.name, -1}
	ok, known := true, false
	if form := n.property[m.name]; form != nil {
		known = true
		ok = c.value(form, m.value, here, r, nil)
	}
	for _, p := range n.patternProperties {
		if c.matches(p.pattern, m.name) {
			known = true
			ok = c.value(p.node, m.value, here, r, nil) && ok
		}
	}
	switch {
	case known || n.additional == nil:
	case n.additional.never:
		r.add(here, "is not known%s", n.knownNames())
		ok = false
	default:
		known = true
		ok = c.value(n.additional, m.value, here, r, nil) && ok
	}
	if known {
		seen.add(i)
	}
	if n.propertyNames != nil && !c.value(n.propertyNames, &value{kind: text, text: m.name}, here, nil, nil) {
		r.add(here, "is not allowed as a name")
		ok = false
	}
	return ok
}

// knownNames tells what members there can be, where those are few.
func (n *node) knownNames() string {
	if len(n.properties) == 0 || len(n.properties) > 20 {
		return ""
	}
	names := make([]string, len(n.properties))
	for i, p := range n.properties {
		names[i] = p.name
	}
	return " (known: " + clip(strings.Join(names, ", "), 300) + ")"
}

// quote is a value in words.
func (v *value) quote() string {
	switch v.kind {
	case object, array:
		return "a certain " + strings.TrimPrefix(strings.TrimPrefix(v.kind.String(), "an "), "a ")
	case text:
		return strconv.Quote(clip(v.text, 100))
	default:
		return clip(v.text, 100)
	}
}

func listed(values []*value) string {
	words := make([]string, 0, len(values))
	for _, v := range values {
		words = append(words, v.quote())
		if len(words) == 20 && len(values) > 20 {
			return strings.Join(words, ", ") + fmt.Sprintf(" or %d more", len(values)-20)
		}
	}
	return strings.Join(words, ", ")
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func isMultiple(n, of *big.Rat) bool { return new(big.Rat).Quo(n, of).IsInt() }

func sorted(members []member) []member {
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return members
}

package policy

// A Filter selects names: those that Include matches and Exclude does not. The
// zero Filter selects all.
type Filter struct {
	Include []Glob // nil = all, empty = none
	Exclude []Glob
}

// Admits reports whether the filter selects a name.
func (f Filter) Admits(name string) bool {
	if f.Include != nil && !anyMatch(f.Include, name) {
		return false
	}
	return !anyMatch(f.Exclude, name)
}

// Filters select what each of them selects; none select all.
type Filters []Filter

// Admits reports whether all filters select a name.
func (f Filters) Admits(name string) bool {
	for i := range f {
		if !f[i].Admits(name) {
			return false
		}
	}
	return true
}

func anyMatch(globs []Glob, name string) bool {
	for _, g := range globs {
		if g.Match(name) {
			return true
		}
	}
	return false
}

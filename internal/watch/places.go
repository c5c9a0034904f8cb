package watch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxLinks is how many symbolic links there may be on the way to one file.
const maxLinks = 40

// places are where something happens when what paths lead to changes.
type places struct {
	folders []string // without links in them
	names   []string // of what is of interest there
}

// placesOf finds them for absolute paths.
func placesOf(paths []string) *places {
	p := &places{}
	for _, path := range paths {
		p.add(path)
	}
	return p
}

func (p *places) add(path string) {
	root := filepath.VolumeName(path) + string(filepath.Separator)
	at, way := root, steps(path)
	for links := 0; len(way) > 0; {
		name := way[0]
		way = way[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		full := filepath.Join(at, name)
		info, err := os.Lstat(full)
		switch {
		case err == nil && info.Mode()&os.ModeSymlink != 0:
			p.note(at, name)
			target, err := os.Readlink(full)
			if links++; err != nil || links > maxLinks {
				return
			}
			if filepath.IsAbs(target) {
				at = filepath.VolumeName(target) + string(filepath.Separator)
			}
			way = slices.Concat(steps(target), way)
		case err != nil || len(way) == 0 || !info.IsDir():
			p.note(at, name)
			return
		default:
			at = full
		}
	}
}

// steps are the parts of a path behind its volume. They are not cleaned: ".."
// behind a link leads out of where that leads to.
func steps(path string) []string {
	path = path[len(filepath.VolumeName(path)):]
	return strings.FieldsFunc(path, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) })
}

func (p *places) note(folder, name string) {
	if !slices.Contains(p.folders, folder) {
		p.folders = append(p.folders, folder)
	}
	if !slices.Contains(p.names, name) {
		p.names = append(p.names, name)
	}
}

// concern reports whether an event is of interest. Which folder the name is in
// makes no difference, and case makes none, as not everywhere it does: one event
// too many does no harm.
func (p *places) concern(path string) bool {
	name := filepath.Base(path)
	return slices.Contains(p.folders, path) ||
		slices.ContainsFunc(p.names, func(n string) bool { return strings.EqualFold(n, name) })
}

func (p *places) same(other *places) bool {
	return slices.Equal(p.folders, other.folders) && slices.Equal(p.names, other.names)
}

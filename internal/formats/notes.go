package formats

import (
	"slices"
	"strings"
)

// notes gather what is lost, each with the places where it was.
type notes []note

type note struct {
	what   string
	places []string
}

// add notes that something was so at a place; "" is the tool as a whole.
func (n *notes) add(what, place string) {
	i := slices.IndexFunc(*n, func(o note) bool { return o.what == what })
	if i < 0 {
		*n = append(*n, note{what: what})
		i = len(*n) - 1
	}
	if place != "" && !slices.Contains((*n)[i].places, place) {
		(*n)[i].places = append((*n)[i].places, place)
	}
}

// drop notes that a keyword is left out at a place.
func (n *notes) drop(keyword, place string) {
	if place == "" {
		place = "the arguments"
	}
	n.add(`goes without "`+keyword+`" of`, place)
}

// maxPlaces is how many places a note names.
const maxPlaces = 6

func (n notes) texts() []string {
	var texts []string
	for _, o := range n {
		text := o.what
		if len(o.places) > 0 {
			text += " " + strings.Join(o.places[:min(len(o.places), maxPlaces)], ", ")
		}
		if len(o.places) > maxPlaces {
			text += ", …"
		}
		texts = append(texts, text)
	}
	return texts
}

package jsonrpc

import "iter"

// Pending are requests that await their answers, by ids that are numbers. Ids
// mostly follow one another and most requests end soon: each stands in a ring, in
// the place that its id has there, and only one that is still there when another
// needs the place moves to a map. The zero Pending is ready for use; its user
// guards it.
type Pending[T any] struct {
	ring  []place[T]
	old   map[uint64]*T
	count int
}

type place[T any] struct {
	id      uint64
	request *T // nil: it is free
}

// ringSize is a power of two, and more requests than hosts mostly have in flight.
const ringSize = 512

// Len is how many there are.
func (p *Pending[T]) Len() int { return p.count }

// At returns the request with this id; nil if there is none.
func (p *Pending[T]) At(id uint64) *T {
	if p.count == 0 {
		return nil
	}
	if in := &p.ring[id%ringSize]; in.id == id && in.request != nil {
		return in.request
	}
	if len(p.old) == 0 {
		return nil
	}
	return p.old[id]
}

// Add adds a request. None with its id may be there.
func (p *Pending[T]) Add(id uint64, request *T) {
	if p.ring == nil {
		p.ring = make([]place[T], ringSize)
	}
	in := &p.ring[id%ringSize]
	if in.request != nil {
		if p.old == nil {
			p.old = make(map[uint64]*T)
		}
		p.old[in.id] = in.request
	}
	*in = place[T]{id, request}
	p.count++
}

// Remove takes a request out. It reports false if there is none with this id.
func (p *Pending[T]) Remove(id uint64) bool {
	if p.At(id) == nil {
		return false
	}
	p.count--
	if in := &p.ring[id%ringSize]; in.id == id {
		in.request = nil
		return true
	}
	delete(p.old, id)
	return true
}

// All are the requests with their ids, in no order. One that is yielded may be
// removed.
func (p *Pending[T]) All() iter.Seq2[uint64, *T] {
	return func(yield func(uint64, *T) bool) {
		for i := range p.ring {
			if in := p.ring[i]; in.request != nil && !yield(in.id, in.request) {
				return
			}
		}
		for id, request := range p.old {
			if !yield(id, request) {
				return
			}
		}
	}
}

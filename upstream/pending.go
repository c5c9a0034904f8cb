package upstream

import "iter"

// pending are the calls of a connection that await their answers, by the ids that
// it has given them. Ids follow one another and most calls end soon: each stands
// in a ring, in the place that its id has there, and only one that is still there
// when another needs the place moves to a map. The zero pending is ready for use;
// its user guards it.
type pending struct {
	ring  []place
	old   map[uint64]*Call
	count int
}

type place struct {
	id   uint64
	call *Call // nil: it is free
}

// ringSize is a power of two, and more calls than hosts mostly have in flight.
const ringSize = 512

func (p *pending) len() int { return p.count }

// at returns the call with this id; nil if there is none.
func (p *pending) at(id uint64) *Call {
	if p.count == 0 {
		return nil
	}
	if in := &p.ring[id%ringSize]; in.id == id && in.call != nil {
		return in.call
	}
	if len(p.old) == 0 {
		return nil
	}
	return p.old[id]
}

// add adds a call whose id was never given before.
func (p *pending) add(id uint64, call *Call) {
	if p.ring == nil {
		p.ring = make([]place, ringSize)
	}
	in := &p.ring[id%ringSize]
	if in.call != nil {
		if p.old == nil {
			p.old = make(map[uint64]*Call)
		}
		p.old[in.id] = in.call
	}
	*in = place{id, call}
	p.count++
}

// remove takes a call out. It reports false if there is none with this id.
func (p *pending) remove(id uint64) bool {
	if p.at(id) == nil {
		return false
	}
	p.count--
	if in := &p.ring[id%ringSize]; in.id == id {
		in.call = nil
		return true
	}
	delete(p.old, id)
	return true
}

// all are the calls with their ids, in no order. One that is yielded may be
// removed.
func (p *pending) all() iter.Seq2[uint64, *Call] {
	return func(yield func(uint64, *Call) bool) {
		for i := range p.ring {
			if in := p.ring[i]; in.call != nil && !yield(in.id, in.call) {
				return
			}
		}
		for id, call := range p.old {
			if !yield(id, call) {
				return
			}
		}
	}
}

package aggregator

import "slices"

// A Moment is whom an Aggregator serves just now, for people.
type Moment struct {
	Hosts     []string // name and version, by their own word, in order
	Principal string   // the key or profile; "" for none in particular
	Problem   string   // why there are no servers, or another configuration was not taken; "" for none
}

// Moment returns whom the Aggregator serves just now.
func (a *Aggregator) Moment() Moment {
	w := a.world.Load()
	m := Moment{Principal: w.who, Problem: w.notice}
	if problem := a.problem.Load(); problem != nil {
		m.Problem = *problem
	}
	for _, s := range a.sessionList() {
		m.Hosts = append(m.Hosts, s.client.Load().label)
	}
	slices.Sort(m.Hosts)
	return m
}

// PublicReason is Reason as hosts may see it: without paths, commands and causes.
// "" for none.
func (s *ServerStatus) PublicReason() string {
	if s.Reason == nil {
		return ""
	}
	return publicReason(s.Reason)
}

// answered lets what can wait be done once a host has had its first answer.
func (a *Aggregator) answered() {
	if a.cfg.Answered != nil {
		a.spawn(a.cfg.Answered)
	}
}

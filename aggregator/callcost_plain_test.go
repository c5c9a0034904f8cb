//go:build !race

package aggregator

var mostPerCall = callCost{allocs: 3.5, bytes: 215}

//go:build !race

package aggregator

var mostPerCall = callCost{allocs: 3.5, bytes: 215}

// A tenth of the size that it was tried at by hand: 5,000 tools each take 20 s.
const manyServers, manyTools = 100, 500

//go:build race

package aggregator

// The race detector makes pools forget every fourth thing.
var mostPerCall = callCost{allocs: 5.3, bytes: 530}

// Less of it, as all takes longer.
const manyServers, manyTools = 40, 50

// Package telemetry tells a collector what weir does: spans of requests and
// figures, by the OpenTelemetry protocol over HTTP in its JSON encoding (OTLP 1.x,
// specification, OTLP/HTTP and JSON Protobuf encoding). It knows neither hosts nor
// servers: what a span or a figure is of, its user says in attributes.
//
// # Design
//
// OpenTelemetry's own SDK costs every start several milliseconds, used or not;
// what weir needs of the protocol is two documents. An [Exporter] takes spans
// without ever waiting: there is room for some thousands of them, and what finds
// none is counted, and the count told. One goroutine encodes, sends and repeats
// what may be repeated. A collector that is slow or gone costs memory up to that
// bound, and nothing else.
package telemetry

package login

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// A reception serves one attempt's listeners: few connections, one request on
// each, and none of them for long.
type reception struct {
	server    *http.Server
	listeners []net.Listener
	serving   sync.WaitGroup // Serve
	conns     sync.WaitGroup // what is in open

	mu   sync.Mutex
	open map[net.Conn]http.ConnState
}

func newReception(h http.Handler, ls []net.Listener) *reception {
	r := &reception{listeners: ls, open: map[net.Conn]http.ConnState{}}
	r.server = &http.Server{
		Handler:           h,
		ReadTimeout:       readTime,
		ReadHeaderTimeout: readTime,
		WriteTimeout:      redeemTime + goodbye, // from when the request is there
		MaxHeaderBytes:    maxHeader + maxQuery,
		ConnState:         r.track,
	}
	r.server.SetKeepAlivesEnabled(false)
	for _, l := range ls {
		r.serving.Go(func() { _ = r.server.Serve(l) }) // ends when end closes the listener
	}
	return r
}

// track is told of every connection before it is read, and when it is closed.
func (r *reception) track(conn net.Conn, state http.ConnState) {
	r.mu.Lock()
	switch state {
	case http.StateNew:
		r.conns.Add(1)
		r.open[conn] = state
	case http.StateClosed, http.StateHijacked:
		delete(r.open, conn)
		defer r.conns.Done()
	default:
		r.open[conn] = state
	}
	crowded := len(r.open) > maxConns
	r.mu.Unlock()
	if crowded && state == http.StateNew {
		conn.Close()
	}
}

// end lets those finish who have said what they want, and returns when nothing
// is left. Browsers open connections that they never use: these are not waited
// for.
func (r *reception) end() {
	closeAll(r.listeners)
	r.serving.Wait()
	for _, conn := range r.silent() {
		conn.Close()
	}
	finished := make(chan struct{})
	go func() {
		r.conns.Wait()
		close(finished)
	}()
	patience := time.NewTimer(goodbye)
	defer patience.Stop()
	select {
	case <-finished:
	case <-patience.C:
		_ = r.server.Close()
		<-finished
	}
}

func (r *reception) silent() (conns []net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn, state := range r.open {
		if state == http.StateNew {
			conns = append(conns, conn)
		}
	}
	return conns
}

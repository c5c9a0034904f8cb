package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
)

// A streamer speaks HTTP+SSE: its calls are posted, and answered on one stream.
type streamer struct {
	poster
	stream   io.Closer
	ended    chan struct{}
	answered []chan int // ids, each for the worker that it counts for
}

func dialStream(base string) (caller, error) {
	s := &streamer{poster: poster{client: newClient(), header: jsonHeader()}, ended: make(chan struct{})}
	for range mostInFlight {
		s.answered = append(s.answered, make(chan int, 1))
	}
	response, err := s.client.Get(base)
	if err != nil {
		return nil, err
	}
	s.stream = response.Body
	events := bufio.NewReader(response.Body)
	endpoint, err := nextData(events)
	if err == nil {
		s.url, err = resolve(base, string(endpoint))
	}
	if err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	go s.read(events)
	if err := s.shakeHands(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func resolve(base, endpoint string) (string, error) {
	from, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	to, err := from.Parse(endpoint)
	if err != nil {
		return "", err
	}
	return to.String(), nil
}

func (s *streamer) shakeHands() error {
	if err := s.ask([]byte(initialize), 0); err != nil {
		return err
	}
	_, err := s.post([]byte(initialized), nil)
	return err
}

// read hands the answers to who waits for them.
func (s *streamer) read(events *bufio.Reader) {
	defer close(s.ended)
	for {
		data, err := nextData(events)
		if err != nil {
			return
		}
		if id, ok := idOf(data); ok && bytes.Contains(data, result) {
			s.answered[id%mostInFlight] <- id
		}
	}
}

// nextData returns the data of the next event, which is good until the next
// call. The server writes each event as three lines, the data on the second.
func nextData(events *bufio.Reader) ([]byte, error) {
	for {
		line, err := events.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if data, is := bytes.CutPrefix(line, []byte("data: ")); is {
			return bytes.TrimSpace(data), nil
		}
	}
}

func (s *streamer) callEcho(n, inFlight int) error {
	return atOnce(n, inFlight, func(worker int, next func() bool) error {
		var body bytes.Buffer
		for id := worker + mostInFlight; next(); id += mostInFlight {
			writeEcho(&body, id, s.meta)
			if err := s.ask(body.Bytes(), id); err != nil {
				return err
			}
		}
		return nil
	})
}

// ask posts a request and waits for its answer.
func (s *streamer) ask(request []byte, id int) error {
	if _, err := s.post(request, nil); err != nil {
		return err
	}
	select {
	case got := <-s.answered[id%mostInFlight]:
		if got != id {
			return fmt.Errorf("answer to call %d: got that to %d", id, got)
		}
		return nil
	case <-s.ended:
		return errors.New("the stream has ended")
	}
}

func (s *streamer) stop() {
	_ = s.stream.Close()
	<-s.ended
	s.poster.stop()
}

package main

import (
	"bytes"
	"fmt"

	"github.com/gorilla/websocket"
)

// A framer speaks WebSocket, a text frame a message.
type framer struct {
	conn *websocket.Conn
	sent int
}

func dialFrames(url string) (caller, error) {
	dialer := websocket.Dialer{Subprotocols: []string{"mcp"}}
	conn, response, err := dialer.Dial(url, nil)
	if err != nil {
		return nil, err
	}
	_ = response.Body.Close() // it has none
	f := &framer{conn: conn}
	if err := f.shakeHands(); err != nil {
		f.stop()
		return nil, err
	}
	return f, nil
}

func (f *framer) shakeHands() error {
	if err := f.send([]byte(initialize)); err != nil {
		return err
	}
	answer, err := f.receive()
	if err != nil {
		return err
	}
	if err := checkAnswer(answer, 0); err != nil {
		return err
	}
	return f.send([]byte(initialized))
}

func (f *framer) send(message []byte) error {
	return f.conn.WriteMessage(websocket.TextMessage, message)
}

func (f *framer) receive() ([]byte, error) {
	_, answer, err := f.conn.ReadMessage()
	return answer, err
}

// callEcho sends the next call when one is answered. The server answers one
// after the other.
func (f *framer) callEcho(n, inFlight int) error {
	var body bytes.Buffer
	last := f.sent + n
	for next := f.sent + 1; next <= last; next++ {
		for f.sent < min(last, next+inFlight-1) {
			f.sent++
			writeEcho(&body, f.sent, "")
			if err := f.send(body.Bytes()); err != nil {
				return err
			}
		}
		answer, err := f.receive()
		if err != nil {
			return fmt.Errorf("call %d: %w", next, err)
		}
		if err := checkAnswer(answer, next); err != nil {
			return err
		}
	}
	return nil
}

func (f *framer) stop() { _ = f.conn.Close() }

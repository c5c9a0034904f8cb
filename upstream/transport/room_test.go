package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// Answers that grow large at once are read on one after the other, small ones pass
// them by, and one that is given up leaves its room to others.
func TestStreamableRoom(t *testing.T) {
	for _, kind := range []string{typeJSON, typeStream} {
		for _, tt := range []struct{ size, atOnce int }{{mediumFrom, mediumAtOnce}, {largeFrom, largeAtOnce}} {
			t.Run(fmt.Sprintf("%s from %d bytes", kind, tt.size), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					many := tt.atOnce + 3
					end := make(chan struct{})
					var grown atomic.Int32
					filling := bytes.Repeat([]byte("x"), tt.size+tt.size/2)
					s, r := connectBubble(func(req *http.Request) (*http.Response, error) {
						id := req.Header.Get(nameHeader)
						if id == "" {
							return respond(405, "", ""), nil
						}
						if id == "small" {
							return respond(200, typeJSON, `{"jsonrpc":"2.0","id":9999,"result":{}}`), nil
						}
						body, out := io.Pipe()
						go func() {
							defer out.Close()
							_, _ = io.WriteString(out, map[string]string{typeStream: "data: "}[kind]+`{"jsonrpc":"2.0","id":`+id+`,"result":"`)
							if _, err := out.Write(filling); err != nil {
								return
							}
							grown.Add(1)
							select {
							case <-end:
							case <-req.Context().Done():
							}
							_, _ = io.WriteString(out, `"}`+map[string]string{typeStream: "\n\n"}[kind])
						}()
						resp := respond(200, kind, "")
						resp.Body = body
						return resp, nil
					})
					s.config.Limit = 4 * largeFrom // nothing has been sent yet
					for id := range many {
						out := modern(uint64(id+1), "tools/call")
						out.Name = strconv.Itoa(id + 1)
						post(t, s, out)
						synctest.Wait()
					}
					if n := grown.Load(); int(n) != tt.atOnce {
						t.Errorf("%d answers have grown to %d bytes, want %d", n, len(filling), tt.atOnce)
					}
					small := modern(9999, "tools/call")
					small.Name = "small"
					post(t, s, small)
					if got := r.next(t); got.Origin != 9999 {
						t.Errorf("got %.100v, want the small answer", got)
					}
					s.Abandon(1)            // has room
					s.Abandon(uint64(many)) // waits for it
					synctest.Wait()
					if n := grown.Load(); int(n) != tt.atOnce+1 {
						t.Errorf("%d answers have grown after one was given up, want %d", n, tt.atOnce+1)
					}
					close(end)
					for range many - 2 {
						if got := r.next(t); got.Err != nil || len(got.Raw) < len(filling) {
							t.Fatalf("got error %v and %d bytes, want an answer", got.Err, len(got.Raw))
						}
					}
					synctest.Wait()
					if len(s.rooms.medium) != 0 || len(s.rooms.large) != 0 {
						t.Errorf("%d and %d rooms are taken at the end, want none", len(s.rooms.medium), len(s.rooms.large))
					}
					s.Close()
					<-s.Done()
				})
			})
		}
	}
}

// Answers to a server that does not read them are bounded in bytes too; one there
// is always room for.
func TestStreamableNoticesAreBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := connectBubble(func(req *http.Request) (*http.Response, error) {
			if req.Method != http.MethodPost {
				return respond(405, "", ""), nil
			}
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		shakeHands(t, s, r)
		limit := s.config.Limit
		large := &Outgoing{Pieces: [][]byte{bytes.Repeat([]byte(" "), limit), []byte("{}")}}
		post(t, s, large)
		half := &Outgoing{Pieces: [][]byte{bytes.Repeat([]byte(" "), backlog/2)}}
		post(t, s, half)
		if err := s.Send(nil, half); !errors.Is(err, ErrCongested) {
			t.Errorf("got error %v, want %v", err, ErrCongested)
		}
		s.Close()
		<-s.Done()
		if s.noticeBytes != 0 {
			t.Errorf("%d bytes wait at the end", s.noticeBytes)
		}
	})
}

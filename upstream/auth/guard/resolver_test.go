package guard

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// names answers for a resolver. A name that has several answers gives them one
// after the other, and stays with the last.
type names struct {
	mu      sync.Mutex
	answers map[string][][]string
	asked   map[string]int
}

// resolveWith makes c resolve names by those alone.
func resolveWith(t *testing.T, c *Client, answers map[string][][]string) *names {
	t.Helper()
	n := &names{answers: answers, asked: make(map[string]int)}
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	c.resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		serving.Go(func() { n.serve(ours) })
		return theirs, nil
	}}
	return n
}

func (n *names) next(name string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.answers[name]
	if len(all) == 0 {
		return nil
	}
	// Each lookup asks twice, for IPv4 and for IPv6.
	turn := min(n.asked[name]/2, len(all)-1)
	n.asked[name]++
	return all[turn]
}

// serve answers queries as over TCP, each after its length (RFC 1035, 4.2.2).
func (n *names) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		answer := n.answer(query)
		answer = append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

func (n *names) answer(query []byte) []byte {
	const header = 12
	end := header
	var labels []string
	for query[end] != 0 {
		next := end + 1 + int(query[end])
		labels = append(labels, string(query[end+1:next]))
		end = next
	}
	kind := binary.BigEndian.Uint16(query[end+1:])
	end += 5
	var records []byte
	count := uint16(0)
	known := n.next(strings.Join(labels, "."))
	for _, text := range known {
		addr := netip.MustParseAddr(text)
		if addr.Is4() != (kind == 1) {
			continue
		}
		bytes := addr.AsSlice()
		records = append(records, 0xc0, header) // the name that was asked for
		records = binary.BigEndian.AppendUint16(records, kind)
		records = append(records, 0, 1, 0, 0, 0, 0, 0, byte(len(bytes)))
		records = append(records, bytes...)
		count++
	}
	status := uint16(0x8180)
	if known == nil {
		status |= 3 // no such name
	}
	answer := append([]byte{}, query[:2]...)
	for _, word := range []uint16{status, 1, count, 0, 0} {
		answer = binary.BigEndian.AppendUint16(answer, word)
	}
	return append(append(answer, query[header:end]...), records...)
}

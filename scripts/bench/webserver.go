package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// A webServer is that of all networks, in a process of its own.
type webServer struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
}

func startWeb(path string) (*webServer, error) {
	cmd := exec.Command(path)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &webServer{cmd: cmd, stdin: stdin}
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("reading where the server is: %w", err)
	}
	s.url = strings.TrimSpace(url)
	return s, nil
}

// stop ends the server, and all connections to it.
func (s *webServer) stop() {
	_ = s.stdin.Close()
	_ = s.cmd.Wait()
}

// SPDX-License-Identifier: MIT

// Command names lets twenty clients ask a server over three TCP connections: go run ./names
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"strings"
	"sync"
	"time"

	"libpool.example/go/pool"
)

const clients, connections = 20, 3

// A line is one connection: a line is sent, a line comes back.
type line struct {
	net.Conn
	answers *bufio.Reader
}

func (l *line) ask(question string) (string, error) {
	if _, err := fmt.Fprintln(l, question); err != nil {
		return "", err
	}
	answer, err := l.answers.ReadString('\n')
	return strings.TrimSpace(answer), err
}

func main() {
	address := serve()
	open := func(ctx context.Context) (*line, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		return &line{conn, bufio.NewReader(conn)}, nil
	}
	lines, err := pool.New(pool.Config{Name: "names", MaxOpen: connections}, open, pool.WithClose((*line).Close))
	if err != nil {
		log.Fatal(err)
	}
	defer lines.Close(context.Background())

	var group sync.WaitGroup
	for i := 0; i < clients; i++ {
		group.Add(1)
		go func(name string) {
			defer group.Done()
			if answer, err := greet(lines, name); err != nil || answer != "hello "+name {
				log.Fatal(answer, err)
			}
		}(fmt.Sprint("client ", i))
	}
	group.Wait()
	fmt.Printf("go: %d clients served by at most %d connections\n", clients, connections)
}

func greet(lines *pool.Pool[*line], name string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	lease, err := lines.Get(ctx)
	if err != nil {
		return "", err
	}
	defer lease.Release() // or lease.Discard(), if the connection is broken
	return lease.Conn().ask(name)
}

// The server answers each line with a greeting.
func serve() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				for names := bufio.NewScanner(conn); names.Scan(); {
					fmt.Fprintln(conn, "hello "+names.Text())
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// SPDX-License-Identifier: MIT

package pool_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"libpool.example/go/pool"
)

// A pool of TCP connections: at most two are open, whoever waits has half a second, and one that broke is discarded.
func Example() {
	address := echo()
	dialer := new(net.Dialer)
	open := func(ctx context.Context) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", address) }
	conns, err := pool.New(pool.Config{Name: "echo", MaxOpen: 2, GetTimeout: 500 * time.Millisecond}, open,
		pool.WithClose(net.Conn.Close))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conns.Close(context.Background())

	ask := func(ctx context.Context, question string) (string, error) {
		lease, err := conns.Get(ctx)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(lease.Conn(), question)
		answer, err := bufio.NewReader(lease.Conn()).ReadString('\n')
		if err != nil {
			lease.Discard()
			return "", err
		}
		return answer, lease.Release()
	}
	for _, question := range []string{"who?", "when?", "why?"} {
		answer, err := ask(context.Background(), question)
		if errors.Is(err, pool.ErrTimeout) {
			fmt.Println("busy")
		} else if err != nil {
			fmt.Println(err)
		}
		fmt.Print(answer)
	}
	fmt.Println(conns.Stats().Opened, "opened")
	// Output:
	// who?
	// when?
	// why?
	// 1 opened
}

// A server that says what it is told.
func echo() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					fmt.Fprintln(conn, lines.Text())
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// SPDX-License-Identifier: MIT

// Fifty tenants share four connections to a server of this program's own: a group has a pool for each of them, and one
// budget for all: go run ./tenants
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"libpool.example/go/pool"
)

// A connection of a tenant.
type line struct {
	net.Conn
	in *bufio.Reader
}

// A real server would look for the tenant's database.
func serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			in := bufio.NewScanner(conn)
			in.Scan()
			for tenant := in.Text(); in.Scan(); {
				fmt.Fprintf(conn, "%s: %s\n", tenant, in.Text())
			}
		}()
	}
}

var open, most atomic.Int64

func dial(ctx context.Context, address, tenant string) (*line, error) {
	for now := open.Add(1); ; {
		before := most.Load()
		if now <= before || most.CompareAndSwap(before, now) {
			break
		}
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		open.Add(-1)
		return nil, err
	}
	_, err = fmt.Fprintln(conn, tenant)
	return &line{conn, bufio.NewReader(conn)}, err
}

func hangUp(l *line) error {
	defer open.Add(-1)
	return l.Close()
}

func greet(ctx context.Context, shop *pool.Group[string, *line], tenant string) error {
	lease, err := shop.Get(ctx, tenant)
	if err != nil {
		return err
	}
	defer lease.Release()
	if _, err = fmt.Fprintln(lease.Conn(), "hello"); err != nil {
		return err
	}
	answer, err := lease.Conn().in.ReadString('\n')
	if err == nil && answer != tenant+": hello\n" {
		err = fmt.Errorf("a wrong answer: %s", answer)
	}
	return err
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go serve(listener)

	shop, err := pool.NewGroup(pool.GroupConfig{
		Config:  pool.Config{Name: "shop", Budget: "process:shop?limit=4"},
		KeyIdle: 10 * time.Minute,
	}, func(ctx context.Context, tenant string) (*line, error) {
		return dial(ctx, listener.Addr().String(), tenant)
	}, pool.WithClose(hangUp))
	if err != nil {
		log.Fatal(err)
	}

	var visitors sync.WaitGroup
	for i := 0; i < 5; i++ {
		visitors.Add(1)
		go func(i int) {
			defer visitors.Done()
			for n := 0; n < 20; n++ {
				if err := greet(context.Background(), shop, fmt.Sprint("tenant", (10*i+n)%50)); err != nil {
					log.Fatal(err)
				}
			}
		}(i)
	}
	visitors.Wait()
	fmt.Printf("tenants: %d keys, at most %d connections\n", shop.Stats().Keys, most.Load())
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := shop.Close(ctx); err != nil {
		log.Fatal(err)
	}
}

// SPDX-License-Identifier: MIT

// Command app lends a connection twice.  It has C functions of its own, which are called like some inside the library.
package main

/*
int slots = 5;

int error_set(void)
{
  return slots + 2;
}
*/
import "C"

import (
	"context"
	"fmt"
	"log"
	"net"

	"libpool.example/go/pool"
)

func main() {
	same, err := lendTwice()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the same connection:", same, C.error_set())
}

func lendTwice() (same bool, err error) {
	open := func(context.Context) (net.Conn, error) {
		here, _ := net.Pipe()
		return here, nil
	}
	ctx := context.Background()
	p, err := pool.New(pool.Config{MaxOpen: 2}, open, pool.WithClose(net.Conn.Close))
	if err != nil {
		return false, err
	}
	defer p.Close(ctx)
	var conns [2]net.Conn
	for each := range conns {
		lease, err := p.Get(ctx)
		if err != nil {
			return false, err
		}
		conns[each] = lease.Conn()
		if err := lease.Release(); err != nil {
			return false, err
		}
	}
	return conns[0] == conns[1], nil
}

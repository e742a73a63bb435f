// SPDX-License-Identifier: MIT

// A server and a client of net/rpc in one program.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/rpc"

	"libpool.example/go/pool"
)

type Arith struct{}

type Factors struct{ A, B int }

func (Arith) Mul(factors Factors, product *int) error {
	*product = factors.A * factors.B
	return nil
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if err := rpc.Register(Arith{}); err != nil {
		log.Fatal(err)
	}
	go rpc.Accept(listener)
	if err := multiply(context.Background(), listener.Addr().String()); err != nil {
		log.Fatal(err)
	}
}

func multiply(ctx context.Context, address string) error {
	open := func(ctx context.Context) (*rpc.Client, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		return rpc.NewClient(conn), nil
	}
	clients, err := pool.New(pool.Config{MaxOpen: 20}, open, pool.WithClose((*rpc.Client).Close))
	if err != nil {
		return err
	}
	defer clients.Close(ctx)
	lease, err := clients.Get(ctx)
	if err != nil {
		return err
	}
	defer lease.Release()
	product := 0
	if err := lease.Conn().Call("Arith.Mul", Factors{7, 8}, &product); err != nil {
		return err
	}
	fmt.Printf("7 * 8 = %d\n", product)
	return nil
}

// SPDX-License-Identifier: MIT

// Command arith serves calls of net/rpc and makes some, in each of the ways that libpool has for them: go run .
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
)

// Arith is what the servers offer.
type Arith struct{}

// Factors are what it multiplies.
type Factors struct{ A, B int }

// Mul multiplies.
func (Arith) Mul(factors Factors, product *int) error {
	*product = factors.A * factors.B
	return nil
}

func main() {
	if err := rpc.Register(Arith{}); err != nil {
		log.Fatal(err)
	}
	plain := serve(rpc.ServeConn)
	json := serve(jsonrpc.ServeConn)
	ctx := context.Background()
	for _, way := range []struct {
		name string
		use  func() (int, error)
	}{
		{"clients", func() (int, error) { return useClients(ctx, plain) }},
		{"driver", func() (int, error) { return useDriver(ctx, json) }},
		{"rpcpool", func() (int, error) { return useAncestor(plain) }},
	} {
		product, err := way.use()
		if err != nil {
			log.Fatalf("%s: %v", way.name, err)
		}
		fmt.Printf("%s: 7 * 8 = %d\n", way.name, product)
	}
}

// Serves connections on a free port, whose address it returns.
func serve(conversation func(io.ReadWriteCloser)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				log.Fatal(err)
			}
			go conversation(conn)
		}
	}()
	return listener.Addr().String()
}

// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"sync"
	"time"

	"libpool.example/go/pool"
)

// Clients of net/rpc in a pool: many goroutines share three of them.
func useClients(ctx context.Context, address string) (product int, err error) {
	open := func(ctx context.Context) (*rpc.Client, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		return rpc.NewClient(conn), nil
	}
	say := func(level pool.LogLevel, line string) { log.Print(line) }
	clients, err := pool.New(pool.Config{MaxOpen: 3}, open, pool.WithClose((*rpc.Client).Close),
		pool.WithLog[*rpc.Client](say)) // of failed opens, leaks, ...
	if err != nil {
		return 0, err
	}
	defer clients.Close(ctx)

	multiply := func(ctx context.Context, product *int) error {
		lease, err := clients.Get(ctx)
		if err != nil {
			return err
		}
		defer lease.Release() // or lease.Discard(), if the connection is broken
		return lease.Conn().Call("Arith.Mul", Factors{7, 8}, product)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var group sync.WaitGroup
	results, errs := make([]int, 20), make([]error, 20)
	for each := range results {
		group.Add(1)
		go func(each int) {
			defer group.Done()
			errs[each] = multiply(ctx, &results[each])
		}(each)
	}
	group.Wait()
	for each, err := range errs {
		if err != nil || results[each] != results[0] {
			return 0, fmt.Errorf("call %d gives %d, %w", each, results[each], err)
		}
	}
	if opened := clients.Stats().Opened; opened > 3 {
		return 0, fmt.Errorf("%d connections", opened)
	}
	return results[0], nil
}

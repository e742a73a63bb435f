// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"time"

	"libpool.example/go/pool"
)

// The library's own driver opens the connections and makes the calls.
func useDriver(ctx context.Context, address string) (product int, err error) {
	servers, err := pool.OpenURL(pool.Config{CallTimeout: 10 * time.Second}, "jsonrpc://"+address+"?pool.max_open=5")
	if err != nil {
		return 0, err
	}
	defer servers.Close(ctx)

	lease, err := servers.Get(ctx)
	if err != nil {
		return 0, err
	}
	defer lease.Release()
	call := lease.Go("Arith.Mul", map[string]int{"A": 1, "B": 2}, nil, nil) // goes on while others are made
	if err := lease.Call(ctx, "Arith.Mul", Factors{7, 8}, &product); err != nil {
		return 0, err
	}
	<-call.Done
	return product, call.Error
}

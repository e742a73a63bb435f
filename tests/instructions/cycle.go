// SPDX-License-Identifier: MIT

// Gets a connection and releases it as many times as it is told: for a counter of instructions.
//
// usage: go TIMES
package main

import (
	"context"
	"os"
	"strconv"

	"libpool.example/go/pool"
)

func main() {
	times, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	open := func(context.Context) (int, error) { return 1, nil }
	p, err := pool.New(pool.Config{MaxOpen: 1}, open)
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	for ; times > 0; times-- {
		lease, err := p.Get(ctx)
		if err != nil {
			panic(err)
		}
		lease.Release()
	}
}

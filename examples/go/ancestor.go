// SPDX-License-Identifier: MIT

package main

import "net/rpc"
import pool "libpool.example/go/rpcpool" // was: "github.com/maxatome/pool"

// As programs for maxatome/pool have it.
func useAncestor(address string) (product int, err error) {
	p, err := pool.NewChannelPool(1, 5, func() (pool.RpcAble, error) { return rpc.Dial("tcp", address) })
	if err != nil {
		return 0, err
	}
	defer p.Close()

	client, err := p.Get()
	if err != nil {
		return 0, err
	}
	defer client.Close()
	err = client.Call("Arith.Mul", Factors{7, 8}, &product)
	return product, err
}

// SPDX-License-Identifier: MIT

//go:build maxatome

package main

import (
	"net/rpc"
	"runtime"
	"sync/atomic"

	"github.com/maxatome/pool"
)

func init() {
	peers = append(peers, contender{name: "maxatome", prepare: prepareMaxatome})
}

// A client that does nothing.
type client struct{ *rpc.Client }

func (client) Close() error { return nil }

func prepareMaxatome(c contest) shift {
	p, err := pool.NewChannelPool(c.connections, c.connections, func() (pool.RpcAble, error) { return client{}, nil })
	must(err)
	return func(stop *atomic.Bool) (mine tally) {
		for ; !stop.Load(); mine.done += batch {
			for i := 0; i < batch; i++ {
				client, err := p.Get()
				must(err)
				if c.yields {
					runtime.Gosched()
				}
				must(client.Close())
			}
		}
		return
	}
}

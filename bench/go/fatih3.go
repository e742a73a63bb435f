// SPDX-License-Identifier: MIT

//go:build fatih3

package main

import (
	"net"
	"runtime"
	"sync/atomic"

	"gopkg.in/fatih/pool.v3"
)

func init() {
	peers = append(peers, contender{name: "fatih_v3", prepare: prepareFatih3})
}

func prepareFatih3(c contest) shift {
	p, err := pool.NewChannelPool(c.connections, c.connections, func() (net.Conn, error) { return new(connection), nil })
	must(err)
	return func(stop *atomic.Bool) (mine tally) {
		for ; !stop.Load(); mine.done += batch {
			for i := 0; i < batch; i++ {
				conn, err := p.Get()
				must(err)
				if c.yields {
					runtime.Gosched()
				}
				must(conn.Close())
			}
		}
		return
	}
}

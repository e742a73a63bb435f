// SPDX-License-Identifier: MIT

//go:build silenceper

package main

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/silenceper/pool"
)

func init() {
	peers = append(peers, contender{name: "silenceper", prepare: prepareSilenceper})
}

func prepareSilenceper(c contest) shift {
	p, err := pool.NewChannelPool(&pool.Config{
		InitialCap:  c.connections,
		MaxIdle:     c.connections,
		MaxCap:      c.connections,
		Factory:     func() (interface{}, error) { return new(connection), nil },
		Close:       func(conn interface{}) error { return conn.(*connection).Close() },
		IdleTimeout: time.Hour,
	})
	must(err)
	return func(stop *atomic.Bool) (done int64) {
		for ; !stop.Load(); done += batch {
			for i := 0; i < batch; i++ {
				conn, err := p.Get()
				must(err)
				if c.yields {
					runtime.Gosched()
				}
				must(p.Put(conn))
			}
		}
		return
	}
}

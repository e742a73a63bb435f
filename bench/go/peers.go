// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"log"
	"net"
	"runtime"
	"sync/atomic"

	"github.com/jackc/puddle/v2"
	fatih "gopkg.in/fatih/pool.v2"
	"libpool.example/go/pool"
)

// Each contender has its loop written out, so that all are called as a program calls them.

// A connection that does nothing.
type connection struct{ net.Conn }

func (*connection) Close() error { return nil }

const puddleV2 = "puddle_v2"

var libpool = contender{name: "libpool", prepare: prepareLibpool, share: shareLibpool, capped: true}

// Those that are built in, puddle first; a tagged file adds one where it could be had.
var peers = []contender{
	{name: puddleV2, prepare: preparePuddle, share: sharePuddle, capped: true},
	{name: "fatih_v2", prepare: prepareFatih},
	{name: "channel", prepare: prepareChannel, share: shareChannel, capped: true},
}

func prepareLibpool(c contest) shift {
	open := func(context.Context) (*connection, error) { return new(connection), nil }
	p, err := pool.New(pool.Config{Initial: c.connections, MaxOpen: c.connections}, open)
	must(err)
	return func(stop *atomic.Bool) (mine tally) {
		ctx := context.Background()
		for ; !stop.Load(); mine.done += batch {
			for i := 0; i < batch; i++ {
				lease, err := p.Get(ctx)
				must(err)
				if c.yields {
					runtime.Gosched()
				}
				must(lease.Release())
			}
		}
		return
	}
}

func preparePuddle(c contest) shift {
	p, err := puddle.NewPool(&puddle.Config[*connection]{
		Constructor: func(context.Context) (*connection, error) { return new(connection), nil },
		Destructor:  func(*connection) {},
		MaxSize:     int32(c.connections),
	})
	must(err)
	for i := 0; i < c.connections; i++ {
		must(p.CreateResource(context.Background()))
	}
	return func(stop *atomic.Bool) (mine tally) {
		ctx := context.Background()
		for ; !stop.Load(); mine.done += batch {
			for i := 0; i < batch; i++ {
				resource, err := p.Acquire(ctx)
				must(err)
				if c.yields {
					runtime.Gosched()
				}
				resource.Release()
			}
		}
		return
	}
}

func prepareFatih(c contest) shift {
	p, err := fatih.NewChannelPool(c.connections, c.connections, func() (net.Conn, error) { return new(connection), nil })
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

func prepareChannel(c contest) shift {
	free := filled(c.connections)
	return func(stop *atomic.Bool) (mine tally) {
		for ; !stop.Load(); mine.done += batch {
			for i := 0; i < batch; i++ {
				conn := <-free
				if c.yields {
					runtime.Gosched()
				}
				free <- conn
			}
		}
		return
	}
}

func filled(connections int) chan *connection {
	free := make(chan *connection, connections)
	for i := 0; i < connections; i++ {
		free <- new(connection)
	}
	return free
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

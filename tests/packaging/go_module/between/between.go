// SPDX-License-Identifier: MIT

// Package between is what somebody else made with pools.
package between

import (
	"context"
	"net"
	"net/rpc"

	"libpool.example/go/pool"
)

// Clients are clients of one server.
type Clients struct{ pool *pool.Pool[*rpc.Client] }

// New makes a pool of clients.
func New(server *rpc.Server) (*Clients, error) {
	open := func(context.Context) (*rpc.Client, error) {
		here, there := net.Pipe()
		go server.ServeConn(there)
		return rpc.NewClient(here), nil
	}
	p, err := pool.New(pool.Config{MaxOpen: 2}, open, pool.WithClose((*rpc.Client).Close))
	return &Clients{p}, err
}

// Call calls a method through any of the clients.
func (c *Clients) Call(ctx context.Context, method string, args, reply any) error {
	lease, err := c.pool.Get(ctx)
	if err != nil {
		return err
	}
	defer lease.Release()
	return lease.Conn().Call(method, args, reply)
}

// SPDX-License-Identifier: MIT

package rpcpool

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/rpc"
	"sync/atomic"
	"time"

	"libpool.example/go/pool"
)

// A client that is in the pool.
type client struct {
	RpcAble
	opened  time.Time
	failure atomic.Pointer[error] // how its closing went
	gone    atomic.Bool           // its transport is
}

func (c *client) close() error {
	err := c.RpcAble.Close()
	if err != nil {
		c.failure.Store(&err)
	}
	return err
}

// Looks at the error of a call, and returns it.
func (c *client) see(err error) error {
	if isOfTransport(err) {
		c.gone.Store(true)
	}
	return err
}

// Whether a call that ended so has lost its connection.  What the server answered shows that it is there.
func isOfTransport(err error) bool {
	var answer rpc.ServerError
	if err == nil || errors.As(err, &answer) {
		return false
	}
	for _, gone := range []error{rpc.ErrShutdown, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed} {
		if errors.Is(err, gone) {
			return true
		}
	}
	var network net.Error
	return errors.As(err, &network)
}

// Starts a call of a client of net/rpc.  refused: the transport was gone before, so nothing was sent.  Such a call ends
// with ErrShutdown before Go returns; later that error may also be of a call that was sent.
func (c *client) start(method string, args, reply interface{}) (call *rpc.Call, refused bool) {
	call = c.RpcAble.Go(method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		call.Done <- call // for those who wait for it
		return call, call.Error == rpc.ErrShutdown
	default:
		return call, false
	}
}

// Waits for a call.
func (c *client) finish(call *rpc.Call) error {
	return c.see((<-call.Done).Error)
}

// Where Go puts a call that is done, as net/rpc chooses it.
func roomFor(done chan *rpc.Call) chan *rpc.Call {
	const room = 10
	if done == nil {
		return make(chan *rpc.Call, room)
	}
	if cap(done) == 0 {
		log.Panic("rpc: done channel is unbuffered")
	}
	return done
}

// As with net/rpc it is the caller's affair that there is room.
func tell(call *rpc.Call) {
	select {
	case call.Done <- call:
	default:
	}
}

// Lends a client whose transport is not known to be gone.
func lend(clients *pool.Pool[*client]) (pool.Lease[*client], error) {
	for {
		lease, err := clients.Get(context.Background())
		if err != nil || !lease.Conn().gone.Load() {
			return lease, err
		}
		_ = lease.Discard()
	}
}

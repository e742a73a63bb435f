// SPDX-License-Identifier: MIT

package rpcpool

import (
	"errors"
	"net/rpc"
	"sync"
	"sync/atomic"
	"time"

	"libpool.example/go/pool"
)

// What all copies of a PoolRconn share.
type handle struct {
	clients   *pool.Pool[*client]
	lent      RpcAble // what Get returned with it
	unusable  atomic.Bool
	replacing sync.Mutex // held by who replaces the client
	mutex     sync.Mutex // guards the following
	lease     pool.Lease[*client]
	client    *client
	over      bool // it was given back
}

func newHandle(clients *pool.Pool[*client], lease pool.Lease[*client]) *handle {
	client := lease.Conn()
	return &handle{clients: clients, lent: client.RpcAble, lease: lease, client: client}
}

// The client that calls go through; nil after the handle was given back.
func (h *handle) current() *client {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.over {
		return nil
	}
	return h.client
}

// Looks at the error of a call, and returns it.
func (h *handle) see(err error) error {
	if client := h.current(); client != nil {
		return client.see(err)
	}
	return err
}

// Starts a call.  Where the transport was gone before, nothing was sent, so it is started anew through another client.
// One that was opened for that and refuses as well has the last word.
func (h *handle) start(method string, args, reply interface{}) (*client, *rpc.Call, error) {
	var refusedAt time.Time
	for {
		asked := h.current()
		if asked == nil {
			return nil, nil, errReturned
		}
		call, refused := asked.start(method, args, reply)
		if !refused || (!refusedAt.IsZero() && asked.opened.After(refusedAt)) {
			return asked, call, nil
		}
		if refusedAt.IsZero() {
			refusedAt = time.Now()
		}
		if err := h.replace(asked); err != nil {
			return nil, nil, err
		}
	}
}

// Lends another client in place of one that is gone, unless another call has done so.
func (h *handle) replace(gone *client) error {
	h.replacing.Lock()
	defer h.replacing.Unlock()
	if h.current() != gone {
		return nil
	}
	gone.gone.Store(true)
	_ = h.leaseNow().Discard()
	lease, err := lend(h.clients)
	if err = cause(err); err == ErrClosed {
		return rpc.ErrShutdown // as without a pool
	} else if err != nil {
		return err
	}
	return h.adopt(lease)
}

func (h *handle) leaseNow() pool.Lease[*client] {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.lease
}

// The handle may have been given back meanwhile.
func (h *handle) adopt(lease pool.Lease[*client]) error {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.over {
		_ = lease.Release()
		return errReturned
	}
	h.lease, h.client = lease, lease.Conn()
	return nil
}

// Gives the client back, or closes it.
func (h *handle) giveBack() error {
	h.mutex.Lock()
	over := h.over
	h.over = true
	h.mutex.Unlock()
	if over {
		return errReturned
	}
	end := h.lease.Release
	if h.unusable.Load() || h.client.gone.Load() {
		end = h.lease.Discard
	}
	// A lease may have ended because its client was gone; then no other could be had.
	if err := end(); err != nil && !errors.Is(err, pool.ErrStale) {
		return err
	}
	if failure := h.client.failure.Load(); failure != nil && h.unusable.Load() {
		return *failure
	}
	return nil
}

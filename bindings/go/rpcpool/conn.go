// SPDX-License-Identifier: MIT

package rpcpool

import (
	"errors"
	"net/rpc"
	"sync/atomic"

	"libpool.example/go/pool"
)

// RpcAble is what a client can do; *rpc.Client of net/rpc can.
type RpcAble interface {
	Call(serviceMethod string, args interface{}, reply interface{}) error
	Go(serviceMethod string, args interface{}, reply interface{}, done chan *rpc.Call) *rpc.Call
	Close() error
}

// PoolRconn is what Get returns: a client whose Close gives it back to the pool.
type PoolRconn struct {
	RpcAble
	handle   *handle // nil: it is the user's own, and of no pool
	unusable bool    // the same for that
}

// What all copies of a PoolRconn share.
type handle struct {
	lease    pool.Lease[*client]
	client   *client
	unusable atomic.Bool
}

var (
	errNone     = errors.New("rconn is nil. rejecting")
	errReturned = errors.New("rconn was given back already")
)

// Why the client must not be used, or nil.
func (p PoolRconn) barred() error {
	switch {
	case p.RpcAble == nil:
		return errNone
	case p.handle != nil && !p.handle.lease.Valid():
		return errReturned
	}
	return nil
}

// Call calls a method of the server and waits for its reply.
func (p PoolRconn) Call(serviceMethod string, args interface{}, reply interface{}) error {
	if err := p.barred(); err != nil {
		return err
	}
	return p.RpcAble.Call(serviceMethod, args, reply)
}

// Go starts a call; done receives it when it is over, and is made if it is nil.  The client may be given back before
// that, for net/rpc keeps the calls of one client apart.
func (p PoolRconn) Go(serviceMethod string, args interface{}, reply interface{}, done chan *rpc.Call) *rpc.Call {
	err := p.barred()
	if err == nil {
		return p.RpcAble.Go(serviceMethod, args, reply, done)
	}
	if done == nil {
		done = make(chan *rpc.Call, 1)
	}
	call := &rpc.Call{ServiceMethod: serviceMethod, Args: args, Reply: reply, Error: err, Done: done}
	select {
	case done <- call:
	default: // as with net/rpc, it is the caller's affair that there is room
	}
	return call
}

// Close gives the client back, or closes it if it is unusable or the pool is closed; then it returns the error of
// that.  To close twice is an error, and nothing is touched.
func (p PoolRconn) Close() error {
	if p.handle == nil {
		return p.closeOwn()
	}
	end := p.handle.lease.Release
	if p.handle.unusable.Load() {
		end = p.handle.lease.Discard
	}
	if err := end(); errors.Is(err, pool.ErrStale) {
		return errReturned
	} else if err != nil {
		return err
	}
	if failure := p.handle.client.failure.Load(); failure != nil {
		return *failure
	}
	return nil
}

func (p PoolRconn) closeOwn() error {
	switch {
	case p.RpcAble != nil:
		return p.RpcAble.Close()
	case p.unusable:
		return nil
	}
	return errNone
}

// MarkUnusable lets Close close the client instead of giving it back.
func (p *PoolRconn) MarkUnusable() {
	if p.handle == nil {
		p.unusable = true
		return
	}
	p.handle.unusable.Store(true)
}

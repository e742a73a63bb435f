// SPDX-License-Identifier: MIT

package rpcpool

import (
	"errors"
	"net/rpc"
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

var (
	errNone     = errors.New("rconn is nil. rejecting")
	errReturned = errors.New("rconn was given back already")
)

// Why the client must not be used, or nil.
func (p PoolRconn) barred() error {
	switch {
	case p.RpcAble == nil:
		return errNone
	case p.handle != nil && p.handle.current() == nil:
		return errReturned
	}
	return nil
}

// Call calls a method of the server and waits for its reply.  If the connection was lost before the call was made, it is
// made through another client of the pool.  One that was lost during the call fails it: the server may have done it.
// That goes for clients of net/rpc; of those of other kinds the call fails, and the client is not lent again.
func (p PoolRconn) Call(serviceMethod string, args interface{}, reply interface{}) error {
	if err := p.barred(); err != nil {
		return err
	}
	if p.handle == nil {
		return p.RpcAble.Call(serviceMethod, args, reply)
	}
	if !p.isPlain() {
		return p.handle.see(p.RpcAble.Call(serviceMethod, args, reply))
	}
	asked, call, err := p.handle.start(serviceMethod, args, reply)
	if err != nil {
		return err
	}
	return asked.finish(call)
}

// Whether it is known when the client refuses a call: it is one of net/rpc, and still that which Get returned.
func (p PoolRconn) isPlain() bool {
	_, is := p.RpcAble.(*rpc.Client)
	return is && p.RpcAble == p.handle.lent
}

// Go starts a call; done receives it when it is over, and is made if it is nil.  The client may be given back before
// that, for net/rpc keeps the calls of one client apart.
func (p PoolRconn) Go(serviceMethod string, args interface{}, reply interface{}, done chan *rpc.Call) *rpc.Call {
	if p.handle == nil && p.RpcAble != nil {
		return p.RpcAble.Go(serviceMethod, args, reply, done)
	}
	call := &rpc.Call{ServiceMethod: serviceMethod, Args: args, Reply: reply, Done: roomFor(done)}
	asked, started, err := p.start(serviceMethod, args, reply)
	if err != nil {
		call.Error = err
		tell(call)
		return call
	}
	go func() {
		call.Error = asked.finish(started)
		tell(call)
	}()
	return call
}

func (p PoolRconn) start(method string, args, reply interface{}) (*client, *rpc.Call, error) {
	if err := p.barred(); err != nil {
		return nil, nil, err
	}
	if p.isPlain() {
		return p.handle.start(method, args, reply)
	}
	asked := p.handle.current()
	if asked == nil {
		return nil, nil, errReturned
	}
	return asked, p.RpcAble.Go(method, args, reply, make(chan *rpc.Call, 1)), nil
}

// Close gives the client back, or closes it if it is unusable, its connection was lost or the pool is closed.  The error
// is that of closing one that was marked.  To close twice is an error, and nothing is touched.
func (p PoolRconn) Close() error {
	if p.handle == nil {
		return p.closeOwn()
	}
	return p.handle.giveBack()
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

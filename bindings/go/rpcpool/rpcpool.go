// SPDX-License-Identifier: MIT

// Package rpcpool is a pool of RPC clients with the interface of the package github.com/maxatome/pool, so that a program
// written for that changes its import line and nothing else:
//
//	import pool "libpool.example/go/rpcpool"
//
// It runs on package pool.  Where it differs from maxatome/pool, that was a fault:
//   - maxCap is a hard cap.  Get waits for a client to come back, for half a minute at most, where maxatome/pool opened as
//     many as there were callers.
//   - No client is lent to two users: closing a handle twice is an error, and a handle that was closed makes no calls.
//   - Get may be called while the pool is being closed.
//   - A client whose connection was lost is not lent again.
package rpcpool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"libpool.example/go/pool"
)

// ErrClosed is what Get returns after the pool was closed.
var ErrClosed = errors.New("pool is closed")

// Factory opens a client.
type Factory func() (RpcAble, error)

// Pool lends clients.
type Pool interface {
	// Get lends an idle client, or opens one, or waits for one to come back.  Its Close gives it back.
	Get() (RpcAble, error)

	// Close closes the idle clients, and each of the others when it comes back.  It does not wait for them.
	Close()

	// Len is how many clients are idle; 0 after Close.
	Len() int
}

type clientPool struct {
	clients *pool.Pool[*client]
}

// NewChannelPool makes a pool with initialCap clients open, and never more than maxCap.
func NewChannelPool(initialCap, maxCap int, factory Factory) (Pool, error) {
	if initialCap < 0 || maxCap <= 0 || initialCap > maxCap {
		return nil, errors.New("invalid capacity settings")
	}
	if factory == nil {
		return nil, errors.New("factory is nil")
	}
	first := new(filling)
	config := pool.Config{Name: "rpc", Initial: initialCap, MaxOpen: maxCap, FailFast: true}
	clients, err := pool.New(config, openWith(first.serial(factory)), pool.WithClose((*client).close))
	first.over.Store(true)
	if errors.Is(err, pool.ErrOpen) {
		return nil, fmt.Errorf("factory is not able to fill the pool: %s", cause(err))
	}
	if err != nil {
		return nil, err
	}
	return &clientPool{clients: clients}, nil
}

// The opening of the first clients: one after the other, and none after one has failed, as with maxatome/pool, whose users'
// factories may rely on that.
type filling struct {
	over  atomic.Bool
	mutex sync.Mutex // guards the following
	err   error
}

func (f *filling) serial(factory Factory) Factory {
	return func() (RpcAble, error) {
		if f.over.Load() {
			return factory()
		}
		f.mutex.Lock()
		defer f.mutex.Unlock()
		if f.err != nil {
			return nil, f.err
		}
		opened, err := factory()
		f.err = err
		return opened, err
	}
}

func openWith(factory Factory) func(context.Context) (*client, error) {
	return func(context.Context) (*client, error) {
		opened, err := factory()
		if err != nil {
			return nil, err
		}
		if opened == nil {
			return nil, errors.New("rconn is nil. rejecting")
		}
		return &client{RpcAble: opened, opened: time.Now()}, nil
	}
}

func (p *clientPool) Get() (RpcAble, error) {
	lease, err := lend(p.clients)
	if err != nil {
		return nil, cause(err)
	}
	return &PoolRconn{RpcAble: lease.Conn().RpcAble, handle: newHandle(p.clients, lease)}, nil
}

// The error as maxatome/pool's users know it: the factory's own, which may be that of another pool, or ErrClosed.
func cause(err error) error {
	failure, is := err.(*pool.Error)
	switch {
	case is && failure.Kind == pool.ErrClosed:
		return ErrClosed
	case is && failure.Kind == pool.ErrOpen && failure.Err != nil:
		return failure.Err
	}
	return err
}

func (p *clientPool) Close() {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.clients.Close(over) // who still has a client closes it by giving it back
}

func (p *clientPool) Len() int { return p.clients.Len() }

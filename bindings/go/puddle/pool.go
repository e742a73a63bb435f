// SPDX-License-Identifier: MIT

// Package puddle has the interface of github.com/jackc/puddle/v2 and runs on package pool.  So a program that uses
// puddle, or pgxpool which does, runs on libpool with two lines in its go.mod and none changed in its code:
//
//	replace github.com/jackc/puddle/v2 => /usr/local/share/pool/go/puddle
//	replace libpool.example/go => /usr/local/share/pool/go
//
// Where the two differ: MaxSize is a hard cap, so a resource that is being destroyed counts until its destructor
// returns.  A constructor that panics does so in the Acquire that wanted its resource.  The order of waiting is the
// library's, in which a goroutine that runs may overtake by a millisecond at most.
package puddle

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"libpool.example/go/pool"
)

// Constructor makes a resource.  The context has the values of the context of Acquire, and ends when the pool is closed,
// or when the construction takes longer than Settings.OpenTimeout.
type Constructor[T any] func(ctx context.Context) (res T, err error)

// Destructor ends the life of a resource; it runs in a goroutine of its own.
type Destructor[T any] func(res T)

// Config says what NewPool makes.
type Config[T any] struct {
	Constructor Constructor[T]
	Destructor  Destructor[T]
	MaxSize     int32 // this many resources at most
}

// ErrClosedPool is what Acquire and its like return when the pool is closed, also while they wait.
var ErrClosedPool = errors.New("closed pool")

// ErrNotAvailable says that no resource is idle, and for CreateResource that there are MaxSize of them already.
var ErrNotAvailable = errors.New("resource not available")

// Settings are what NewPool begins with: a name for reports, leak reports, whatever package pool has beside what puddle
// knows.  MaxOpen is Config.MaxSize, and without a GetTimeout the contexts alone limit how long an Acquire takes.  It is
// to be set before the first NewPool.
var Settings pool.Config

// Pool lends resources of one kind.  All its methods may be called by any goroutine at any time.
type Pool[T any] struct {
	pool        *pool.Pool[*Resource[T]]
	constructor Constructor[T]
	maxSize     int32
	ends        context.Context // when the pool is closed
	end         context.CancelFunc
	closing     atomic.Bool
	once        sync.Once // for Close
	counts      counts
}

// NewPool makes a pool without any resource.
func NewPool[T any](config *Config[T]) (*Pool[T], error) {
	if config.MaxSize < 1 {
		return nil, errors.New("MaxSize must be >= 1")
	}
	p := &Pool[T]{constructor: config.Constructor, maxSize: config.MaxSize}
	p.ends, p.end = context.WithCancel(context.Background())
	destructor := config.Destructor
	destroy := func(res *Resource[T]) error {
		if !p.letGo(res) {
			destructor(res.value)
		}
		return nil
	}
	var err error
	if p.pool, err = pool.New(settingsFor(config.MaxSize), p.construct, pool.WithClose(destroy)); err != nil {
		return nil, err
	}
	return p, nil
}

// Package pool knows no larger cap, and no process can have as many connections.
const mostOpen = 1<<20 - 8

func settingsFor(maxSize int32) pool.Config {
	settings := Settings
	settings.MaxOpen = int(maxSize)
	if maxSize > mostOpen {
		settings.MaxOpen = mostOpen
	}
	settings.FailFast, settings.CloseBehind = true, true
	if settings.Name == "" {
		settings.Name = "puddle"
	}
	if settings.GetTimeout == 0 {
		settings.GetTimeout = -1
	}
	return settings
}

// Close destroys all resources, those that are acquired when they are released, and returns when that is done.  A
// caller that waits for a resource, or comes later, gets ErrClosedPool.
func (p *Pool[T]) Close() {
	p.closing.Store(true)
	p.once.Do(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.pool.Close(over)
		p.end() // a constructor that gives up because of that is one of a closed pool
	})
	_ = p.pool.Close(context.Background())
}

// Reset destroys all resources, those that are acquired when they are released, and leaves the pool open.
func (p *Pool[T]) Reset() {
	p.pool.Flush()
}

// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"sync"
	"time"
)

// GroupConfig has the settings of a Group: those of the pool of each key, and its own.
type GroupConfig struct {
	Config // its Name is the group's, default "group"; the pool of a key is called NAME/KEY

	KeyIdle time.Duration // a key that has had no connection for this long is let go of; default 1 min, negative: never
	MaxKeys int           // at most this many keys at one time; default 10,000

	// Prepare says what is special to a key before its pool is made; nil: nothing is.  It may be called in vain.
	Prepare func(key string, config *Config) error
}

// Group has pools by key, for tenants, endpoints, or the databases of a server, which share one limit by Config.Budget.
//
// The pool of a key is made when the key is asked for first, and let go of when it has had no connection for a while.
// All methods may be called by any goroutine at any time.  A group that is not closed is never collected.
type Group[K ~string, C any] struct {
	handle  *groupHandle
	config  GroupConfig
	open    func(context.Context, K) (C, error)
	options []Option[C]
	keeper  keeper
	bell    bell
	mutex   sync.RWMutex // guards the following
	pools   map[K]*Pool[C]
	keyed   map[uintptr]keyed[K, C] // by the addresses that the library has for them
}

// A pool and its key.
type keyed[K ~string, C any] struct {
	key  K
	pool *Pool[C]
}

// GroupStats is what a group has and has done.
type GroupStats struct {
	Keys    int   // that have a pool now
	Made    int64 // pools, since the group began
	LetGo   int64 // of these
	Refused int64 // gets that GroupConfig.MaxKeys refused
	Open    int   // connections of all pools together, and so on
	Idle    int
	Leased  int
	Waiting int // gets in the queues of all pools
}

// NewGroup makes a group, without any pool.  The function opens a connection of a key, as that of New; the options are those
// of each pool.  Config.Initial must be 0.
func NewGroup[K ~string, C any](config GroupConfig, open func(ctx context.Context, key K) (C, error), options ...Option[C]) (*Group[K, C], error) {
	if open == nil {
		return nil, &Error{Kind: ErrInvalid, Message: "open is nil"}
	}
	config.Config = config.Config.apart()
	g := &Group[K, C]{config: config, open: open, options: options, pools: map[K]*Pool[C]{},
		keyed: map[uintptr]keyed[K, C]{}}
	like, settings, err := prepare(config.Config, g.opener(""), options)
	if err != nil {
		return nil, err
	}
	defer settings.free()
	if g.handle, err = newGroupHandle(settings, like.abilities(), &config); err != nil {
		return nil, err
	}
	g.bell.listen(g.handle.bell, g.tend, true)
	return g, nil
}

func (g *Group[K, C]) opener(key K) func(context.Context) (C, error) {
	return func(ctx context.Context) (C, error) { return g.open(ctx, key) }
}

// Get lends a connection of the key, as Pool.Get.  The pool of the key is made if there is none.
func (g *Group[K, C]) Get(ctx context.Context, key K) (Lease[C], error) {
	return g.get(key, func(p *Pool[C]) (Lease[C], error) { return p.Get(ctx) })
}

// TryGet is a Get that does not wait for others, as Pool.TryGet.
func (g *Group[K, C]) TryGet(ctx context.Context, key K) (Lease[C], error) {
	return g.get(key, func(p *Pool[C]) (Lease[C], error) { return p.TryGet(ctx) })
}

// A pool that is closed when a get comes to it was let go of meanwhile: then the key has another.
func (g *Group[K, C]) get(key K, from func(*Pool[C]) (Lease[C], error)) (Lease[C], error) {
	p, err := g.Pool(key)
	for err == nil {
		lease, failed := from(p)
		if failure, is := failed.(*Error); !is || failure.Kind != ErrClosed {
			return lease, failed
		}
		stale := p
		if p, err = g.make(key, stale); p == stale {
			return lease, failed
		}
	}
	return Lease[C]{}, err
}

// Pool is the pool of a key, to look at it or to steer it; it is made if there is none.  It is closed when its key is let go
// of, and the group then has another; to close it ends the key.
func (g *Group[K, C]) Pool(key K) (*Pool[C], error) {
	g.mutex.RLock()
	p := g.pools[key]
	g.mutex.RUnlock()
	if p != nil && !p.closed.Load() {
		return p, nil
	}
	return g.make(key, p)
}

// The pool of a key, where the group knows none but this one, which is closed.
func (g *Group[K, C]) make(key K, stale *Pool[C]) (*Pool[C], error) {
	config := g.config.Config
	if g.config.Prepare != nil {
		config = config.apart()
		if err := g.config.Prepare(string(key), &config); err != nil {
			return nil, err
		}
	}
	p, err := g.makeLocked(key, stale, config)
	g.tend()
	return p, err
}

func (g *Group[K, C]) makeLocked(key K, stale *Pool[C], config Config) (*Pool[C], error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if found := g.pools[key]; found != nil && found != stale && !found.closed.Load() {
		return found, nil
	}
	fresh, settings, err := prepare(config, g.opener(key), g.options)
	if err != nil {
		return nil, err
	}
	defer settings.free()
	if fresh.handle, err = g.handle.pool(string(key), settings); err != nil {
		return nil, err
	}
	if known, is := g.keyed[fresh.handle.address]; is {
		return known.pool, nil // it is open after all
	}
	fresh.keyed = true
	fresh.equip(settings, config.OpenTimeout)
	g.keyed[fresh.handle.address] = keyed[K, C]{key, fresh}
	g.pools[key] = fresh
	fresh.tend()
	return fresh, nil
}

// Does what the library tells, and sees to it that it is asked again in time.
func (g *Group[K, C]) tend() {
	for {
		what, address, due := g.handle.next()
		switch what {
		case newsGone:
			if p := g.forget(address); p != nil {
				_ = p.Close(ended)
			}
		case newsSteered:
			if p := g.known(address); p != nil {
				p.attend()
			}
		default:
			g.keeper.set(time.Duration(due), g.tend)
			return
		}
	}
}

// A context that is over.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func (g *Group[K, C]) known(address uintptr) *Pool[C] {
	g.mutex.RLock()
	defer g.mutex.RUnlock()
	return g.keyed[address].pool
}

func (g *Group[K, C]) forget(address uintptr) *Pool[C] {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	gone := g.keyed[address]
	delete(g.keyed, address)
	if gone.pool != nil && g.pools[gone.key] == gone.pool {
		delete(g.pools, gone.key)
	}
	return gone.pool
}

// Keys are those that have a pool, in no order.
func (g *Group[K, C]) Keys() []K {
	g.tend()
	g.mutex.RLock()
	defer g.mutex.RUnlock()
	keys := make([]K, 0, len(g.pools))
	for key := range g.pools {
		keys = append(keys, key)
	}
	return keys
}

// Stats counts.  It asks each pool, so it takes as long as there are keys.
func (g *Group[K, C]) Stats() GroupStats { return g.handle.stats() }

// Close closes the pools of all keys, side by side, as Pool.Close does, and makes no other: from now on each ask for a key
// fails with ErrClosed.  It may be called again, also to go on waiting.
func (g *Group[K, C]) Close(ctx context.Context) error {
	if ctx == nil {
		return &Error{Kind: ErrInvalid, Message: "ctx is nil"}
	}
	g.handle.close()
	g.keeper.stop()
	g.bell.end()
	g.mutex.RLock()
	pools := make([]*Pool[C], 0, len(g.keyed))
	for _, each := range g.keyed {
		pools = append(pools, each.pool)
	}
	g.mutex.RUnlock()
	return closeAll(ctx, pools)
}

// The error of one of those that have connections still.
func closeAll[C any](ctx context.Context, pools []*Pool[C]) error {
	failures := make(chan error, len(pools))
	for _, p := range pools {
		go func(p *Pool[C]) { failures <- p.Close(ctx) }(p)
	}
	var failed error
	for range pools {
		if err := <-failures; err != nil {
			failed = err
		}
	}
	return failed
}

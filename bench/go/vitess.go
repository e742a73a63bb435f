// SPDX-License-Identifier: MIT

//go:build vitess

package main

import (
	"context"
	"runtime"
	"sync/atomic"

	"vitess.io/vitess/go/pools/smartconnpool"
)

func init() {
	peers = append(peers, contender{name: "vitess", prepare: prepareVitess, share: shareVitess, capped: true})
}

// A connection that does nothing, with what vitess asks of one.
type session struct{ isClosed bool }

func (*session) ApplySetting(context.Context, *smartconnpool.Setting) error { return nil }
func (*session) ResetSetting(context.Context) error                         { return nil }
func (*session) Setting() *smartconnpool.Setting                            { return nil }
func (s *session) IsClosed() bool                                           { return s.isClosed }
func (s *session) Close()                                                   { s.isClosed = true }

func newVitess(connections int) *smartconnpool.ConnPool[*session] {
	p := smartconnpool.NewPool(&smartconnpool.Config[*session]{Capacity: int64(connections)})
	return p.Open(func(context.Context) (*session, error) { return new(session), nil }, nil)
}

func prepareVitess(c contest) shift {
	p := newVitess(c.connections)
	return func(stop *atomic.Bool) (mine tally) {
		ctx := context.Background()
		for ; !stop.Load(); mine.done += batch {
			for i := 0; i < batch; i++ {
				conn, err := p.Get(ctx, nil)
				must(err)
				if c.yields {
					runtime.Gosched()
				}
				conn.Recycle()
			}
		}
		return
	}
}

func shareVitess(c contest) shift {
	p := newVitess(c.connections)
	get := func() *smartconnpool.Pooled[*session] {
		conn, err := p.Get(context.Background(), nil)
		must(err)
		return conn
	}
	return use(c, get, (*smartconnpool.Pooled[*session]).Recycle)
}

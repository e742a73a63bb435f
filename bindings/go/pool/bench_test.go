// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"libpool.example/go/pool"
)

func BenchmarkGetRelease(b *testing.B) {
	p := fixedPool(b, 8)
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		lease, _ := p.Get(ctx)
		lease.Release()
	}
}

// With the place in the program noted that gets.
func BenchmarkGetReleaseNoted(b *testing.B) {
	p, err := pool.New(pool.Config{MaxOpen: 8, LeakAfter: time.Hour}, new(factory).open)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close(context.Background()) })
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		lease, _ := p.Get(context.Background())
		lease.Release()
	}
}

// The counts of a pool whose connections were all lent before.
func BenchmarkStats(b *testing.B) {
	p := fixedPool(b, 8)
	leases := make([]pool.Lease[*connection], 8)
	for i := range leases {
		leases[i] = get(b, p)
	}
	for _, lease := range leases {
		release(b, lease)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		p.Stats()
	}
}

func BenchmarkGetReleaseParallel(b *testing.B) {
	p := fixedPool(b, 8)
	b.RunParallel(func(each *testing.PB) {
		ctx := context.Background()
		for each.Next() {
			lease, _ := p.Get(ctx)
			lease.Release()
		}
	})
}

// Four goroutines, one connection, and the processor given up inside.
func BenchmarkContended(b *testing.B) {
	p := fixedPool(b, 1)
	b.SetParallelism(4 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(each *testing.PB) {
		ctx := context.Background()
		for each.Next() {
			lease, err := p.Get(ctx)
			if err != nil {
				b.Fatal(err)
			}
			runtime.Gosched()
			lease.Release()
		}
	})
}

// What a channel does in the same place.
func BenchmarkChannel(b *testing.B) {
	free := make(chan *connection, 8)
	for i := 0; i < 8; i++ {
		free <- new(connection)
	}
	for i := 0; i < b.N; i++ {
		conn := <-free
		free <- conn
	}
}

func BenchmarkChannelContended(b *testing.B) {
	free := make(chan *connection, 1)
	free <- new(connection)
	b.SetParallelism(4 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(each *testing.PB) {
		for each.Next() {
			conn := <-free
			runtime.Gosched()
			free <- conn
		}
	})
}

func fixedPool(b *testing.B, size int) *pool.Pool[*connection] {
	p, err := pool.New(pool.Config{MaxOpen: size}, new(factory).open)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close(context.Background()) })
	return p
}

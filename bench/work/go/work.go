// SPDX-License-Identifier: MIT

// Command work measures real work in Go: many goroutines share few connections of PostgreSQL and of Redis, lent by libpool
// and by the pools that Go programs use.  bench/work/run starts the servers and says what a line of the output is.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/puddle/v2"
	"github.com/redis/go-redis/v9"
	"libpool.example/go/pool"
)

const (
	goroutines  = 64
	connections = 8
)

// One lends a connection, asks the server by it and takes it back.
type contender struct {
	name string
	use  func(context.Context) error
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: work ROUNDS ROUND_MS")
	}
	rounds, err := strconv.Atoi(os.Args[1])
	must(err)
	ms, err := strconv.Atoi(os.Args[2])
	must(err)
	ctx := context.Background()
	length := time.Duration(ms) * time.Millisecond
	compete("PostgreSQL", rounds, length, []contender{postgresByLibpool(), postgresByPgxpool(ctx), postgresByPuddle()})
	compete("Redis", rounds, length, []contender{redisByLibpool(), redisByItself()})
}

// ---- PostgreSQL; where it is stands in the environment ----

func selectOne(ctx context.Context, conn *pgx.Conn) error {
	var one int
	return conn.QueryRow(ctx, "SELECT 1").Scan(&one)
}

func connect(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, "dbname=postgres") }

func postgresByLibpool() contender {
	closed := pool.WithClose(func(conn *pgx.Conn) error { return conn.Close(context.Background()) })
	p, err := pool.New(pool.Config{MaxOpen: connections}, connect, closed)
	must(err)
	return contender{"libpool", func(ctx context.Context) error {
		lease, err := p.Get(ctx)
		if err != nil {
			return err
		}
		defer lease.Release()
		return selectOne(ctx, lease.Conn())
	}}
}

func postgresByPgxpool(ctx context.Context) contender {
	p, err := pgxpool.New(ctx, fmt.Sprintf("dbname=postgres pool_max_conns=%d", connections))
	must(err)
	return contender{"pgxpool", func(ctx context.Context) error {
		var one int
		return p.QueryRow(ctx, "SELECT 1").Scan(&one)
	}}
}

func postgresByPuddle() contender {
	p, err := puddle.NewPool(&puddle.Config[*pgx.Conn]{
		Constructor: connect,
		Destructor:  func(conn *pgx.Conn) { conn.Close(context.Background()) },
		MaxSize:     connections,
	})
	must(err)
	return contender{"puddle", func(ctx context.Context) error {
		resource, err := p.Acquire(ctx)
		if err != nil {
			return err
		}
		defer resource.Release()
		return selectOne(ctx, resource.Value())
	}}
}

// ---- Redis ----

func client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + os.Getenv("REDIS_PORT"), PoolSize: connections,
		PoolTimeout: time.Minute})
}

// A Conn of go-redis keeps one connection of its client.
func redisByLibpool() contender {
	all := client()
	p, err := pool.New(pool.Config{MaxOpen: connections}, func(context.Context) (*redis.Conn, error) { return all.Conn(), nil })
	must(err)
	return contender{"libpool", func(ctx context.Context) error {
		lease, err := p.Get(ctx)
		if err != nil {
			return err
		}
		defer lease.Release()
		return lease.Conn().Ping(ctx).Err()
	}}
}

func redisByItself() contender {
	all := client()
	return contender{"go-redis", func(ctx context.Context) error { return all.Ping(ctx).Err() }}
}

// ---- rounds ----

func compete(server string, rounds int, length time.Duration, contenders []contender) {
	for round := -1; round < rounds; round++ { // the first warms up
		for _, each := range contenders {
			times, took := work(each, length)
			if round >= 0 {
				tell(server, each.name, times, took)
			}
		}
	}
}

func work(c contender, length time.Duration) (times []time.Duration, took time.Duration) {
	var stop atomic.Bool
	var group sync.WaitGroup
	var all [goroutines][]time.Duration
	began := time.Now()
	for i := range all {
		group.Add(1)
		go func(mine *[]time.Duration) {
			defer group.Done()
			for ctx := context.Background(); !stop.Load(); {
				asked := time.Now()
				must(c.use(ctx))
				*mine = append(*mine, time.Since(asked))
			}
		}(&all[i])
	}
	time.Sleep(length)
	stop.Store(true)
	group.Wait()
	took = time.Since(began)
	for _, each := range all {
		times = append(times, each...)
	}
	return times, took
}

func tell(server, name string, times []time.Duration, took time.Duration) {
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	fmt.Printf("%s\t%s\t%d", server, name, took.Nanoseconds()/int64(len(times)))
	for _, thousandths := range []int{500, 990, 999, 1000} {
		fmt.Printf("\t%d", times[(len(times)-1)*thousandths/1000].Nanoseconds())
	}
	fmt.Println()
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// SPDX-License-Identifier: MIT

// Command member is a process of a fleet in Go: member HOST PORT USER BUDGET.  It obeys as member.c does, with one pool,
// and no forks.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"libpool.example/go/pool"
)

// A session of PostgreSQL, whose user is trusted.
type session struct {
	net.Conn
}

// What the server answers, up to its word that it is ready for the next.
func (s session) answer() error {
	var head [5]byte
	for head[0] != 'Z' {
		if _, err := io.ReadFull(s, head[:]); err != nil {
			return err
		}
		text := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(s, text); err != nil {
			return err
		}
		if head[0] == 'E' {
			return fmt.Errorf("the server says: %q", text)
		}
	}
	return nil
}

func (s session) send(kind string, text string) error {
	size := binary.BigEndian.AppendUint32(nil, uint32(len(text)+4))
	if _, err := io.WriteString(s, kind+string(size)+text); err != nil {
		return err
	}
	return s.answer()
}

func open(ctx context.Context, address, user string) (session, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return session{}, err
	}
	s := session{conn}
	if err := s.send("", "\x00\x03\x00\x00user\x00"+user+"\x00database\x00postgres\x00\x00"); err != nil {
		conn.Close()
		return session{}, err
	}
	return s, nil
}

// So many goroutines use the pool as its test wants.
type users struct {
	pool            *pool.Pool[session]
	lock            sync.Mutex
	changed         *sync.Cond
	wanted, started int
}

func (u *users) run(index int) {
	for {
		u.lock.Lock()
		for index >= u.wanted {
			u.changed.Wait()
		}
		u.lock.Unlock()
		u.use()
	}
}

func (u *users) use() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	lease, err := u.pool.Get(ctx)
	if err != nil {
		return
	}
	if lease.Conn().send("Q", "select pg_sleep(0.1)\x00") != nil {
		lease.Discard()
		return
	}
	lease.Release()
}

func (u *users) set(count int) {
	u.lock.Lock()
	defer u.lock.Unlock()
	u.wanted = count
	for ; u.started < count; u.started++ {
		go u.run(u.started)
	}
	u.changed.Broadcast()
}

func (u *users) obey(line string) {
	var index, count int
	if strings.HasPrefix(line, "stats") {
		stats := u.pool.Stats()
		fmt.Println(stats.Open, stats.BudgetGranted, stats.BudgetShare, stats.BudgetCutOff, stats.BudgetLimit)
	} else if _, err := fmt.Sscanf(line, "users %d %d", &index, &count); err == nil {
		u.set(count)
		fmt.Println("done")
	}
}

func main() {
	address, user, budget := net.JoinHostPort(os.Args[1], os.Args[2]), os.Args[3], os.Args[4]
	p, err := pool.New(pool.Config{MaxOpen: 48, Budget: budget},
		func(ctx context.Context) (session, error) { return open(ctx, address, user) }, pool.WithClose(session.Close))
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	u := &users{pool: p}
	u.changed = sync.NewCond(&u.lock)
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		u.obey(lines.Text())
	}
	u.set(0)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = p.Close(ctx)
}

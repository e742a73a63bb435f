// SPDX-License-Identifier: MIT

package rpcpool_test

import (
	"errors"
	"net"
	"net/rpc"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clients "libpool.example/go/pool"
	pool "libpool.example/go/rpcpool"
)

// Arith is what the server of these tests does.
type Arith struct {
	proceed chan struct{}
	waiting *atomic.Int64 // how many Waits have begun
}

type Factors struct{ A, B int }

func (a *Arith) Mul(factors *Factors, product *int) error {
	*product = factors.A * factors.B
	return nil
}

func (a *Arith) Fail(*Factors, *int) error { return errors.New("will not") }

func (a *Arith) Wait(factors *Factors, product *int) error {
	a.waiting.Add(1)
	<-a.proceed
	return a.Mul(factors, product)
}

// A real server of net/rpc, which counts its connections.
type server struct {
	address        string
	proceed        chan struct{}
	listener       net.Listener
	accepted, open atomic.Int64
	waiting        atomic.Int64
	mutex          sync.Mutex // guards the following
	conns          []net.Conn
}

// Cuts all connections that there are now, and returns how many.
func (s *server) cut() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	cut := s.conns
	s.conns = nil
	for _, conn := range cut {
		conn.Close()
	}
	return len(cut)
}

func (s *server) note(conn net.Conn) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.conns = append(s.conns, conn)
}

func serve(t testing.TB) *server {
	t.Helper()
	s := &server{proceed: make(chan struct{})}
	service := rpc.NewServer()
	if err := service.Register(&Arith{proceed: s.proceed, waiting: &s.waiting}); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listener = listener
	s.address = listener.Addr().String()
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.note(conn) // before it counts, so that all that are counted can be cut
			s.accepted.Add(1)
			s.open.Add(1)
			go func() {
				service.ServeConn(conn)
				s.open.Add(-1)
			}()
		}
	}()
	return s
}

func (s *server) dial() (pool.RpcAble, error) {
	return rpc.Dial("tcp", s.address)
}

func newPool(t testing.TB, initialCap, maxCap int) (pool.Pool, *server) {
	t.Helper()
	s := serve(t)
	p, err := pool.NewChannelPool(initialCap, maxCap, s.dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, s
}

func get(t testing.TB, p pool.Pool) pool.RpcAble {
	t.Helper()
	client, err := p.Get()
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func giveBack(t testing.TB, client pool.RpcAble) {
	t.Helper()
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
}

func multiply(t testing.TB, client pool.RpcAble, a, b int) {
	t.Helper()
	product := 0
	if err := client.Call("Arith.Mul", &Factors{a, b}, &product); err != nil || product != a*b {
		t.Errorf("%d * %d = %d, %v", a, b, product, err)
	}
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func TestCallsAreMadeOverFewConnections(t *testing.T) {
	p, s := newPool(t, 2, 5)
	if p.Len() != 2 {
		t.Errorf("%d idle", p.Len())
	}
	var group sync.WaitGroup
	for i := 0; i < 5; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for j := 0; j < 200; j++ {
				client := get(t, p)
				multiply(t, client, i, j)
				giveBack(t, client)
			}
		}(i)
	}
	group.Wait()
	if s.accepted.Load() > 5 || p.Len() > 5 {
		t.Errorf("%d connections, %d idle", s.accepted.Load(), p.Len())
	}
	client := get(t, p)
	err := client.Call("Arith.Fail", &Factors{}, new(int))
	if _, remote := err.(rpc.ServerError); !remote {
		t.Errorf("got %v", err)
	}
	giveBack(t, client)
}

func TestGoOutlivesTheHandle(t *testing.T) {
	p, s := newPool(t, 0, 1)
	client := get(t, p)
	product := 0
	call := client.Go("Arith.Wait", &Factors{7, 8}, &product, nil)
	giveBack(t, client)
	other := get(t, p)
	multiply(t, other, 3, 4)
	giveBack(t, other)
	close(s.proceed)
	if done := <-call.Done; done.Error != nil || product != 56 {
		t.Errorf("7 * 8 = %d, %v", product, done.Error)
	}
	if s.accepted.Load() != 1 {
		t.Errorf("%d connections", s.accepted.Load())
	}
}

func TestCapacitiesAndFactoriesAreChecked(t *testing.T) {
	s := serve(t)
	for _, caps := range [][2]int{{-1, 5}, {0, 0}, {0, -1}, {6, 5}} {
		_, err := pool.NewChannelPool(caps[0], caps[1], s.dial)
		if err == nil || err.Error() != "invalid capacity settings" {
			t.Errorf("%v: got %v", caps, err)
		}
	}
	if _, err := pool.NewChannelPool(1, 5, nil); err == nil {
		t.Error("no factory, no error")
	}
	count := 0
	refused := errors.New("refused")
	_, err := pool.NewChannelPool(3, 5, func() (pool.RpcAble, error) {
		if count++; count == 3 {
			return nil, refused
		}
		return s.dial()
	})
	if err == nil || err.Error() != "factory is not able to fill the pool: refused" {
		t.Errorf("got %v", err)
	}
	eventually(t, "those that were opened are closed", func() bool { return s.accepted.Load() == 2 && s.open.Load() == 0 })
	p, err := pool.NewChannelPool(0, 5, func() (pool.RpcAble, error) { return nil, refused })
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Get(); err != refused {
		t.Errorf("got %v", err)
	}
}

// Also while other clients are lent, and whatever it says.
func TestTheErrorOfAFactoryIsReturnedAtOnceAsItIs(t *testing.T) {
	var failure atomic.Pointer[error]
	s := serve(t)
	p, err := pool.NewChannelPool(1, 2, func() (pool.RpcAble, error) {
		if failed := failure.Load(); failed != nil {
			return nil, *failed
		}
		return s.dial()
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	lent := get(t, p)
	for _, failed := range []error{errors.New("refused"), &clients.Error{Kind: clients.ErrClosed}} {
		failed := failed
		failure.Store(&failed)
		if _, err := p.Get(); err != failed {
			t.Errorf("%v instead of %v", err, failed)
		}
	}
	giveBack(t, lent)
}

func TestWhatIsUnusableIsClosed(t *testing.T) {
	p, s := newPool(t, 2, 2)
	handle, is := get(t, p).(*pool.PoolRconn)
	if !is {
		t.Fatal("not a PoolRconn")
	}
	if _, is := handle.RpcAble.(*rpc.Client); !is {
		t.Errorf("behind it is %T", handle.RpcAble)
	}
	handle.MarkUnusable()
	giveBack(t, handle)
	if p.Len() != 1 {
		t.Errorf("%d idle", p.Len())
	}
	eventually(t, "one is closed", func() bool { return s.open.Load() == 1 })
}

func TestTheErrorOfAClosingIsReturned(t *testing.T) {
	p, _ := newPool(t, 0, 2)
	handle := get(t, p).(*pool.PoolRconn)
	handle.RpcAble.Close() // behind the pool's back
	handle.MarkUnusable()
	if err := handle.Close(); err != rpc.ErrShutdown {
		t.Errorf("got %v", err)
	}
}

func TestClosing(t *testing.T) {
	p, s := newPool(t, 3, 5)
	client := get(t, p)
	p.Close()
	p.Close()
	if p.Len() != 0 {
		t.Errorf("%d idle", p.Len())
	}
	if _, err := p.Get(); err != pool.ErrClosed || err.Error() != "pool is closed" {
		t.Errorf("got %v", err)
	}
	multiply(t, client, 5, 6)
	giveBack(t, client)
	eventually(t, "all are closed", func() bool { return s.accepted.Load() == 3 && s.open.Load() == 0 })
}

// The ancestor puts it into its channel twice, and two callers share it.
func TestAHandleThatIsClosedTwiceIsLentOnce(t *testing.T) {
	p, _ := newPool(t, 0, 5)
	handle := get(t, p).(*pool.PoolRconn)
	copied := *handle
	giveBack(t, handle)
	for _, err := range []error{handle.Close(), copied.Close(), handle.Call("Arith.Mul", &Factors{1, 2}, new(int)),
		(<-handle.Go("Arith.Mul", &Factors{1, 2}, new(int), nil).Done).Error} {
		if err == nil || !strings.Contains(err.Error(), "given back") {
			t.Errorf("got %v", err)
		}
	}
	first, second := get(t, p).(*pool.PoolRconn), get(t, p).(*pool.PoolRconn)
	if first.RpcAble == second.RpcAble {
		t.Error("two share one client")
	}
	if err := handle.Close(); err == nil {
		t.Error("a stale handle gave back somebody else's client")
	}
	giveBack(t, first)
	giveBack(t, second)
	if err := new(pool.PoolRconn).Close(); err == nil || err.Error() != "rconn is nil. rejecting" {
		t.Errorf("got %v", err)
	}
}

// The ancestor opens a hundred.
func TestMaxCapIsAHardCap(t *testing.T) {
	p, s := newPool(t, 0, 2)
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			client := get(t, p)
			multiply(t, client, i, i)
			giveBack(t, client)
		}(i)
	}
	group.Wait()
	if s.accepted.Load() > 2 {
		t.Errorf("%d connections", s.accepted.Load())
	}
}

// The ancestor calls a factory that is nil by then.
func TestGetMayMeetClose(t *testing.T) {
	s := serve(t)
	for round := 0; round < 300; round++ {
		p, err := pool.NewChannelPool(0, 2, s.dial)
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for i := 0; i < 4; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				client, err := p.Get()
				if err == nil {
					giveBack(t, client)
				} else if err != pool.ErrClosed {
					t.Errorf("got %v", err)
				}
			}()
		}
		p.Close()
		group.Wait()
	}
	eventually(t, "all are closed", func() bool { return s.open.Load() == 0 })
}

// Tests of programs make some by hand.
func TestAHandleOfNoPool(t *testing.T) {
	s := serve(t)
	client, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	own := &pool.PoolRconn{RpcAble: client}
	multiply(t, own, 7, 8)
	giveBack(t, own)
	eventually(t, "it is closed", func() bool { return s.open.Load() == 0 })
	none := new(pool.PoolRconn)
	if err := none.Call("Arith.Mul", &Factors{1, 2}, new(int)); err == nil {
		t.Error("no client, no error")
	}
	none.MarkUnusable()
	giveBack(t, none)
}

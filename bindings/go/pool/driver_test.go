// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// Arith is what the server of these tests does.
type Arith struct{ proceed chan struct{} }

type Factors struct{ A, B int }

func (a *Arith) Mul(factors *Factors, product *int) error {
	*product = factors.A * factors.B
	return nil
}

func (a *Arith) Fail(*Factors, *int) error { return errors.New("will not") }

func (a *Arith) Wait(factors *Factors, product *int) error {
	<-a.proceed
	return a.Mul(factors, product)
}

// A server on a free port that does with each connection what it is told.
type server struct {
	address string
	open    atomic.Int64
}

func listen(t testing.TB, serve func(net.Conn)) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{address: listener.Addr().String()}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.open.Add(1)
			go func() {
				defer s.open.Add(-1)
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return s
}

// A server of net/rpc/jsonrpc; Wait waits until proceed is closed.
func serveArith(t testing.TB) (s *server, proceed chan struct{}) {
	t.Helper()
	proceed = make(chan struct{})
	service := rpc.NewServer()
	if err := service.Register(&Arith{proceed: proceed}); err != nil {
		t.Fatal(err)
	}
	return listen(t, func(conn net.Conn) { service.ServeCodec(jsonrpc.NewServerCodec(conn)) }), proceed
}

func openDriver(t testing.TB, config pool.Config, address string) *pool.DriverPool {
	t.Helper()
	p, err := pool.OpenDriver(config, "jsonrpc", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(background, patience)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
		if stats := p.Stats(); stats.Open != 0 || stats.Leased != 0 || stats.Waiting != 0 {
			t.Errorf("the closed pool still has %+v", stats)
		}
	})
	return p
}

func TestURL(t *testing.T) {
	server, _ := serveArith(t)
	url := "jsonrpc://" + server.address + "?pool.max_open=1&pool.get_timeout_ms=300&max_reply_bytes=1000"
	p, err := pool.OpenURL(pool.Config{MaxOpen: 7}, url)
	succeed(t, err)
	lease := getDriver(t, p)
	multiplies(t, lease, 7, 8)
	if _, err := p.Get(background); !errors.Is(err, pool.ErrTimeout) {
		t.Error(err)
	}
	succeed(t, lease.Release())
	succeed(t, p.Close(background))
	for name, config := range map[string]pool.Config{
		"jsonrpc?": {}, "mine?": {Name: "mine"}, "the url?pool.name=the%20url&": {Name: "mine"}} {
		name, parameters, _ := strings.Cut(name, "?")
		p, err := pool.OpenURL(config, "jsonrpc://"+server.address+"?"+parameters)
		succeed(t, err)
		if text, err := p.Report(pool.Text); err != nil || !strings.HasPrefix(text, `pool "`+name+`"`) {
			t.Error(name, err, text)
		}
		succeed(t, p.Close(background))
	}
}

func TestWrongURLs(t *testing.T) {
	for url, message := range map[string]string{
		"":                                 "the URL is empty",
		"jsonrpc://a:1\x00":                "zero byte",
		"nowhere":                          "SCHEME:",
		"jsonrpc://a:99999":                "65535",
		"jsonrpc://a":                      "port is missing",
		"jsonrpc://a:1?pool.max_opne=1":    `"max_opne"; did you mean max_open?`,
		"jsonrpc://a:1?x=1":                "unknown option",
		"jsonrpc://a:1?pool.keeper=manual": "keeper is manual",
		"jsonrpc://u:zq@a:1":               "jsonrpc: ",
		"jsonrpc://u:zq@a:1?pool.queue=x":  `queue is "x"`,
		"jsonrcp://u:zq@a:1":               "no driver for the scheme 'jsonrcp' (did you mean 'jsonrpc'?)",
	} {
		kind := pool.ErrInvalid
		if strings.HasPrefix(url, "jsonrcp") {
			kind = pool.ErrDriver
		}
		_, err := pool.OpenURL(pool.Config{}, url)
		if !errors.Is(err, kind) || !strings.Contains(err.Error(), message) || strings.Contains(err.Error(), "zq") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func getDriver(t testing.TB, p *pool.DriverPool) pool.DriverLease {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	lease, err := p.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func succeed(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func multiplies(t testing.TB, lease pool.DriverLease, a, b int) {
	t.Helper()
	product := 0
	if err := lease.Call(background, "Arith.Mul", Factors{a, b}, &product); err != nil || product != a*b {
		t.Errorf("%d * %d = %d, %v", a, b, product, err)
	}
}

func TestADriverMakesCalls(t *testing.T) {
	s, _ := serveArith(t)
	p := openDriver(t, pool.Config{Name: "arith", Initial: 1, MaxOpen: 2}, s.address)
	lease := getDriver(t, p)
	multiplies(t, lease, 7, 8)
	succeed(t, lease.Call(background, "Arith.Mul", map[string]int{"A": 1, "B": 2}, nil))
	var raw json.RawMessage
	succeed(t, lease.Call(background, "Arith.Mul", json.RawMessage(`{"A":1000000007,"B":9}`), &raw))
	if string(raw) != "9000000063" {
		t.Errorf("got %s", raw)
	}
	succeed(t, lease.Release())
	if stats := p.Stats(); stats.Opened != 1 || stats.Lent != 1 || p.Len() != 1 {
		t.Errorf("%+v", stats)
	}
	text, err := p.Report(pool.Text)
	if err != nil || !strings.Contains(text, "arith") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestErrorsOfCallsNameThePoolAndTheSetting(t *testing.T) {
	s, proceed := serveArith(t)
	p := openDriver(t, pool.Config{Name: "prices", MaxOpen: 1, CallTimeout: 30 * time.Millisecond}, s.address)
	lease := getDriver(t, p)
	call := func(method string, args, reply any) error { return lease.Call(background, method, args, reply) }
	send := func(method string, args, reply any) error { return (<-lease.Go(method, args, reply, nil).Done).Error }
	for _, ask := range []func(method string, args, reply any) error{call, send} {
		says(t, ask("Arith.Fail", Factors{}, nil), "prices: .*: will not")
		says(t, ask("Arith.Mul", Factors{1, 2}, new(string)), "prices: the reply does not fit: .*")
		says(t, ask("", nil, nil), "prices: a method's name is empty.*")
		late := ask("Arith.Wait", Factors{1, 2}, nil)
		expect(t, late, pool.ErrTimeout)
		says(t, late, "prices: .*: call_timeout_ms is 30")
	}
	close(proceed)
	succeed(t, lease.Release())
	mustFailAs(t, call("Arith.Mul", nil, nil), pool.ErrStale, "prices: ")
}

func TestAServersErrorIsTheCallers(t *testing.T) {
	s, _ := serveArith(t)
	p := openDriver(t, pool.Config{MaxOpen: 1}, s.address)
	lease := getDriver(t, p)
	err := lease.Call(background, "Arith.Fail", Factors{}, nil)
	expect(t, err, pool.ErrRemote)
	var remote pool.RemoteError
	if !errors.As(err, &remote) || remote != "will not" {
		t.Errorf("got %v", err)
	}
	expect(t, lease.Call(background, "Nobody.Knows", nil, nil), pool.ErrRemote)
	multiplies(t, lease, 2, 3) // the connection is good
	text := ""
	expect(t, lease.Call(background, "Arith.Mul", Factors{1, 2}, &text), pool.ErrInvalid) // a number is no string
	expect(t, lease.Call(background, "Arith.Mul", make(chan int), nil), pool.ErrInvalid)
	expect(t, lease.Call(background, "", nil, nil), pool.ErrInvalid)
	expect(t, lease.Call(background, "Arith\x00Mul", nil, nil), pool.ErrInvalid)
	succeed(t, lease.Release())
}

func TestACallEndsWithItsContext(t *testing.T) {
	s, proceed := serveArith(t)
	p := openDriver(t, pool.Config{Name: "arith", MaxOpen: 1}, s.address)
	lease := getDriver(t, p)
	short, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	err := lease.Call(short, "Arith.Wait", Factors{1, 2}, nil)
	mustFailAs(t, err, pool.ErrTimeout, "arith: the call was given up")
	expect(t, err, context.DeadlineExceeded)
	cancelled, cancelNow := context.WithCancel(background)
	ended := make(chan error)
	go func() { ended <- lease.Call(cancelled, "Arith.Wait", Factors{3, 4}, nil) }()
	cancelNow()
	err = <-ended
	mustFailAs(t, err, pool.ErrCancelled, "arith: the call was given up")
	expect(t, err, context.Canceled)
	close(proceed)
	multiplies(t, lease, 5, 6)
	succeed(t, lease.Release())
}

func TestTheTimeoutOfCallsHolds(t *testing.T) {
	s, proceed := serveArith(t)
	p := openDriver(t, pool.Config{MaxOpen: 1, CallTimeout: 20 * time.Millisecond}, s.address)
	lease := getDriver(t, p)
	expect(t, lease.Call(background, "Arith.Wait", Factors{1, 2}, nil), pool.ErrTimeout)
	close(proceed)
	succeed(t, lease.Release())
}

func TestWhoWaitsForADriversConnection(t *testing.T) {
	s, _ := serveArith(t)
	p := openDriver(t, pool.Config{MaxOpen: 1}, s.address)
	lease := getDriver(t, p)
	short, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	_, err := p.Get(short)
	expect(t, err, pool.ErrTimeout)
	expect(t, err, context.DeadlineExceeded)
	cancelled, cancelNow := context.WithCancel(background)
	ended := make(chan error)
	go func() {
		_, err := p.Get(cancelled)
		ended <- err
	}()
	eventually(t, "it waits", func() bool { return p.Stats().Waiting == 1 })
	cancelNow()
	expect(t, <-ended, pool.ErrCancelled)
	_, err = p.Get(cancelled)
	expect(t, err, pool.ErrCancelled)
	go func() {
		next, err := p.Get(background)
		if err == nil {
			err = next.Release()
		}
		ended <- err
	}()
	eventually(t, "it waits", func() bool { return p.Stats().Waiting == 1 })
	succeed(t, lease.Release())
	succeed(t, <-ended)
	eventually(t, "it is idle", func() bool { return p.Len() == 1 })
}

// A context that ends in time without having said when, as those that join others do.
type silent struct{ context.Context }

func (silent) Deadline() (time.Time, bool) { return time.Time{}, false }

func TestADriversGetThatEndsByADeadlineWhichNobodyToldHasTimedOut(t *testing.T) {
	s, _ := serveArith(t)
	p := openDriver(t, pool.Config{MaxOpen: 1}, s.address)
	held := getDriver(t, p)
	for i := 1; i < 10; i++ {
		ctx, cancel := context.WithTimeout(background, time.Duration(i)*200*time.Microsecond)
		for _, each := range []context.Context{ctx, silent{ctx}} {
			_, err := p.Get(each)
			expect(t, err, pool.ErrTimeout)
		}
		cancel()
	}
	eventually(t, "all are counted", func() bool { return p.Stats().TimedOut == 18 && p.Stats().Cancelled == 0 })
	succeed(t, held.Release())
}

func TestADriverPoolIsControlled(t *testing.T) {
	s, _ := serveArith(t)
	p := openDriver(t, pool.Config{MaxOpen: 1, Initial: 1}, s.address)
	is := func(want int) func(int, error) {
		return func(count int, err error) {
			t.Helper()
			if err != nil || count != want {
				t.Errorf("got %v, %v; want %v", count, err, want)
			}
		}
	}
	lease, err := p.TryGet()
	succeed(t, err)
	_, err = p.TryGet()
	expect(t, err, pool.ErrTimeout)
	is(1)(p.Flush(), nil)
	is(1)(p.Pause())
	succeed(t, lease.Release())
	eventually(t, "it is closed", func() bool { return s.open.Load() == 0 })
	_, err = p.TryGet()
	expect(t, err, pool.ErrTimeout)
	is(0)(p.Resume())
	_, err = p.Resume()
	expect(t, err, pool.ErrInvalid)
	is(0)(p.Resize(2))
	_, err = p.Resize(-1)
	expect(t, err, pool.ErrInvalid)
	first, second := getDriver(t, p), getDriver(t, p)
	is(1)(p.Resize(1))
	succeed(t, first.Release())
	succeed(t, second.Release())
	eventually(t, "one is closed", func() bool { return s.open.Load() == 1 })
	succeed(t, p.Close(background))
	_, err = p.TryGet()
	expect(t, err, pool.ErrClosed)
	_, err = p.Pause()
	expect(t, err, pool.ErrClosed)
}

func TestADriversLeaseEndsOnce(t *testing.T) {
	s, _ := serveArith(t)
	p := openDriver(t, pool.Config{MaxOpen: 1}, s.address)
	old := getDriver(t, p)
	succeed(t, old.Release())
	fresh := getDriver(t, p)
	for _, each := range []pool.DriverLease{old, {}} {
		expect(t, each.Release(), pool.ErrStale)
		expect(t, each.Discard(), pool.ErrStale)
		expect(t, each.Call(background, "Arith.Mul", Factors{1, 2}, nil), pool.ErrStale)
		expect(t, (<-each.Go("Arith.Mul", Factors{1, 2}, nil, nil).Done).Error, pool.ErrStale)
	}
	multiplies(t, fresh, 7, 8)
	succeed(t, fresh.Discard())
	eventually(t, "it is closed", func() bool { return s.open.Load() == 0 })
}

func TestADriversLeasesAreListedWithTheirTags(t *testing.T) {
	s, _ := serveArith(t)
	p := openDriver(t, pool.Config{MaxOpen: 1}, s.address)
	lease := getDriver(t, p)
	succeed(t, lease.Tag("naïve"))
	if leases := p.Leases(); len(leases) != 1 || leases[0].Tag != "naïve" || leases[0].Connection != 1 {
		t.Errorf("%+v", leases)
	}
	succeed(t, lease.Tag(""))
	if leases := p.Leases(); len(leases) != 1 || leases[0].Tag != "" {
		t.Errorf("%+v", leases)
	}
	succeed(t, lease.Release())
	if leases := p.Leases(); len(leases) != 0 {
		t.Errorf("%+v", leases)
	}
	expect(t, lease.Tag("late"), pool.ErrStale)
}

func TestManyCallsAtOneTime(t *testing.T) {
	s, proceed := serveArith(t)
	p := openDriver(t, pool.Config{MaxOpen: 1}, s.address)
	lease := getDriver(t, p)
	done := make(chan *pool.Call, 100)
	products := make([]int, 100)
	for each := range products {
		lease.Go("Arith.Wait", Factors{each, each}, &products[each], done)
	}
	multiplies(t, lease, 3, 4) // overtakes them
	succeed(t, lease.Release())
	close(proceed)
	for range products {
		succeed(t, (<-done).Error)
	}
	for each, product := range products {
		if product != each*each {
			t.Errorf("%d * %d = %d", each, each, product)
		}
	}
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			lease, err := p.Get(background)
			if err != nil {
				t.Error(err)
				return
			}
			multiplies(t, lease, i, 2)
			if err := lease.Release(); err != nil {
				t.Error(err)
			}
		}(i)
	}
	within(t, patience, "all are served", &group)
}

func TestADriverPoolIsClosedDuringACall(t *testing.T) {
	s, proceed := serveArith(t)
	p := openDriver(t, pool.Config{MaxOpen: 1}, s.address)
	lease := getDriver(t, p)
	product := 0
	call := lease.Go("Arith.Wait", Factors{7, 8}, &product, nil)
	short, cancel := context.WithTimeout(background, 10*time.Millisecond)
	defer cancel()
	err := p.Close(short)
	expect(t, err, pool.ErrTimeout)
	if !strings.Contains(err.Error(), ": 1") {
		t.Errorf("got %v", err)
	}
	_, err = p.Get(background)
	expect(t, err, pool.ErrClosed)
	close(proceed)
	if succeed(t, (<-call.Done).Error); product != 56 {
		t.Errorf("7 * 8 = %d", product)
	}
	succeed(t, lease.Release())
	succeed(t, p.Close(background))
}

func TestAServerThatBreaksOff(t *testing.T) {
	garbage := listen(t, func(conn net.Conn) {
		io.ReadAtLeast(conn, make([]byte, 1), 1)
		io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
	})
	silent := listen(t, func(conn net.Conn) { io.ReadAtLeast(conn, make([]byte, 1), 1) })
	for _, s := range []*server{garbage, silent} {
		p := openDriver(t, pool.Config{MaxOpen: 1}, s.address)
		lease := getDriver(t, p)
		expect(t, lease.Call(background, "Arith.Mul", Factors{1, 2}, nil), pool.ErrBroken)
		expect(t, lease.Call(background, "Arith.Mul", Factors{1, 2}, nil), pool.ErrBroken)
		succeed(t, lease.Release())
		eventually(t, "it is closed", func() bool { return p.Stats().Open == 0 })
	}
}

func TestDriversAndAddressesAreChecked(t *testing.T) {
	_, err := pool.OpenDriver(pool.Config{}, "nobody", "127.0.0.1:1")
	expect(t, err, pool.ErrDriver)
	for _, address := range []string{"", "nowhere", "127.0.0.1:99999999", "127.0.0.1:1?mood=good", "unix:"} {
		if _, err := pool.OpenDriver(pool.Config{}, "jsonrpc", address); !errors.Is(err, pool.ErrInvalid) {
			t.Errorf("%q: got %v", address, err)
		}
	}
	_, err = pool.OpenDriver(pool.Config{}, "json\x00rpc", "127.0.0.1:1")
	expect(t, err, pool.ErrInvalid)
	_, err = pool.OpenDriver(pool.Config{MaxOpen: -1}, "jsonrpc", "127.0.0.1:1")
	expect(t, err, pool.ErrInvalid)
	// A port that nobody listens on.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	succeed(t, err)
	succeed(t, listener.Close())
	_, err = pool.OpenDriver(pool.Config{Initial: 1}, "jsonrpc", listener.Addr().String())
	expect(t, err, pool.ErrOpen)
	p := openDriver(t, pool.Config{}, listener.Addr().String())
	_, err = p.Get(background)
	expect(t, err, pool.ErrOpen)
	_, err = p.Get(nil) //nolint:staticcheck // on purpose
	expect(t, err, pool.ErrInvalid)
	expect(t, p.Close(nil), pool.ErrInvalid) //nolint:staticcheck // on purpose
}

// Replies may have methods that panic, or that end their goroutine.
type panicky struct{ ends bool }

func (p *panicky) UnmarshalJSON([]byte) error {
	if p.ends {
		runtime.Goexit()
	}
	panic("cannot read")
}

func TestAReplyThatPanicsIsAnError(t *testing.T) {
	s, _ := serveArith(t)
	p := openDriver(t, pool.Config{MaxOpen: 1}, s.address)
	lease := getDriver(t, p)
	for _, reply := range []*panicky{{}, {ends: true}} {
		if err := (<-lease.Go("Arith.Mul", Factors{1, 2}, reply, nil).Done).Error; err == nil {
			t.Error("no error")
		}
	}
	if value := recovered(func() { lease.Call(background, "Arith.Mul", Factors{1, 2}, new(panicky)) }); value != "cannot read" {
		t.Errorf("got %v", value)
	}
	multiplies(t, lease, 1, 2)
	succeed(t, lease.Release())
}

func recovered(function func()) (value any) {
	defer func() { value = recover() }()
	function()
	return nil
}

func TestAForgottenDriverPoolIsFreed(t *testing.T) {
	s, _ := serveArith(t)
	for i := 0; i < 3; i++ {
		p, err := pool.OpenDriver(pool.Config{Initial: 1}, "jsonrpc", s.address)
		succeed(t, err)
		multiplies(t, getDriver(t, p), 1, 2) // and the lease is forgotten, too
		lease := getDriver(t, p)
		succeed(t, lease.Release())
	}
	eventually(t, "all connections are closed", func() bool {
		runtime.GC()
		return s.open.Load() == 0
	})
}

func TestADriverPoolIsTracedAndNotesWhoGets(t *testing.T) {
	server, _ := serveArith(t)
	told := new(tracer)
	p := openDriver(t, pool.Config{Name: "prices", MaxOpen: 1, LeakAfter: time.Hour, Tracer: told}, server.address)
	succeed(t, p.With(background, func(lease pool.DriverLease) error {
		if list := p.Leases(); len(list) != 1 || !strings.HasPrefix(list[0].Tag, "pool/driver_test.go:") {
			t.Errorf("leases are %+v", list)
		}
		_, err := p.TryGet()
		expect(t, err, pool.ErrTimeout)
		return nil
	}))
	expect(t, p.With(background, func(pool.DriverLease) error { return pool.Broken(errHook) }), errHook)
	want := []string{"acquire of prices", "acquired nothing", "acquire of prices", "acquired late", "released",
		"acquire of prices", "acquired nothing", "discarded"}
	if len(told.notes) != len(want) {
		t.Fatalf("told was %q", told.notes)
	}
	for i := range want {
		if told.notes[i] != want[i] {
			t.Errorf("told was %q instead of %q", told.notes, want)
		}
	}
}

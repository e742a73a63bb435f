// SPDX-License-Identifier: MIT

package rpcpool_test

import (
	"errors"
	"net"
	"net/rpc"
	"sync"
	"testing"

	pool "libpool.example/go/rpcpool"
)

// Clients as they were dialled, to be looked at behind the pool's back.
type dialled struct {
	*server
	mutex   sync.Mutex
	clients []*rpc.Client
}

func (d *dialled) dial() (pool.RpcAble, error) {
	client, err := rpc.Dial("tcp", d.address)
	if err != nil {
		return nil, err
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.clients = append(d.clients, client)
	return client, nil
}

func (d *dialled) areAccepted(t *testing.T) {
	t.Helper()
	eventually(t, "all that were dialled are accepted", func() bool { return int(d.accepted.Load()) == len(d.clients) })
}

// Cuts all connections, and waits until the clients know.
func (d *dialled) cutAndNotice(t *testing.T) {
	t.Helper()
	d.areAccepted(t)
	d.cut()
	for _, client := range d.clients {
		eventually(t, "a client knows that its connection is cut", func() bool {
			return client.Call("Arith.Mul", &Factors{1, 1}, new(int)) == rpc.ErrShutdown
		})
	}
}

func newDialled(t *testing.T, initialCap, maxCap int) (pool.Pool, *dialled) {
	t.Helper()
	d := &dialled{server: serve(t)}
	p, err := pool.NewChannelPool(initialCap, maxCap, d.dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, d
}

func TestNoCallFailsThatBeginsAfterConnectionsWereCut(t *testing.T) {
	p, d := newDialled(t, 3, 3)
	for i := 0; i < 3; i++ {
		client := get(t, p)
		multiply(t, client, i, i)
		giveBack(t, client)
	}
	d.cutAndNotice(t)
	for i := 0; i < 50; i++ {
		client := get(t, p)
		multiply(t, client, i, 7)
		giveBack(t, client)
	}
	if d.accepted.Load() > 6 || p.Len() > 3 {
		t.Errorf("%d connections were opened, %d are idle", d.accepted.Load(), p.Len())
	}
}

// What Go starts is done through another client, too, and so is what is called with a handle from before.
func TestAHandleOutlivesItsConnection(t *testing.T) {
	p, d := newDialled(t, 0, 2)
	client := get(t, p)
	multiply(t, client, 1, 2)
	d.cutAndNotice(t)
	product := 0
	call := client.Go("Arith.Mul", &Factors{3, 4}, &product, nil)
	if done := <-call.Done; done != call || done.Error != nil || product != 12 {
		t.Errorf("3 * 4 = %d, %v", product, done.Error)
	}
	multiply(t, client, 5, 6)
	giveBack(t, client)
	if d.accepted.Load() != 2 || p.Len() != 1 {
		t.Errorf("%d connections were opened, %d are idle", d.accepted.Load(), p.Len())
	}
}

// Whether the server has done them nobody knows, so they are not made twice.
func TestCallsInFlightFailAndTheirClientsAreNotLentAgain(t *testing.T) {
	p, d := newDialled(t, 0, 3)
	calls := make([]*rpc.Call, 3)
	handles := make([]pool.RpcAble, 3)
	for i := range calls {
		handles[i] = get(t, p)
		calls[i] = handles[i].Go("Arith.Wait", &Factors{i, i}, new(int), make(chan *rpc.Call, 1))
	}
	giveBack(t, handles[0]) // before its call is over
	eventually(t, "all calls are at the server", func() bool { return d.waiting.Load() == 3 })
	d.cutAndNotice(t)
	for _, call := range calls {
		if done := <-call.Done; done.Error == nil {
			t.Error("a call succeeded whose connection was cut")
		}
	}
	giveBack(t, handles[1])
	giveBack(t, handles[2])
	for i := 0; i < 10; i++ {
		client := get(t, p)
		multiply(t, client, i, 2)
		giveBack(t, client)
	}
	close(d.proceed)
	if d.accepted.Load() != 4 || p.Len() != 1 {
		t.Errorf("%d connections were opened, %d are idle", d.accepted.Load(), p.Len())
	}
}

func TestAnErrorOfTheServerDropsNoClient(t *testing.T) {
	p, d := newDialled(t, 1, 1)
	for i := 0; i < 3; i++ {
		client := get(t, p)
		if err := client.Call("Arith.Fail", &Factors{}, new(int)); err != rpc.ServerError("will not") {
			t.Errorf("got %v", err)
		}
		if done := <-client.Go("Arith.Nothing", &Factors{}, new(int), nil).Done; done.Error == nil {
			t.Error("there is no such method, and no error")
		}
		giveBack(t, client)
	}
	if d.accepted.Load() != 1 || p.Len() != 1 {
		t.Errorf("%d connections were opened, %d are idle", d.accepted.Load(), p.Len())
	}
}

func TestAServerThatIsGoneIsSaid(t *testing.T) {
	p, d := newDialled(t, 1, 1)
	client := get(t, p)
	d.areAccepted(t)
	d.listener.Close()
	d.cutAndNotice(t)
	var refused *net.OpError
	if err := client.Call("Arith.Mul", &Factors{1, 2}, new(int)); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	giveBack(t, client)
	if err := client.Close(); err == nil {
		t.Error("it was given back twice, and no error")
	}
}

func TestACutConnectionOfAClosedPoolIsShutDown(t *testing.T) {
	p, d := newDialled(t, 1, 1)
	client := get(t, p)
	p.Close()
	d.cutAndNotice(t)
	if err := client.Call("Arith.Mul", &Factors{1, 2}, new(int)); err != rpc.ErrShutdown {
		t.Errorf("got %v", err)
	}
	giveBack(t, client)
}

// A client of another kind, of which nobody knows whether a call was sent: it fails once.
type wrapped struct{ pool.RpcAble }

func TestAClientOfAnotherKindFailsOnce(t *testing.T) {
	d := &dialled{server: serve(t)}
	p, err := pool.NewChannelPool(3, 3, func() (pool.RpcAble, error) {
		client, err := d.dial()
		return wrapped{client}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	d.cutAndNotice(t)
	failures := 0
	for i := 0; i < 20; i++ {
		client := get(t, p)
		if err := client.Call("Arith.Mul", &Factors{i, 2}, new(int)); err != nil {
			failures++
		}
		giveBack(t, client)
	}
	if failures != 3 {
		t.Errorf("%d of 20 calls failed after 3 connections were cut", failures)
	}
}

// SPDX-License-Identifier: MIT

package poolexpvar_test

import (
	"context"
	"encoding/json"
	"expvar"
	"testing"

	poolexpvar "libpool.example/go/expvar"
	"libpool.example/go/pool"
)

func newPool(t *testing.T, name string) *pool.Pool[*int] {
	t.Helper()
	p, err := pool.New(pool.Config{Name: name}, func(context.Context) (*int, error) { return new(int), nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

// What expvar shows.
func shown(t *testing.T) map[string]struct{ Open, Leased int } {
	t.Helper()
	var pools map[string]struct{ Open, Leased int }
	if err := json.Unmarshal([]byte(expvar.Get("libpool").String()), &pools); err != nil {
		t.Fatal(err)
	}
	return pools
}

func TestPoolsAreShownUntilTheyAreRemoved(t *testing.T) {
	prices, clients, again := newPool(t, "prices"), newPool(t, "others"), newPool(t, "prices")
	removePrices := poolexpvar.Publish(prices)
	defer poolexpvar.Publish(clients)()
	defer poolexpvar.Publish(again)()
	lease, err := prices.Get(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Release()
	if now := shown(t); len(now) != 3 || now["prices"].Leased != 1 || now["prices#2"].Open != 0 {
		t.Errorf("shown are %v", now)
	}
	removePrices()
	removePrices()
	if now := shown(t); len(now) != 2 || now["prices"].Open != 0 {
		t.Errorf("shown are %v", now)
	}
}

func TestAPoolThatIsCalledLikeTheSecondOfANameHidesNone(t *testing.T) {
	for _, name := range []string{"orders", "orders", "orders#2", "orders"} {
		defer poolexpvar.Publish(newPool(t, name))()
	}
	if now := shown(t); len(now) != 4 {
		t.Errorf("shown are %v", now)
	}
}

// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// A connection, and the key that it was opened for.
type keyedConnection struct {
	connection
	key string
}

type shop = pool.Group[string, *keyedConnection]

func newGroup(t *testing.T, config pool.GroupConfig, options ...pool.Option[*keyedConnection]) (*shop, *factory) {
	t.Helper()
	f := new(factory)
	config.Name = "shop"
	g, err := pool.NewGroup(config, func(ctx context.Context, key string) (*keyedConnection, error) {
		_, err := f.open(ctx)
		return &keyedConnection{key: key}, err
	}, append(options, pool.WithClose(func(c *keyedConnection) error { return f.close(&c.connection) }))...)
	succeed(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(background, patience)
		defer cancel()
		succeed(t, g.Close(ctx))
		if f.opened.Load() != f.closed.Load() {
			t.Errorf("%d opened, %d closed", f.opened.Load(), f.closed.Load())
		}
	})
	return g, f
}

func getOf(t *testing.T, g *shop, key string) pool.Lease[*keyedConnection] {
	t.Helper()
	lease, err := g.Get(background, key)
	succeed(t, err)
	if lease.Conn().key != key {
		t.Fatalf("%s is lent, not %s", lease.Conn().key, key)
	}
	return lease
}

func poolOf(t *testing.T, g *shop, key string) *pool.Pool[*keyedConnection] {
	t.Helper()
	p, err := g.Pool(key)
	succeed(t, err)
	return p
}

func mustFailAs(t *testing.T, err, kind error, text string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.HasPrefix(err.Error(), text) {
		t.Fatalf("it is %v, not %s", err, text)
	}
}

func TestEachKeyOfAGroupHasAPoolOfItsOwn(t *testing.T) {
	g, f := newGroup(t, pool.GroupConfig{})
	one, two := getOf(t, g, "one"), getOf(t, g, "two")
	if poolOf(t, g, "one") != poolOf(t, g, "one") || poolOf(t, g, "one").Name() != "shop/one" {
		t.Error("the key has no pool of its own")
	}
	want := pool.GroupStats{Keys: 2, Made: 2, Open: 2, Leased: 2}
	if stats := g.Stats(); stats != want {
		t.Error(stats)
	}
	succeed(t, one.Release())
	succeed(t, two.Release())
	again := getOf(t, g, "one")
	succeed(t, again.Release())
	keys := g.Keys()
	sort.Strings(keys)
	if f.opened.Load() != 2 || fmt.Sprint(keys) != "[one two]" {
		t.Error(f.opened.Load(), keys)
	}
	lease, err := g.TryGet(background, "a key\x00of any bytes\xff")
	succeed(t, err)
	succeed(t, lease.Release())
}

func TestErrorsOfAGroupNameTheKey(t *testing.T) {
	g, _ := newGroup(t, pool.GroupConfig{Config: pool.Config{MaxOpen: 1}, MaxKeys: 1})
	lease := getOf(t, g, "acme")
	_, err := g.TryGet(background, "acme")
	mustFailAs(t, err, pool.ErrTimeout, "shop/acme: ")
	_, err = g.Get(background, "other")
	mustFailAs(t, err, pool.ErrOverload, "shop/other: the group has max_keys, 1")
	if g.Stats().Refused != 1 {
		t.Error(g.Stats())
	}
	_, err = g.Pool("")
	mustFailAs(t, err, pool.ErrInvalid, "shop: a key has 1 to 255 bytes")
	succeed(t, lease.Release())
}

func TestWhatIsSetWrongForAGroupIsRefusedAtOnce(t *testing.T) {
	open := func(context.Context, string) (int, error) { return 0, nil }
	for text, config := range map[string]pool.GroupConfig{
		"max_keys is -1":      {MaxKeys: -1},
		"group: initial must": {Config: pool.Config{Name: "group", Initial: 1}},
		"max_open is -1":      {Config: pool.Config{MaxOpen: -1}},
		"check_after_ms":      {Config: pool.Config{CheckAfter: time.Second}},
		"a budget is a URL":   {Config: pool.Config{Budget: "nonsense"}},
	} {
		_, err := pool.NewGroup(config, open)
		if !errors.Is(err, pool.ErrInvalid) && !errors.Is(err, pool.ErrVtable) || !strings.Contains(err.Error(), text) {
			t.Error(text, err)
		}
	}
	_, err := pool.NewGroup[string, int](pool.GroupConfig{}, nil)
	mustFailAs(t, err, pool.ErrInvalid, "open is nil")
	_, err = pool.NewGroup(pool.GroupConfig{}, open, nil)
	mustFailAs(t, err, pool.ErrInvalid, "an option is nil")
	g, _ := newGroup(t, pool.GroupConfig{})
	mustFailAs(t, g.Close(nil), pool.ErrInvalid, "ctx is nil") //lint:ignore SA1012 it is what is tried
}

func TestPrepareSaysWhatIsSpecialToAKey(t *testing.T) {
	none := errors.New("no such tenant")
	g, _ := newGroup(t, pool.GroupConfig{Config: pool.Config{MaxOpen: 3}, Prepare: func(key string, config *pool.Config) error {
		switch key {
		case "small":
			config.MaxOpen = 1
		case "wrong":
			config.MinIdle = 4
		case "none":
			return none
		}
		return nil
	}})
	if small, large := poolOf(t, g, "small"), poolOf(t, g, "large"); small.Stats().MaxOpen != 1 || large.Stats().MaxOpen != 3 {
		t.Error(small.Stats().MaxOpen, large.Stats().MaxOpen)
	}
	_, err := g.Get(background, "wrong")
	mustFailAs(t, err, pool.ErrInvalid, "shop/wrong: min_idle is 4")
	if _, err = g.Get(background, "none"); err != none {
		t.Error(err)
	}
	if g.Stats().Keys != 2 {
		t.Error(g.Stats())
	}
}

func TestPrepareChangesTheSettingsOfNoOtherKey(t *testing.T) {
	given := map[string]string{"max_open": "3"}
	for _, settings := range []map[string]string{given, nil} {
		g, _ := newGroup(t, pool.GroupConfig{Config: pool.Config{Settings: settings}, Prepare: func(key string, config *pool.Config) error {
			if key != "any" {
				config.Settings["max_open"] = key
			}
			return nil
		}})
		var all sync.WaitGroup
		for size := 1; size <= 50; size++ {
			all.Add(1)
			go func(size int) { // their pools are prepared at one time
				defer all.Done()
				p, err := g.Pool(strconv.Itoa(size))
				if err != nil || p.Limits().MaxOpen != size {
					t.Error(size, p, err)
				}
			}(size)
		}
		all.Wait()
		given["max_open"] = "many" // a group has its settings as those were
		if is := poolOf(t, g, "any").Limits().MaxOpen; settings != nil && is != 3 {
			t.Error(is)
		}
	}
}

func TestKeysShareTheLimitOfTheirBudget(t *testing.T) {
	g, f := newGroup(t, pool.GroupConfig{Config: pool.Config{Budget: budgetOf(t, 3)}})
	var users sync.WaitGroup
	for user := 0; user < 16; user++ {
		users.Add(1)
		go func(user int) {
			defer users.Done()
			for turn := 0; turn < 50; turn++ {
				lease, err := g.Get(background, fmt.Sprint("key", (user+turn)%10))
				if err != nil {
					t.Error(err)
					return
				}
				lease.Conn().use(t)
				runtime.Gosched()
				if err := lease.Release(); err != nil {
					t.Error(err)
				}
			}
		}(user)
	}
	users.Wait()
	if most := f.most.Load(); most < 1 || most > 3 {
		t.Error(most)
	}
	if keys := g.Stats().Keys; keys != 10 {
		t.Error(keys)
	}
}

func TestAnIdleConnectionOfAnotherKeyIsClosedAtOnce(t *testing.T) {
	g, f := newGroup(t, pool.GroupConfig{Config: pool.Config{Budget: budgetOf(t, 1)}})
	one := getOf(t, g, "one")
	succeed(t, one.Release())
	two := getOf(t, g, "two")
	if open := poolOf(t, g, "one").Stats().Open; open != 0 || f.most.Load() != 1 {
		t.Error(open, f.most.Load())
	}
	come := make(chan error, 1)
	go func() {
		lease, err := g.Get(background, "three")
		if err == nil {
			err = lease.Release()
		}
		come <- err
	}()
	waits := poolOf(t, g, "three")
	eventually(t, "a waiter", func() bool { return waits.Stats().Waiting == 1 })
	succeed(t, two.Release())
	succeed(t, soon(t, "the permit of another key", come))
}

func TestAKeyWithoutConnectionsGoesAwayWithoutAnybodyAsking(t *testing.T) {
	g, _ := newGroup(t, pool.GroupConfig{KeyIdle: 20 * time.Millisecond})
	one := poolOf(t, g, "one")
	two := getOf(t, g, "two")
	eventually(t, "the end of a key", func() bool { return g.Stats().LetGo > 0 })
	_, err := one.Get(background)
	mustFailAs(t, err, pool.ErrClosed, "shop/one: ")
	if g.Stats().Keys != 1 || poolOf(t, g, "two").Stats().Leased != 1 {
		t.Error(g.Stats())
	}
	succeed(t, two.Discard())
	eventually(t, "the end of the other", func() bool { return g.Stats().Keys == 0 && len(g.Keys()) == 0 })
	lease := getOf(t, g, "one")
	if poolOf(t, g, "one") == one {
		t.Error("the pool of a key that was let go of is back")
	}
	succeed(t, lease.Release())
}

func TestTheClosingOfAPoolEndsItsKey(t *testing.T) {
	g, _ := newGroup(t, pool.GroupConfig{})
	lease := getOf(t, g, "one")
	p := poolOf(t, g, "one")
	ctx, cancel := context.WithCancel(background)
	cancel()
	mustFailAs(t, p.Close(ctx), pool.ErrCancelled, "shop/one: ")
	other := getOf(t, g, "one")
	if poolOf(t, g, "one") == p {
		t.Error("it is closed")
	}
	succeed(t, other.Release())
	succeed(t, lease.Release())
	drain(t, p)
}

func TestAGetRacesWithLettingGoAndNeverFails(t *testing.T) {
	g, _ := newGroup(t, pool.GroupConfig{KeyIdle: time.Millisecond})
	var users sync.WaitGroup
	for user := 0; user < 8; user++ {
		users.Add(1)
		go func(user int) {
			defer users.Done()
			for turn := 0; turn < 200 || g.Stats().LetGo < 50; turn++ {
				lease, err := g.Get(background, fmt.Sprint("key", user*turn%100))
				if err != nil {
					t.Error(err)
					return
				}
				lease.Conn().use(t)
				if err := lease.Discard(); err != nil {
					t.Error(err)
				}
			}
		}(user)
	}
	users.Wait()
	eventually(t, "the end of all keys", func() bool { return g.Stats().Keys == 0 })
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	succeed(t, err)
	return len(list)
}

func TestNothingIsLeftOfKeysThatPassThrough(t *testing.T) {
	g, _ := newGroup(t, pool.GroupConfig{Config: pool.Config{Budget: budgetOf(t, 2), IdleTimeout: time.Minute}, MaxKeys: 10})
	pass := func(from, count int) {
		for i := from; i < from+count; i++ {
			lease := getOf(t, g, fmt.Sprint("key", i))
			succeed(t, lease.Release())
		}
	}
	pass(0, 50)
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	pass(50, 1000)
	if now := descriptors(t); now > files+5 {
		t.Error(files, now)
	}
	eventually(t, "the end of goroutines", func() bool { return runtime.NumGoroutine() <= goroutines+5 })
	if stats := g.Stats(); stats.Keys > 10 || len(g.Keys()) != g.Stats().Keys {
		t.Error(stats)
	}
}

func TestAClosedGroupLendsNothing(t *testing.T) {
	g, _ := newGroup(t, pool.GroupConfig{})
	lease := getOf(t, g, "one")
	other := getOf(t, g, "two")
	succeed(t, other.Release())
	ctx, cancel := context.WithCancel(background)
	cancel()
	mustFailAs(t, g.Close(ctx), pool.ErrCancelled, "shop/one: the pool is closed, but connections are still lent or being opened: 1")
	for _, key := range []string{"one", "three"} {
		_, err := g.Get(background, key)
		mustFailAs(t, err, pool.ErrClosed, "shop/"+key+": the group is closed")
	}
	closed := make(chan error, 1)
	go func() { closed <- g.Close(background) }()
	succeed(t, lease.Release())
	succeed(t, soon(t, "the end of the group", closed))
}

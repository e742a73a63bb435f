// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// A member of a budget that its test alone has.  The factory is that of all its members, and counts what they have open.
func member(t *testing.T, f *factory, config pool.Config) *pool.Pool[*connection] {
	t.Helper()
	p, err := pool.New(config, f.open, pool.WithClose(f.close))
	succeed(t, err)
	t.Cleanup(func() { drain(t, p) })
	return p
}

func budgetOf(t *testing.T, limit int) string {
	number, _ := budgets.LoadOrStore(t, count.Add(1))
	t.Cleanup(func() { budgets.Delete(t) })
	return fmt.Sprintf("process:go-%d?limit=%d", number, limit)
}

var (
	budgets sync.Map // their numbers, by their tests
	count   atomic.Int64
)

// What became of a Get in a goroutine of its own.
type got struct {
	lease pool.Lease[*connection]
	err   error
}

func getBehind(ctx context.Context, p *pool.Pool[*connection]) <-chan got {
	come := make(chan got, 1)
	go func() {
		lease, err := p.Get(ctx)
		come <- got{lease, err}
	}()
	return come
}

// From now on the process has no descriptor to spare, until the function is called that this returns.
func takeDescriptors(t *testing.T) (giveBack func()) {
	t.Helper()
	var limit syscall.Rlimit
	succeed(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	succeed(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Max: limit.Max}))
	giveBack = func() { succeed(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) }
	t.Cleanup(giveBack)
	return
}

// What the budget allows is told by a descriptor.
func TestABudgetIsHeardOnceThereAreDescriptorsAgain(t *testing.T) {
	giveBack := takeDescriptors(t)
	config := pool.Config{Budget: budgetOf(t, 2), GetTimeout: -1}
	p, _ := newPool(t, config)
	g, _ := newGroup(t, pool.GroupConfig{Config: config})
	ended := make(chan error, 2)
	go func() { ended <- p.With(background, func(*connection) error { return nil }) }()
	go func() {
		lease, err := g.Get(background, "tenant")
		if err == nil {
			err = lease.Release()
		}
		ended <- err
	}()
	eventually(t, "both wait", func() bool { return p.Stats().Waiting == 1 && g.Stats().Waiting == 1 })
	giveBack()
	for i := 0; i < cap(ended); i++ {
		succeed(t, soon(t, "a connection", ended))
	}
}

func TestPoolsWithABudgetNeverHaveMoreOpenThanItsLimit(t *testing.T) {
	const users, turns = 30, 60
	f := new(factory)
	var group sync.WaitGroup
	for i := 0; i < 2; i++ {
		p := member(t, f, pool.Config{Budget: budgetOf(t, 2)})
		for user := 0; user < users; user++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for turn := 0; turn < turns; turn++ {
					lease, err := p.Get(background)
					if err != nil {
						t.Error(err)
						return
					}
					lease.Conn().use(t)
					if err := lease.Release(); err != nil {
						t.Error(err)
					}
				}
			}()
		}
	}
	within(t, patience, "all have had a connection", &group)
	if most := f.most.Load(); most > 2 || most < 1 {
		t.Errorf("%d were open at one time", most)
	}
}

func TestWhatIsIdleInOnePoolIsClosedForAnother(t *testing.T) {
	f := new(factory)
	one := member(t, f, pool.Config{Budget: budgetOf(t, 2)})
	two := member(t, f, pool.Config{Budget: budgetOf(t, 2)})
	leases := []pool.Lease[*connection]{get(t, one), get(t, one)}
	for _, lease := range leases {
		release(t, lease)
	}
	come := getBehind(background, two)
	came := soon(t, "an idle connection was closed for the get", come)
	succeed(t, came.err)
	if f.closed.Load() < 1 || f.most.Load() > 2 {
		t.Errorf("%d closed, at most %d open", f.closed.Load(), f.most.Load())
	}
	release(t, came.lease)
}

func TestAGetThatWaitsForAPermitOfAnotherPoolIsWoken(t *testing.T) {
	f := new(factory)
	one := member(t, f, pool.Config{Budget: budgetOf(t, 2)})
	two := member(t, f, pool.Config{Budget: budgetOf(t, 2), GetTimeout: -1}) // nothing but the bell wakes it
	first, second := get(t, one), get(t, one)
	come := getBehind(background, two)
	eventually(t, "the get waits", func() bool { return two.Stats().Waiting == 1 })
	release(t, first) // it is above its share and closes
	came := soon(t, "the get has the permit", come)
	succeed(t, came.err)
	if f.closed.Load() != 1 || one.Stats().BudgetShare != 1 || two.Stats().BudgetGranted != 1 {
		t.Errorf("%d closed, %+v", f.closed.Load(), one.Stats())
	}
	release(t, came.lease)
	release(t, second)
}

func TestAGetThatIsCancelledWantsNoPermitAnyMore(t *testing.T) {
	f := new(factory)
	one := member(t, f, pool.Config{Budget: budgetOf(t, 2)})
	two := member(t, f, pool.Config{Budget: budgetOf(t, 2), GetTimeout: -1})
	leases := []pool.Lease[*connection]{get(t, one), get(t, one)}
	ctx, cancel := context.WithCancel(background)
	come := getBehind(ctx, two)
	eventually(t, "its wish is known", func() bool { return one.Stats().BudgetShare == 1 })
	cancel()
	came := soon(t, "the get ends", come)
	expect(t, came.err, pool.ErrCancelled)
	for _, lease := range leases {
		release(t, lease)
	}
	first, second := get(t, one), get(t, one)
	release(t, first)
	release(t, second)
	if stats := two.Stats(); stats.Opened != 0 || stats.Waiting != 0 || f.most.Load() > 2 {
		t.Errorf("at most %d open, %+v", f.most.Load(), stats)
	}
}

func TestNewWaitsUntilTheBudgetAllowsItsFirstConnections(t *testing.T) {
	f := new(factory)
	one := member(t, f, pool.Config{Budget: budgetOf(t, 1)})
	lease := get(t, one)
	_, err := pool.New(pool.Config{Budget: budgetOf(t, 1), Initial: 1, GetTimeout: 20 * time.Millisecond}, f.open)
	expect(t, err, pool.ErrTimeout)
	if !strings.Contains(err.Error(), "the budget has no permit for initial connection 1 of 1") {
		t.Error(err)
	}
	made := make(chan error, 1)
	var two *pool.Pool[*connection]
	go func() {
		var err error
		two, err = pool.New(pool.Config{Budget: budgetOf(t, 1), Initial: 1, BudgetFloor: 1}, f.open, pool.WithClose(f.close))
		made <- err
	}()
	eventually(t, "the pool wants it", func() bool { return one.Stats().BudgetShare == 0 })
	release(t, lease)
	succeed(t, soon(t, "the pool is there", made))
	if two.Len() != 1 || f.most.Load() != 1 {
		t.Errorf("%d idle, at most %d open", two.Len(), f.most.Load())
	}
	drain(t, two)
}

// A file that is no ledger is in the way.
func TestNewDoesNotWaitForALedgerThatCannotBeReached(t *testing.T) {
	name := fmt.Sprint("go-", os.Getpid())
	file := fmt.Sprintf("/dev/shm/libpool-%d-%s", os.Geteuid(), name)
	succeed(t, os.WriteFile(file, make([]byte, 100), 0o600))
	t.Cleanup(func() { os.Remove(file) })
	f := new(factory)
	p := member(t, f, pool.Config{Budget: "host:" + name + "?limit=3", Initial: 2, BudgetFloor: 1})
	lease := get(t, p)
	_, err := p.TryGet(background)
	expect(t, err, pool.ErrTimeout)
	if stats := p.Stats(); stats.BudgetCutOff != 1 || stats.Open != 1 {
		t.Errorf("%+v", stats)
	}
	release(t, lease)
}

func TestPoolsOfADriverShareABudget(t *testing.T) {
	server, _ := serveArith(t)
	open := func() *pool.DriverPool {
		p, err := pool.OpenDriver(pool.Config{Budget: budgetOf(t, 1)}, "jsonrpc", server.address)
		succeed(t, err)
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(background, patience)
			defer cancel()
			succeed(t, p.Close(ctx))
		})
		return p
	}
	one, two := open(), open()
	for i := 0; i < 5; i++ {
		for _, p := range []*pool.DriverPool{one, two} {
			lease, err := p.Get(background)
			succeed(t, err)
			if open := one.Stats().Open + two.Stats().Open; open > 1 {
				t.Errorf("%d are open", open)
			}
			succeed(t, lease.Release())
		}
	}
}

func TestSettingsOfABudgetThatAreWrong(t *testing.T) {
	for _, wrong := range []pool.Config{{Budget: "orders"}, {Budget: "process:orders"}, {Budget: "process:orders?limit=0"},
		{Budget: "process:orders?limit=1\x00"}, {Budget: "process:orders?limit=1", BudgetWeight: -1},
		{Budget: "process:orders?limit=1", BudgetFloor: -1}} {
		if _, err := pool.New(wrong, new(factory).open); !errors.Is(err, pool.ErrInvalid) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
}

func TestABudgetIsLookedAt(t *testing.T) {
	one := member(t, new(factory), pool.Config{Name: "one", Budget: budgetOf(t, 3), BudgetWeight: 2, BudgetFloor: 1})
	lease := get(t, one)
	url, _, _ := strings.Cut(budgetOf(t, 3), "?") // of one that is there
	budget, err := pool.OpenBudget(url)
	succeed(t, err)
	sums, err := budget.Stats()
	succeed(t, err)
	if sums.Limit != 3 || sums.Members != 1 {
		t.Errorf("%+v", sums)
	}
	members, err := budget.Members()
	succeed(t, err)
	host, _ := os.Hostname()
	if len(members) != 1 || members[0].Pool != "one" || members[0].Language != "go" || members[0].Weight != 2 ||
		members[0].Floor != 1 || members[0].Process != os.Getpid() ||
		!strings.HasPrefix(host, members[0].Host) {
		t.Errorf("%+v", members)
	}
	budget.Close()
	budget.Close()
	_, err = budget.Stats()
	expect(t, err, pool.ErrClosed)
	release(t, lease)
}

func TestABudgetShowsForHowLongAMemberWaits(t *testing.T) {
	f := new(factory)
	p := member(t, f, pool.Config{Budget: budgetOf(t, 1)})
	lease := get(t, p)
	come := getBehind(background, p)
	budget, err := pool.OpenBudget(budgetOf(t, 1))
	succeed(t, err)
	defer budget.Close()
	eventually(t, "it is seen", func() bool {
		members, err := budget.Members()
		succeed(t, err)
		return len(members) == 1 && members[0].Waits > 0 && members[0].Wants == 2
	})
	release(t, lease)
	came := soon(t, "the get has it", come)
	succeed(t, came.err)
	release(t, came.lease)
}

func TestAClosedPoolHasNoPermits(t *testing.T) {
	p := member(t, new(factory), pool.Config{Budget: budgetOf(t, 4), BudgetFloor: 2})
	lease := get(t, p)
	release(t, lease)
	drain(t, p)
	budget, err := pool.OpenBudget(budgetOf(t, 4))
	succeed(t, err)
	defer budget.Close()
	eventually(t, "they are free", func() bool {
		sums, err := budget.Stats()
		succeed(t, err)
		return sums.Granted == 0 && sums.Wants == 0
	})
	runtime.KeepAlive(p)
}

func TestABudgetOfManyMembersIsLookedAt(t *testing.T) {
	const pools = 40
	for i := 0; i < pools; i++ {
		release(t, get(t, member(t, new(factory), pool.Config{Budget: budgetOf(t, pools)})))
	}
	budget, err := pool.OpenBudget(budgetOf(t, pools))
	succeed(t, err)
	defer budget.Close()
	members, err := budget.Members()
	succeed(t, err)
	if len(members) != pools {
		t.Errorf("%d members", len(members))
	}
}

func TestABudgetThatIsNone(t *testing.T) {
	for url, kind := range map[string]error{"": pool.ErrInvalid, "orders": pool.ErrInvalid, "process:a\x00": pool.ErrInvalid,
		"zookeeper://user:secret@host/orders": pool.ErrDriver} {
		_, err := pool.OpenBudget(url)
		expect(t, err, kind)
		if strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
	}
}

// SPDX-License-Identifier: MIT

package pool_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// This program plays the one that poolctl looks into where the environment has these; what is exposed remains so while
// a process runs.
const (
	roleVariable = "LIBPOOL_TEST_ROLE"
	urlVariable  = "LIBPOOL_TEST_URL"
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := play(role); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func play(role string) error {
	if role == "steered" {
		return beSteered()
	}
	mine, err := pool.New(pool.Config{Name: "mine", MaxOpen: 2}, new(factory).open)
	if err != nil {
		return err
	}
	served, err := pool.OpenURL(pool.Config{Name: "served", MaxOpen: 2}, os.Getenv(urlVariable))
	if err != nil {
		return err
	}
	for _, err := range []error{lendOne(mine.Get), lendOne(served.Get), expose(role, mine, served)} {
		if err != nil {
			return err
		}
	}
	later, err := pool.New(pool.Config{Name: "later"}, new(factory).open)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.ReadAll(os.Stdin) // until the test has seen enough
	runtime.KeepAlive(mine)
	runtime.KeepAlive(served)
	runtime.KeepAlive(later)
	return err
}

// For each line that comes a goroutine gets a connection; of "hold" it keeps it, and "close" is how often a close goes on.
func beSteered() error {
	closes := make(chan bool, 10)
	p, err := pool.New(pool.Config{Name: "steered", MaxOpen: 1}, new(factory).open,
		pool.WithClose(func(*connection) error {
			fmt.Println("closing")
			<-closes
			return nil
		}))
	if err != nil {
		return err
	}
	if err := p.Expose(); err != nil {
		return err
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		line := lines.Text()
		if line == "close" {
			closes <- true
			continue
		}
		go func() {
			lease, err := p.Get(background)
			if err == nil && line != "hold" {
				err = lease.Release()
			}
			fmt.Println("got:", err)
		}()
	}
	return nil // with what was held
}

func expose(role string, mine *pool.Pool[*connection], served *pool.DriverPool) error {
	switch role {
	case "mine":
		return mine.Expose()
	case "served":
		return served.Expose()
	case "all":
		return pool.Expose()
	case "full":
		return exposeWhenFull(mine.Expose)
	case "all, full":
		return exposeWhenFull(pool.Expose)
	}
	return nil // the environment says what is exposed
}

// There is a descriptor for the folder, and none for the socket.
func exposeWhenFull(expose func() error) error {
	number, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0)
	if err != nil {
		return err
	}
	if err := syscall.Close(number); err != nil {
		return err
	}
	limit := uint64(number) + 1
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	return expose()
}

// One connection is lent then, and one idle.
func lendOne[L interface{ Release() error }](get func(context.Context) (L, error)) error {
	if _, err := get(background); err != nil {
		return err
	}
	lease, err := get(background)
	if err != nil {
		return err
	}
	return lease.Release()
}

// A program that plays a role, and the first line that it says.
type player struct {
	pid     int
	runtime string
	said    string
	in      io.Writer
	out     *bufio.Reader
}

func start(t *testing.T, role string, environment ...string) *player {
	t.Helper()
	server, _ := serveArith(t)
	p := &player{runtime: t.TempDir()}
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), roleVariable+"="+role, urlVariable+"=jsonrpc://"+server.address,
		"XDG_RUNTIME_DIR="+p.runtime, "POOL_EXPOSE=", "GORACE=atexit_sleep_ms=0") // else it ends a second later
	command.Env = append(command.Env, environment...)
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	succeed(t, err)
	out, err := command.StdoutPipe()
	succeed(t, err)
	succeed(t, command.Start())
	t.Cleanup(func() {
		in.Close()
		if err := command.Wait(); err != nil && p.said == "ready\n" {
			t.Error(err)
		}
	})
	p.pid, p.in, p.out = command.Process.Pid, in, bufio.NewReader(out)
	p.said, err = p.out.ReadString('\n')
	succeed(t, err)
	return p
}

func (p *player) path() string { return filepath.Join(p.runtime, "libpool", strconv.Itoa(p.pid)) }

type answer struct {
	OK    bool
	Code  int
	Pools []struct {
		ID                   int64
		Name                 string
		Leased, Idle, Pauses int
		Waiters              []any
		Steerable            bool
	}
}

// Asks as poolctl does.
func (p *player) ask(t *testing.T, request string) (a answer) {
	t.Helper()
	if p.said != "ready\n" {
		t.Fatal(p.said)
	}
	conn, err := net.DialTimeout("unix", p.path(), patience)
	succeed(t, err)
	defer conn.Close()
	succeed(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintln(conn, request)
	succeed(t, err)
	succeed(t, json.NewDecoder(conn).Decode(&a))
	return a
}

// How many connections are lent and idle.
type sight struct {
	leased, idle int
	steerable    bool
}

func (p *player) seen(t *testing.T) map[string]sight {
	t.Helper()
	seen := make(map[string]sight)
	for _, each := range p.ask(t, "report").Pools {
		seen[each.Name] = sight{each.Leased, each.Idle, each.Steerable}
	}
	return seen
}

func (p *player) sees(t *testing.T, want map[string]sight) {
	t.Helper()
	if seen := p.seen(t); !reflect.DeepEqual(seen, want) {
		t.Errorf("%v is seen, not %v", seen, want)
	}
}

var (
	ofOne = sight{1, 1, true}
	ofAll = map[string]sight{"mine": ofOne, "served": ofOne, "later": {0, 0, true}}
)

func TestExposeOne(t *testing.T) {
	start(t, "mine").sees(t, map[string]sight{"mine": ofOne})
	start(t, "served").sees(t, map[string]sight{"served": ofOne})
}

func TestExposeAll(t *testing.T) {
	all := map[string]sight{"mine": {1, 1, false}, "served": ofOne, "later": {0, 0, true}}
	start(t, "all").sees(t, all) // mine was there before, and has not waited since
}

func TestExposeByTheEnvironment(t *testing.T) {
	start(t, "none", "POOL_EXPOSE=1").sees(t, ofAll)
	silent := start(t, "none")
	if _, err := os.Stat(silent.path()); !os.IsNotExist(err) {
		t.Error("there is a socket that nobody asked for:", err)
	}
}

// To the only pool of the process.
func (p *player) order(t *testing.T, what, number string) {
	t.Helper()
	if a := p.ask(t, fmt.Sprint(what, " ", p.ask(t, "report").Pools[0].ID, number)); !a.OK {
		t.Fatalf("%s: %+v", what, a)
	}
}

// What has to wait; returns when it does.
func (p *player) demand(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		fmt.Fprintln(p.in, line)
	}
	for len(p.ask(t, "report").Pools[0].Waiters) < len(lines) {
		runtime.Gosched() // and the process rests between its answers
	}
}

func (p *player) hears(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if said, err := p.out.ReadString('\n'); said != line+"\n" {
			t.Fatalf("%q, not %q: %v", said, line, err)
		}
	}
}

// Goroutines that wait sleep until somebody wakes them, and nothing else happens in their program.
func TestExposedPoolHearsOfAnOperator(t *testing.T) {
	p := start(t, "steered")
	p.order(t, "pause", "")
	p.demand(t, "get", "get")
	p.order(t, "resume", "")
	p.hears(t, "got: <nil>", "got: <nil>")
	p.order(t, "pause", "")
	p.demand(t, "get", "get")
	p.order(t, "flush", "")
	p.hears(t, "closing") // which hangs
	p.order(t, "evict", "")
	evicted := "got: steered: all waits of the pool were ended, by the program or an operator (evict); get again"
	p.hears(t, evicted, evicted)
	p.order(t, "resume", "")
	fmt.Fprintln(p.in, "close")
	fmt.Fprintln(p.in, "hold")
	p.hears(t, "got: <nil>")
	p.demand(t, "get")
	p.order(t, "resize", " 2")
	p.hears(t, "got: <nil>")
	fmt.Fprintln(p.in, "close")
	p.order(t, "flush", "")
	p.hears(t, "closing")
}

func TestExposedPoolIsSteeredIfItHears(t *testing.T) {
	player := start(t, "all")
	for _, each := range player.ask(t, "report").Pools {
		paused := player.ask(t, fmt.Sprint("pause ", each.ID))
		if paused.OK != each.Steerable {
			t.Errorf("%s: %+v", each.Name, paused)
		}
	}
	for _, each := range player.ask(t, "report").Pools {
		if paused := each.Pauses == 1; paused != (each.Name != "mine") {
			t.Errorf("%+v", each)
		}
	}
}

func TestExposeFails(t *testing.T) {
	for role, named := range map[string]string{"full": "mine: ", "all, full": ""} {
		if said := start(t, role).said; said != named+"no socket for poolctl: Too many open files\n" {
			t.Error(role, said)
		}
	}
}

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
	p.pid = command.Process.Pid
	p.said, err = bufio.NewReader(out).ReadString('\n')
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
		Steerable            bool
	}
}

// Asks as poolctl does.
func (p *player) ask(t *testing.T, request string) (a answer) {
	t.Helper()
	if p.said != "ready\n" {
		t.Fatal(p.said)
	}
	conn, err := net.DialTimeout("unix", p.path(), 10*time.Second)
	succeed(t, err)
	defer conn.Close()
	succeed(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
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
	ofMine   = sight{1, 1, false}
	ofServed = sight{1, 1, true}
	ofAll    = map[string]sight{"mine": ofMine, "served": ofServed, "later": {}}
)

func TestExposeOne(t *testing.T) {
	start(t, "mine").sees(t, map[string]sight{"mine": ofMine})
	start(t, "served").sees(t, map[string]sight{"served": ofServed})
}

func TestExposeAll(t *testing.T) {
	start(t, "all").sees(t, ofAll)
}

func TestExposeByTheEnvironment(t *testing.T) {
	start(t, "none", "POOL_EXPOSE=1").sees(t, ofAll)
	silent := start(t, "none")
	if _, err := os.Stat(silent.path()); !os.IsNotExist(err) {
		t.Error("there is a socket that nobody asked for:", err)
	}
}

func TestExposedPoolIsSteeredIfItIsOfADriver(t *testing.T) {
	player := start(t, "all")
	for _, each := range player.ask(t, "report").Pools {
		paused := player.ask(t, fmt.Sprint("pause ", each.ID))
		if paused.OK != each.Steerable {
			t.Errorf("%s: %+v", each.Name, paused)
		}
	}
	for _, each := range player.ask(t, "report").Pools {
		if paused := each.Pauses == 1; paused != (each.Name == "served") {
			t.Errorf("%+v", each)
		}
	}
}

func TestExposeFails(t *testing.T) {
	for _, role := range []string{"full", "all, full"} {
		if said := start(t, role).said; said != "no socket for poolctl: Too many open files\n" {
			t.Error(role, said)
		}
	}
}

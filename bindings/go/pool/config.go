// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"libpool.example/go/internal/native"
)

// In which order waiters are served: Config.Queue.
const (
	FIFO = native.POOL_QUEUE_FIFO // in order of arrival, within Fairness
	LIFO = native.POOL_QUEUE_LIFO // the newest first while the pool is overloaded
	Shed = native.POOL_QUEUE_SHED // while the pool is overloaded, the late get ErrOverload
)

// Always is a Config.CheckAfter: each connection is checked before it is lent.
const Always = time.Nanosecond

// Config has the settings of a pool.  A zero means the default, which is the library's; a negative time means never, or
// without limit.
type Config struct {
	Name          string        // shown in reports; default "pool"
	Initial       int           // opened by New; default 0
	MinIdle       int           // this many are kept idle, opened in the background; default 0
	MinOpen       int           // this many are kept open, idle and lent together; default 0
	MaxIdle       int           // more than that are closed on release; default: as many as MaxOpen; without, see docs/settings.md
	MaxOpen       int           // hard cap on connections open, being opened or being closed; default: none
	MaxOpening    int           // at most this many are being opened at one time; default: no limit
	MaxWaiters    int           // at most this many wait, the next gets ErrOverload; default: no limit
	Queue         int           // FIFO, LIFO or Shed
	RetirePercent int           // at most this percentage ends in one interval of MaxLifetime; default 10
	Paused        bool          // begins as after a Pause, which one Resume takes back; Initial are opened
	BreakerAfter  int           // after this many failed opens (with RetryMin) gets fail at once; default 5, -1: never
	Fairness      time.Duration // bounds how long users that run keep a connection while others wait; default 1 ms, negative: 0
	GetTimeout    time.Duration // how long a Get takes at most; default 30 s
	OpenTimeout   time.Duration // an open that takes longer is given up; default: GetTimeout, but at least 30 s; not with a driver
	CallTimeout   time.Duration // how long a call through a driver takes at most; default: no limit
	IdleTimeout   time.Duration // idle for this long, a connection is closed, down to MinIdle and MinOpen; default: never
	MaxLifetime   time.Duration // no connection gets older; default: no limit
	CheckAfter    time.Duration // idle for this long, a connection is checked before it is lent; default: never
	CheckTimeout  time.Duration // a check that takes longer has failed; default 5 s
	Keepalive     time.Duration // idle for this long, a connection is checked in the background; default: never
	LeakAfter     time.Duration // a lease that is out for this long is reported, with the place that got it; default: never
	RetryMin      time.Duration // back-off after a failed open, doubling up to RetryMax; default: none
	RetryMax      time.Duration // default 5 s
	FailFast      bool          // an open that fails ends its Get at once, also where another connection may still come
	CloseBehind   bool          // Release, Discard and Flush do not wait for close, which runs in a goroutine of its own
	TrackUse      bool          // notes when each connection was last used, for Lease.LastUsed: each Release reads the clock
	OverloadAfter time.Duration // the pool is overloaded when the first waiter waits this long, throughout this time; default 100 ms
	Budget        string        // URL of a limit that pools share, as "host:orders?limit=100"; see docs/fleet.md; default: none
	BudgetWeight  int           // where the members of a budget want more than there is, it gets this many parts; default 1
	BudgetFloor   int           // this many permits of the budget are this pool's own, whatever others want; default 0

	// Tracer is told of gets, releases, opens and closes: it is an AcquireTracer, ReleaseTracer, OpenTracer or CloseTracer,
	// or several of them.
	Tracer any

	// Settings has any settings of the library by the names that they have there, as in {"max_open": "20"}; they go
	// before the others.
	Settings map[string]string
}

const (
	driverOpeners = 2

	leastOpenTimeout = 30 * time.Second
)

// The settings as the library has them, and the first that it refused.
type settings struct {
	native.Pool_config_t
	failure native.Pool_error_t
	err     error
}

func newSettings() *settings {
	return &settings{Pool_config_t: native.NewPool_config_t(), failure: native.NewPool_error_t()}
}

func (s *settings) free() {
	native.DeletePool_config_t(s.Pool_config_t)
	native.DeletePool_error_t(s.failure)
}

func (s *settings) note(code int) {
	if code != 0 && s.err == nil {
		s.err = failureOf(int64(s.failure.GetCode()), s.failure.GetMessage())
	}
}

func (s *settings) number(name string, value int64) {
	s.note(native.Pool_config_set_number(s.Pool_config_t, name, value, s.failure))
}

func (s *settings) text(name, text string) {
	if !s.isWhole(name, text) {
		return
	}
	s.note(native.Pool_config_set_text(s.Pool_config_t, name, text, s.failure))
}

// C would end a text at its first zero byte.
func (s *settings) isWhole(name, text string) bool {
	switch {
	case strings.ContainsRune(name, 0):
		s.err = zeroByte("setting " + strconv.Quote(name))
	case strings.ContainsRune(text, 0):
		s.err = zeroByte("setting " + name)
	default:
		return true
	}
	return false
}

func zeroByte(where string) error {
	return &Error{Kind: ErrInvalid, Message: where + " contains a zero byte"}
}

// A zero means the default.
func (s *settings) count(name string, value int) {
	if value != 0 {
		s.number(name, int64(value))
	}
}

// Of what is off at 0 a negative value means that.
func (s *settings) countOrOff(name string, value int64) {
	if value != 0 {
		s.number(name, max(value, 0))
	}
}

func (s *settings) time(name string, value time.Duration) {
	switch {
	case value < 0:
		s.number(name, -1)
	case value > 0:
		s.number(name, roundUp(value, time.Millisecond))
	}
}

// A copy whose Settings may be written to.
func (c *Config) apart() Config {
	own := *c
	own.Settings = make(map[string]string, len(c.Settings))
	for name, text := range c.Settings {
		own.Settings[name] = text
	}
	return own
}

func (c *Config) settings() *settings {
	s := newSettings()
	s.isWhole("name", c.Name)
	s.count("initial", c.Initial)
	s.count("min_idle", c.MinIdle)
	s.count("min_open", c.MinOpen)
	s.count("max_idle", c.MaxIdle)
	s.count("max_open", c.MaxOpen)
	s.count("max_opening", c.MaxOpening)
	s.count("max_waiters", c.MaxWaiters)
	s.count("queue", c.Queue)
	s.count("retire_percent", c.RetirePercent)
	if c.Paused {
		s.number("paused", 1)
	}
	s.countOrOff("breaker_after", int64(c.BreakerAfter))
	s.countOrOff("fairness_us", roundUp(c.Fairness, time.Microsecond))
	if c.CheckAfter == Always {
		s.number("check_after_ms", 0)
	} else {
		s.time("check_after_ms", c.CheckAfter)
	}
	s.time("get_timeout_ms", c.GetTimeout)
	s.time("call_timeout_ms", c.CallTimeout)
	s.time("idle_timeout_ms", c.IdleTimeout)
	s.time("max_lifetime_ms", c.MaxLifetime)
	s.time("check_timeout_ms", c.CheckTimeout)
	s.time("keepalive_ms", c.Keepalive)
	s.time("leak_after_ms", c.LeakAfter)
	s.time("retry_min_ms", c.RetryMin)
	s.time("retry_max_ms", c.RetryMax)
	s.time("overload_after_ms", c.OverloadAfter)
	if c.Budget != "" {
		s.text("budget", c.Budget)
	}
	s.count("budget_weight", c.BudgetWeight)
	s.count("budget_floor", c.BudgetFloor)
	for name, text := range c.Settings {
		s.text(name, text)
	}
	return s
}

// The same for a pool whose connections a driver opens: the library has threads for that.  What a URL sets, if one is
// given, goes before the others.
func (c *Config) settingsForDriver(url string) *settings {
	s := c.settings()
	if s.GetOpeners() == 0 {
		s.SetOpeners(driverOpeners)
	}
	if url != "" && s.err == nil {
		s.note(native.Pool_url_settings(s.Pool_config_t, url, s.failure))
	}
	if s.GetKeeper() != native.POOL_KEEPER_THREAD && s.err == nil {
		s.err = &Error{Kind: ErrInvalid, Message: "keeper is manual; of a pool of a driver it must be thread"}
	}
	return s
}

// What this package has to know of the settings, because it waits, opens and checks itself.
type duties struct {
	initial  int
	shares   bool          // it has a budget
	limit    int64         // of a get in milliseconds; -1: none
	timeout  time.Duration // the same; 0: none
	opens    time.Duration // how long an open may take; 0: no limit
	opening  int           // how many are opened at one time at most; 0: no limit
	checks   time.Duration // how long a check may take; 0: no limit
	fairness time.Duration // how long a waiter may be overtaken
}

func (s *settings) duties() duties {
	return duties{initial: s.GetInitial(), shares: native.Pool_config_shares(s.Pool_config_t) != 0,
		limit: s.GetGet_timeout_ms(), timeout: limited(s.GetGet_timeout_ms()),
		opening:  s.GetMax_opening(),
		checks:   limited(s.GetCheck_timeout_ms()),
		fairness: time.Duration(s.GetFairness_us()) * time.Microsecond}
}

// An open may take longer than an impatient get, for its connection is kept for the next.
func (d *duties) limitOpens(configured time.Duration) {
	switch {
	case configured >= farOff:
	case configured > 0:
		d.opens = configured
	case configured == 0 && d.timeout > 0:
		d.opens = max(d.timeout, leastOpenTimeout)
	}
}

// A time of the library; 0: no limit.
func limited(ms int64) time.Duration {
	if ms < 0 {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

func roundUp(value, unit time.Duration) int64 {
	if value < 0 {
		return -1
	}
	units := int64(value / unit)
	if value%unit > 0 {
		units++
	}
	return units
}

// The library counts in 32 bits and refuses what is too large.
func saturate(value int) int {
	if value > math.MaxInt32 {
		return math.MaxInt32
	}
	if value < math.MinInt32 {
		return math.MinInt32
	}
	return value
}

func max[N int | int64 | time.Duration](a, b N) N {
	if a > b {
		return a
	}
	return b
}

func min[N int | int64 | time.Duration](a, b N) N {
	if a < b {
		return a
	}
	return b
}

// What milliseconds says beside how many.
const (
	unlimited = -1
	expired   = -2
)

// The time that is left to a context, as the library counts it: rounded down, but never 0, which means not to wait.
func milliseconds(ctx context.Context) int64 {
	deadline, limited := ctx.Deadline()
	if !limited {
		return unlimited
	}
	left := time.Until(deadline)
	if left <= 0 {
		return expired
	}
	return max(int64(left/time.Millisecond), 1)
}

// The same for a get that goes on until its context says that it is over.
func orNow(milliseconds int64) int64 {
	if milliseconds == expired {
		return 1
	}
	return milliseconds
}

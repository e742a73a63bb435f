// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"fmt"
	"math"
	"time"

	"libpool.example/go/internal/native"
)

// In which order waiters are served: Config.Queue.
const (
	FIFO = native.POOL_QUEUE_FIFO // in order of arrival, always
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
	MinIdle       int           // so many are kept idle, opened in the background; default 0
	MinOpen       int           // so many are kept open, idle and lent together; default 0
	MaxIdle       int           // more than that are closed on release; default: as many as MaxOpen, or 10
	MaxOpen       int           // hard cap on connections open, being opened or being closed; default: none
	MaxOpening    int           // at most so many are being opened at one time; default: no limit
	MaxWaiters    int           // at most so many wait, the next gets ErrOverload; default: no limit
	Queue         int           // FIFO, LIFO or Shed
	RetirePercent int           // at most so many per cent end in one interval of MaxLifetime; default 10
	Paused        bool          // begins as after a Pause, which one Resume takes back; Initial are opened
	BreakerAfter  int           // after so many failed opens (with RetryMin) gets fail at once; default 5, -1: never
	Fairness      time.Duration // how long the first waiter may be overtaken; default 1 ms, negative: never overtaken
	GetTimeout    time.Duration // how long a Get takes at most; default 30 s
	CallTimeout   time.Duration // how long a call through a driver takes at most; default: no limit
	IdleTimeout   time.Duration // idle for so long, a connection is closed, down to MinIdle and MinOpen; default: never
	MaxLifetime   time.Duration // no connection gets older; default: no limit
	CheckAfter    time.Duration // idle for so long, a connection is checked before it is lent; default: never
	CheckTimeout  time.Duration // a check that takes longer has failed; default 5 s
	Keepalive     time.Duration // idle for so long, a connection is checked in the background; default: never
	LeakAfter     time.Duration // a lease that is out for so long is counted in Stats.Leaked; default: never
	RetryMin      time.Duration // back-off after a failed open, doubling up to RetryMax; default: none
	RetryMax      time.Duration // default 5 s
	OverloadAfter time.Duration // the pool is overloaded when the first waits so long, for so long; default 100 ms
}

const (
	defaultTimeout   = 30 * time.Second
	defaultFairness  = time.Millisecond
	defaultCheck     = 5 * time.Second
	defaultMaxIdle   = 10
	refillTick       = 100 * time.Millisecond
	leastTick        = time.Millisecond
	lifetimeFraction = 40
	respites         = 100 // of a waiter, in the time that he may be overtaken
	driverOpeners    = 2
)

// What the library cannot know; it checks the rest itself, in the same words.
func (c *Config) check(opens, checks bool) error {
	invalid := func(format string, values ...any) error {
		return &Error{Kind: ErrInvalid, Message: fmt.Sprintf(format, values...)}
	}
	idle, why := c.maxIdle()
	switch {
	case !opens:
		return invalid("open is nil")
	case c.CheckAfter > 0 && !checks:
		return invalid("check_after is set, but there is no check")
	case c.Keepalive > 0 && !checks:
		return invalid("keepalive is set, but there is no check")
	case c.Initial < 0:
		return invalid("initial is %d; it must be 0 or more", c.Initial)
	case c.Initial > idle:
		return invalid("initial is %d, which is more than max_idle, %d%s", c.Initial, idle, why)
	case c.MaxOpen > 0 && c.Initial > c.MaxOpen:
		return invalid("initial is %d, which is more than max_open, %d", c.Initial, c.MaxOpen)
	}
	return nil
}

func (c *Config) maxIdle() (int, string) {
	switch {
	case c.MaxIdle > 0:
		return c.MaxIdle, ""
	case c.MaxOpen > 0:
		return c.MaxOpen, " (as many as max_open)"
	case c.MinIdle > defaultMaxIdle && c.MinIdle >= c.MinOpen:
		return c.MinIdle, " (as many as min_idle)"
	case c.MinOpen > defaultMaxIdle:
		return c.MinOpen, " (as many as min_open)"
	}
	return defaultMaxIdle, " (its default)"
}

// How long a get takes at most; 0: no limit.
func (c *Config) timeout() time.Duration {
	switch {
	case c.GetTimeout == 0:
		return defaultTimeout
	case c.GetTimeout < 0:
		return 0
	}
	return c.GetTimeout
}

// The same as the library counts it; -1: no limit.
func (c *Config) limit() int64 {
	if timeout := c.timeout(); timeout > 0 {
		return max(int64(timeout/time.Millisecond), 1)
	}
	return -1
}

// How long a check takes at most; 0: no limit.
func (c *Config) checkTimeout() time.Duration {
	switch {
	case c.CheckTimeout == 0:
		return defaultCheck
	case c.CheckTimeout < 0:
		return 0
	}
	return c.CheckTimeout
}

// How long the first waiter may be overtaken.
func (c *Config) fairness() time.Duration {
	switch {
	case c.Fairness == 0:
		return defaultFairness
	case c.Fairness < 0:
		return 0
	}
	return c.Fairness
}

// How often to look at what time does to connections, at least; 0: it does nothing.
func (c *Config) tick() time.Duration {
	tick := time.Duration(math.MaxInt64)
	shorten := func(by, fraction time.Duration) {
		if by > 0 && by/fraction < tick {
			tick = by / fraction
		}
	}
	shorten(c.IdleTimeout, 4)
	shorten(c.CheckAfter, 4)
	shorten(c.Keepalive, 4)
	shorten(c.LeakAfter, 4)
	shorten(c.MaxLifetime, lifetimeFraction)
	shorten(c.RetryMin, 1)
	if c.MinIdle > 0 || c.MinOpen > 0 {
		shorten(refillTick, 1)
	}
	if tick == math.MaxInt64 {
		return 0
	}
	if tick < leastTick {
		return leastTick
	}
	return tick
}

func (c *Config) native() native.Pool_config_t {
	config := native.NewPool_config_t()
	config.SetKeeper(native.POOL_KEEPER_MANUAL)
	config.SetMin_idle(saturate(c.MinIdle))
	config.SetMin_open(saturate(c.MinOpen))
	if c.MaxIdle != 0 {
		config.SetMax_idle(saturate(c.MaxIdle))
	}
	config.SetMax_open(saturate(c.MaxOpen))
	config.SetMax_opening(saturate(c.MaxOpening))
	config.SetMax_waiters(saturate(c.MaxWaiters))
	config.SetQueue(saturate(c.Queue))
	if c.RetirePercent != 0 {
		config.SetRetire_percent(saturate(c.RetirePercent))
	}
	if c.BreakerAfter != 0 {
		config.SetBreaker_after(saturate(max(c.BreakerAfter, 0)))
	}
	if c.Fairness != 0 {
		config.SetFairness_us(saturate(max(int(c.Fairness/time.Microsecond), 0)))
	}
	if c.CheckAfter == Always {
		config.SetCheck_after_ms(0)
	} else {
		setTime(config.SetCheck_after_ms, c.CheckAfter)
	}
	setTime(config.SetGet_timeout_ms, c.GetTimeout)
	setTime(config.SetCall_timeout_ms, c.CallTimeout)
	setTime(config.SetIdle_timeout_ms, c.IdleTimeout)
	setTime(config.SetMax_lifetime_ms, c.MaxLifetime)
	setTime(config.SetCheck_timeout_ms, c.CheckTimeout)
	setTime(config.SetKeepalive_ms, c.Keepalive)
	setTime(config.SetLeak_after_ms, c.LeakAfter)
	setTime(config.SetRetry_min_ms, c.RetryMin)
	setTime(config.SetRetry_max_ms, c.RetryMax)
	setTime(config.SetOverload_after_ms, c.OverloadAfter)
	return config
}

// The same for a pool whose connections a driver opens: the library has threads for that.
func (c *Config) nativeForDriver() native.Pool_config_t {
	config := c.native()
	config.SetInitial(saturate(c.Initial))
	if c.Paused {
		config.SetPaused(1)
	}
	config.SetOpeners(driverOpeners)
	config.SetKeeper(native.POOL_KEEPER_THREAD)
	return config
}

func setTime(set func(int64), value time.Duration) {
	switch {
	case value < 0:
		set(-1)
	case value > 0:
		set(roundUp(value))
	}
}

func roundUp(value time.Duration) int64 {
	milliseconds := int64(value / time.Millisecond)
	if value%time.Millisecond > 0 {
		milliseconds++
	}
	return milliseconds
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

func max[N int | int64](a, b N) N {
	if a > b {
		return a
	}
	return b
}

// The time that is left to a context, as the library counts it: rounded down, but never 0, which means not to wait.
func milliseconds(ctx context.Context) int64 {
	deadline, limited := ctx.Deadline()
	if !limited {
		return -1
	}
	if left := int64(time.Until(deadline) / time.Millisecond); left > 1 {
		return left
	}
	return 1
}

// SPDX-License-Identifier: MIT

//go:build go1.21

package pool

import (
	"context"
	"log/slog"
)

// WithSlog gives to a logger what WithLog gives to a function, with the pool's name as "pool".
func WithSlog[C any](logger *slog.Logger) Option[C] {
	if logger == nil {
		return WithLog[C](nil)
	}
	return func(p *Pool[C]) {
		p.log = func(level LogLevel, line string) {
			logger.LogAttrs(context.Background(), levelOf(level), line, slog.String("pool", p.Name()))
		}
	}
}

func levelOf(level LogLevel) slog.Level {
	switch level {
	case LogError:
		return slog.LevelError
	case LogWarn:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// Failures and what comes with load are warnings; what is routine is for those who look into the program.
var eventLevels = map[EventName]slog.Level{
	EventBreakerOpened: slog.LevelError,
	EventStarved:       slog.LevelError,
	EventOpenFailed:    slog.LevelWarn,
	EventTimedOut:      slog.LevelWarn,
	EventOverloaded:    slog.LevelWarn,
	EventGetFailed:     slog.LevelWarn,
	EventLeaked:        slog.LevelWarn,
	EventWarning:       slog.LevelWarn,
	EventBreakerClosed: slog.LevelInfo,
	EventLeakReturned:  slog.LevelInfo,
}

// LogEvents is a function for WithEvents that gives each event to a logger: its name as the message, and what it says as
// attributes.  Those that come with each Get and Release are at slog.LevelDebug.
func LogEvents(logger *slog.Logger) func(Event) {
	if logger == nil {
		return nil
	}
	return func(event Event) {
		level, is := eventLevels[event.Name]
		if !is {
			level = slog.LevelDebug
		}
		logger.LogAttrs(context.Background(), level, string(event.Name), event.attributes()...)
	}
}

// LogValue is what a logger shows of an event: what it says, without what it does not know.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(append([]slog.Attr{slog.String("name", string(e.Name))}, e.attributes()...)...)
}

func (e Event) attributes() (attributes []slog.Attr) {
	texts := []slog.Attr{slog.String("reason", e.Reason), slog.String("tag", e.Tag), slog.String("message", e.Message)}
	for _, each := range texts {
		if each.Value.String() != "" {
			attributes = append(attributes, each)
		}
	}
	numbers := []slog.Attr{slog.Int64("lease", e.Lease), slog.Int64("connection", e.Connection), slog.Int64("lost", e.Lost)}
	for _, each := range numbers {
		if each.Value.Int64() != 0 {
			attributes = append(attributes, each)
		}
	}
	if e.Duration > 0 {
		attributes = append(attributes, slog.Duration("duration", e.Duration))
	}
	return
}

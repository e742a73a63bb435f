// SPDX-License-Identifier: MIT

// Package scenarios runs the list of cases that the tests of all languages run.  What a word of it means stands at its
// head; here is what Go makes of it.
package scenarios

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"libpool.example/go/pool"
)

const language = "go"

var languages = []string{"go", "ruby", "java"}

type list struct {
	About []string `json:"about"`
	Cases []*oneCase
}

// A case is steps, or settings that are refused, or a check, which has parameters of its own.
type oneCase struct {
	Name          string
	Only          []string
	Pool          settings
	Steps         []step
	Refused       []settings
	Check         string
	Cancellations int64
	Workers       int
	Waiters       int
	ThreadsAtMost int `json:"threads_at_most"`
}

// The settings of a pool by their names in C.
type settings struct {
	Initial      int
	MinIdle      int    `json:"min_idle"`
	MaxIdle      int    `json:"max_idle"`
	MaxOpen      int    `json:"max_open"`
	MaxWaiters   int    `json:"max_waiters"`
	FairnessUs   *int64 `json:"fairness_us"`
	GetTimeoutMs *int64 `json:"get_timeout_ms"`
}

// In C a zero is a value; in Go it means the default.
func (s *settings) config() pool.Config {
	config := pool.Config{Initial: s.Initial, MinIdle: s.MinIdle, MaxIdle: s.MaxIdle, MaxOpen: s.MaxOpen,
		MaxWaiters: s.MaxWaiters, GetTimeout: -1} // the contexts of the gets have deadlines
	if s.FairnessUs != nil {
		config.Fairness = orNever(time.Duration(*s.FairnessUs) * time.Microsecond)
	}
	if s.GetTimeoutMs != nil {
		config.GetTimeout = orNever(time.Duration(*s.GetTimeoutMs) * time.Millisecond)
	}
	return config
}

func orNever(value time.Duration) time.Duration {
	if value == 0 {
		return -1
	}
	return value
}

func TestScenarios(t *testing.T) {
	file := os.Getenv("POOL_SCENARIOS")
	if file == "" {
		t.Fatal("POOL_SCENARIOS does not name the list of cases")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all list
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&all); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(all.Cases) == 0 {
		t.Fatalf("%s: no cases", file)
	}
	for _, each := range all.Cases {
		if each.isForUs(t) {
			t.Run(each.Name, each.run)
		}
	}
}

func (c *oneCase) isForUs(t *testing.T) bool {
	for _, named := range c.Only {
		if !contains(languages, named) {
			t.Errorf("%s: no such language: %s", c.Name, named)
		}
	}
	return len(c.Only) == 0 || contains(c.Only, language)
}

func contains(words []string, word string) bool {
	for _, each := range words {
		if each == word {
			return true
		}
	}
	return false
}

func (c *oneCase) run(t *testing.T) {
	switch {
	case c.Check != "":
		check := checks[c.Check]
		if check == nil {
			t.Fatalf("no such check: %s", c.Check)
		}
		check(t, c)
	case len(c.Refused) > 0:
		for _, each := range c.Refused {
			refused(t, each.config(), new(factory))
		}
	case len(c.Steps) > 0:
		s := newStage(t, c.Pool.config())
		for number := range c.Steps {
			s.take(number+1, &c.Steps[number])
		}
	default:
		t.Fatal("neither steps, nor settings that are refused, nor a check")
	}
}

func refused(t *testing.T, config pool.Config, f *factory) {
	t.Helper()
	_, err := pool.New(config, f.open)
	var failure *pool.Error
	if !errors.Is(err, pool.ErrInvalid) || !errors.As(err, &failure) || failure.Message == "" {
		t.Errorf("%+v: got %v", config, err)
	}
	if f.opened != 0 {
		t.Errorf("%+v: %d opened", config, f.opened)
	}
}

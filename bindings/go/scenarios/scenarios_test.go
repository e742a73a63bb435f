// SPDX-License-Identifier: MIT

// Package scenarios runs the list of cases that the tests of all languages run.  What a word of it means stands at its
// head; here is what Go makes of it.
package scenarios

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"testing"

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
	Says          string
	Check         string
	Cancellations int64
	Workers       int
	Waiters       int
	ThreadsAtMost int `json:"threads_at_most"`
}

// The settings of a pool by their names in C.
type settings map[string]int64

func (s settings) config() pool.Config {
	config := pool.Config{GetTimeout: -1, Settings: map[string]string{}} // the contexts of the gets have deadlines
	for name, value := range s {
		config.Settings[name] = strconv.FormatInt(value, 10)
	}
	return config
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
			refused(t, each.config(), new(factory), c.Says)
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

func refused(t *testing.T, config pool.Config, f *factory, says string) {
	t.Helper()
	_, err := pool.New(config, f.open)
	var failure *pool.Error
	if !errors.Is(err, pool.ErrInvalid) || !errors.As(err, &failure) || failure.Message == "" {
		t.Errorf("%+v: got %v", config, err)
	}
	if says != "" && err.Error() != says {
		t.Errorf("%q is not %q", err, says)
	}
	if f.opened != 0 {
		t.Errorf("%+v: %d opened", config, f.opened)
	}
}

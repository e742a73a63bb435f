// SPDX-License-Identifier: MIT

// Package poolexpvar shows pools by package expvar, under the name "libpool": an object with a member for each pool, which
// is what Report writes as JSON.
//
//	defer poolexpvar.Publish(clients)()
package poolexpvar

import (
	"encoding/json"
	"expvar"
	"fmt"
	"sync"

	"libpool.example/go/pool"
)

var (
	first  sync.Once
	mutex  sync.Mutex // guards the following
	places []*place
)

// A pool that is shown; the same pool may be so twice.
type place struct{ pool pool.Source }

// Publish shows a pool until the function is called that it returns.  Of several that have one name the second is called
// NAME#2, and so on.
func Publish(shown pool.Source) (remove func()) {
	first.Do(func() { expvar.Publish("libpool", expvar.Func(all)) })
	mutex.Lock()
	defer mutex.Unlock()
	added := &place{shown}
	places = append(places, added)
	return func() { drop(added) }
}

func drop(dropped *place) {
	mutex.Lock()
	defer mutex.Unlock()
	for i, each := range places {
		if each == dropped {
			places = append(places[:i:i], places[i+1:]...)
			return
		}
	}
}

func all() any {
	mutex.Lock()
	now := places[:len(places):len(places)]
	mutex.Unlock()
	shown := make(map[string]json.RawMessage)
	for _, each := range now {
		name := unlike(shown, each.pool.Name())
		if report, err := each.pool.Report(pool.JSON); err == nil {
			shown[name] = json.RawMessage(report)
		}
	}
	return shown
}

// A name that is not there yet.
func unlike(shown map[string]json.RawMessage, name string) string {
	candidate := name
	for count := 2; shown[candidate] != nil; count++ {
		candidate = fmt.Sprintf("%s#%d", name, count)
	}
	return candidate
}

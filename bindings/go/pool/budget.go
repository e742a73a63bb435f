// SPDX-License-Identifier: MIT

package pool

/*
#include "budget.h"
*/
import "C"

import (
	"strings"
	"sync"
	"time"
	"unsafe"
)

func init() {
	language := C.CString("go")
	defer C.free(unsafe.Pointer(language))
	C.pool_budget_language(language)
}

// Budget is a limit that pools share by Config.Budget, looked at: it is no member.  Its methods may be called by any
// goroutine at any time, and take their turns.
type Budget struct {
	mutex  sync.Mutex
	budget *C.pool_budget_t // nil: it was closed
}

// BudgetStats are the counts of a budget at one moment.
type BudgetStats struct {
	Limit    int           // permits
	Granted  int           // permits that members have; more than Limit: an overdraft, being paid back
	Open     int           // connections, as the members said last
	Wants    int           // what they would have if there was no limit
	Waiting  int           // waiters of all pools
	Members  int           // pools
	LearnsIn time.Duration // the ledger is new or was lost: for this time each member keeps what it has, without more
}

// BudgetMember is a pool that shares a budget.
type BudgetMember struct {
	Host     string        // its machine
	Language string        // of its program: "c", "go", "ruby", "java"
	Pool     string        // its name
	Process  int           // its number on that machine
	Asked    time.Duration // for how long it has said nothing
	Waits    time.Duration // for how long its first waiter waits; negative: none does
	Granted  int           // permits that it has
	Share    int           // what it is to come to
	Open     int           // connections that it has open, or is opening or closing
	Wants    int           // what it would have if there was no limit
	Waiting  int           // waiters in its queue
	Weight   int
	Floor    int
}

// OpenBudget connects to the ledger of a budget, given by its URL, of which the limit may be missing.  It takes five
// seconds at most, as do Stats and Members.
func OpenBudget(url string) (*Budget, error) {
	if strings.ContainsRune(url, 0) {
		return nil, &Error{Kind: ErrInvalid, Message: "the URL of a budget contains a zero byte"}
	}
	var failure C.pool_error_t
	var code C.int
	text := C.CString(url)
	defer C.free(unsafe.Pointer(text))
	budget := C.budget_of(text, &code, &failure)
	if code != 0 {
		return nil, budgetFailure(code, &failure)
	}
	return &Budget{budget: budget}, nil
}

func budgetFailure(code C.int, failure *C.pool_error_t) error {
	return failureOf(int64(code), C.GoString(&failure.message[0]))
}

// Runs a function with the budget, unless that was closed.
func (b *Budget) use(look func(failure *C.pool_error_t) C.int) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.budget == nil {
		return &Error{Kind: ErrClosed, Message: "the budget was closed"}
	}
	var failure C.pool_error_t
	if code := look(&failure); code < 0 {
		return budgetFailure(code, &failure)
	}
	return nil
}

// Stats asks the ledger what it has in all.
func (b *Budget) Stats() (BudgetStats, error) {
	var sums C.pool_budget_stats_t
	if err := b.use(func(failure *C.pool_error_t) C.int { return C.budget_sums(b.budget, &sums, failure) }); err != nil {
		return BudgetStats{}, err
	}
	return BudgetStats{Limit: int(sums.limit), Granted: int(sums.granted), Open: int(sums.open), Wants: int(sums.wants),
		Waiting: int(sums.waiting), Members: int(sums.members),
		LearnsIn: time.Duration(sums.learns_ms) * time.Millisecond}, nil
}

// Members asks the ledger for the members, those first that have waited longest for a permit.
func (b *Budget) Members() ([]BudgetMember, error) {
	members := (*C.struct_members)(C.calloc(1, C.sizeof_struct_members))
	defer func() {
		C.free(unsafe.Pointer(members.first))
		C.free(unsafe.Pointer(members))
	}()
	if err := b.use(func(failure *C.pool_error_t) C.int { return C.budget_look(b.budget, members, failure) }); err != nil {
		return nil, err
	}
	heard := unsafe.Slice(members.first, int(members.count))
	list := make([]BudgetMember, len(heard))
	for i := range heard {
		list[i] = memberOf(&heard[i])
	}
	return list, nil
}

func memberOf(member *C.struct_member) BudgetMember {
	is := &member.is
	return BudgetMember{Host: C.GoString(&member.host[0]), Language: C.GoString(&member.language[0]),
		Pool: C.GoString(&member.pool[0]), Process: int(is.process),
		Asked: time.Duration(is.asked_ms) * time.Millisecond, Waits: time.Duration(is.waits_ms) * time.Millisecond,
		Granted: int(is.granted), Share: int(is.share), Open: int(is.open), Wants: int(is.wants),
		Waiting: int(is.waiting), Weight: int(is.weight), Floor: int(is.floor)}
}

// Close lets go of the ledger.  It may be called again.
func (b *Budget) Close() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	C.pool_budget_close(b.budget)
	b.budget = nil
}

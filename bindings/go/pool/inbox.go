// SPDX-License-Identifier: MIT

package pool

/*
#include "inbox.h"

static uintptr_t inbox_make(void)
{
  return (uintptr_t)inbox_new();
}

static letter_t *inbox_wait(uintptr_t inbox)
{
  return inbox_take((inbox_t *)inbox);
}

// Bytes that C owns are no Go pointer, whatever type says so.
static void *letter_text(const letter_t *letter)
{
  return letter->text.data;
}

static int64_t begin_get(uintptr_t inbox, uintptr_t pool, int64_t timeout_ms, int64_t number)
{
  return inbox_get((inbox_t *)inbox, (pool_t *)pool, timeout_ms, number);
}

static int64_t get_at_once(uintptr_t pool)
{
  return pool_get_for((pool_t *)pool, 0);
}

static int64_t look(uintptr_t pool)
{
  return inbox_look((pool_t *)pool);
}

static pool_bytes_t bytes(_GoString_ text)
{
  return (pool_bytes_t){(char *)_GoStringPtr(text), _GoStringLen(text)};
}

// The name of a method ends with a zero byte, which Go has added.
static int begin_call(uintptr_t inbox, int64_t lease, _GoString_ method, _GoString_ args, int64_t number)
{
  return inbox_call((inbox_t *)inbox, lease, _GoStringPtr(method), bytes(args), number);
}
*/
import "C"

import (
	"runtime"
	"sync"
)

// A letter of the library: a lease, 0 or a code, and the reply or what went wrong.
type letter struct {
	result int64
	text   []byte
}

// The inbox of the process, and which goroutine waits for which letter.
type mailroom struct {
	once    sync.Once
	address C.uintptr_t
	mutex   sync.Mutex
	last    int64
	waiters map[int64]chan letter
}

var mail mailroom

// Starts the goroutine that takes the letters; its thread is the only one that waits for the library.
func (m *mailroom) open() error {
	m.once.Do(func() {
		m.waiters = make(map[int64]chan letter)
		if m.address = C.inbox_make(); m.address != 0 {
			go m.deliver()
		}
	})
	if m.address == 0 {
		return &Error{Kind: ErrNoMemory}
	}
	return nil
}

func (m *mailroom) deliver() {
	for {
		from := C.inbox_wait(m.address)
		if from == nil {
			continue
		}
		number, came := int64(from.number), letter{result: int64(from.result)}
		came.text = C.GoBytes(C.letter_text(from), C.int(from.text.size))
		C.letter_free(from)
		if !m.hand(number, came) && came.result > 0 {
			// Of an idle or just opened connection: nobody has called anything, so this does not take long.
			C.pool_put(C.int64_t(came.result))
		}
	}
}

// False: nobody waits for it any more.
func (m *mailroom) hand(number int64, came letter) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	waiter, waits := m.waiters[number]
	if waits {
		delete(m.waiters, number)
		waiter <- came // has room for it
	}
	return waits
}

func (m *mailroom) expect() (int64, chan letter) {
	waiter := make(chan letter, 1)
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.last++
	m.waiters[m.last] = waiter
	return m.last, waiter
}

// False: it has come already.
func (m *mailroom) forget(number int64) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	_, waits := m.waiters[number]
	delete(m.waiters, number)
	return waits
}

// ---- what is asked for ----

// An idle connection, or 0.
func lookFor(handle *handle) int64 {
	lease := C.look(C.uintptr_t(handle.address))
	runtime.KeepAlive(handle)
	return int64(lease)
}

// The same for one that does not wait: else why there is none, and one is opened for the next, where there is room.
func takeIdle(handle *handle) int64 {
	lease := C.get_at_once(C.uintptr_t(handle.address))
	runtime.KeepAlive(handle)
	return int64(lease)
}

// The ticket is for cancelTicket.
func (m *mailroom) get(handle *handle, timeout, number int64) (ticket int64) {
	ticket = int64(C.begin_get(m.address, C.uintptr_t(handle.address), C.int64_t(timeout), C.int64_t(number)))
	runtime.KeepAlive(handle)
	return
}

// False: the get had ended already.
func cancelTicket(ticket int64) bool { return C.pool_cancel(C.int64_t(ticket)) == 0 }

func (m *mailroom) call(lease int64, method, args string, number int64) int64 {
	return int64(C.begin_call(m.address, C.int64_t(lease), method+"\x00", args, C.int64_t(number)))
}

func put(lease int64) int64 { return int64(C.pool_put(C.int64_t(lease))) }

func markUnusable(lease int64) int64 { return int64(C.pool_mark_unusable(C.int64_t(lease))) }

func markBroken(lease int64) int64 { return int64(C.pool_mark_broken(C.int64_t(lease))) }

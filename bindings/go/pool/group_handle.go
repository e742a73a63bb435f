// SPDX-License-Identifier: MIT

package pool

/*
#include "group.h"

static uintptr_t group_new(uintptr_t settings, _GoString_ name, int32_t abilities, int64_t key_idle_ms, int32_t max_keys,
                           pool_error_t *error)
{
  return group_make(settings, _GoStringPtr(name), abilities, key_idle_ms, max_keys, error);
}

static uintptr_t pool_of_key(uintptr_t group, _GoString_ key, uintptr_t settings, pool_error_t *error)
{
  return group_pool(group, _GoStringPtr(key), _GoStringLen(key), settings, error);
}
*/
import "C"

import (
	"runtime"
	"time"

	"libpool.example/go/internal/native"
)

// The group of the library, a thing of its own as the pool of the library is.
type groupHandle struct{ address uintptr }

// What the library has to tell.
const (
	newsGone    = C.POOL_GROUP_GONE
	newsSteered = C.POOL_GROUP_STEERED
)

func newGroupHandle(settings *settings, abilities int, config *GroupConfig) (*groupHandle, error) {
	var failure C.pool_error_t
	idle := max(roundUp(config.KeyIdle, time.Millisecond), -1)
	address := C.group_new(C.uintptr_t(settings.Swigcptr()), config.Name+"\x00", C.int32_t(abilities), C.int64_t(idle),
		C.int32_t(saturate(config.MaxKeys)), &failure)
	if address == 0 {
		return nil, groupFailure(&failure)
	}
	h := &groupHandle{uintptr(address)}
	runtime.SetFinalizer(h, func(h *groupHandle) { go C.group_free(C.uintptr_t(h.address)) })
	return h, nil
}

func groupFailure(failure *C.pool_error_t) error {
	return failureOf(int64(failure.code), C.GoString(&failure.message[0]))
}

// The pool of a key, which is made with these settings if there is none.
func (h *groupHandle) pool(key string, settings *settings) (*handle, error) {
	var failure C.pool_error_t
	address := C.pool_of_key(C.uintptr_t(h.address), key, C.uintptr_t(settings.Swigcptr()), &failure)
	runtime.KeepAlive(h)
	if address == 0 {
		return nil, groupFailure(&failure)
	}
	return handleOf(native.SwigcptrStruct_SS_pool(address), settings)
}

// What is to be done for which pool; 0: nothing is, and in this many nanoseconds to ask again.
func (h *groupHandle) next() (what int, address uintptr, due int64) {
	var news C.struct_news
	C.group_next(C.uintptr_t(h.address), &news)
	runtime.KeepAlive(h)
	return int(news.what), uintptr(news.pool), int64(news.due_ns)
}

func (h *groupHandle) bell() int {
	descriptor := int(C.group_bell(C.uintptr_t(h.address)))
	runtime.KeepAlive(h)
	return descriptor
}

func (h *groupHandle) close() {
	C.group_close(C.uintptr_t(h.address))
	runtime.KeepAlive(h)
}

func (h *groupHandle) stats() GroupStats {
	var sums C.pool_group_stats_t
	C.group_sums(C.uintptr_t(h.address), &sums)
	runtime.KeepAlive(h)
	return GroupStats{Keys: int(sums.keys), Made: int64(sums.made), LetGo: int64(sums.let_go),
		Refused: int64(sums.refused), Open: int(sums.open), Idle: int(sums.idle), Leased: int(sums.leased),
		Waiting: int(sums.waiting)}
}

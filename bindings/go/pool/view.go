// SPDX-License-Identifier: MIT

package pool

/*
#include "step.h"
*/
import "C"

import (
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// The words of the library by which a connection is lent and put back.  Where nothing is unusual a get and a release do
// what pool_step_begin() and pool_step_end() do, without a call, as pool_view_t in <pool/step.h> says: one comparison
// decides, on the word of the slot; then a look at the pool's attention tells whether the library is to be asked.  The word
// also says whether a lease has ended.
//
// Shared: the words, with the library and all goroutines; the homes, which are guesses that the comparison proves.  The
// race detector knows nothing of the library's memory: in its builds it sees the order by place.lease.
type view struct {
	words     unsafe.Pointer // nil: the protocol is another, and all is asked of the library
	attention *atomic.Uint32
	is        C.pool_view_t
	turns     turns
	homes     [1 << homeBits]home
}

const (
	homeBits  = 5
	stackBits = 11 // the smallest stack of a goroutine has so many bytes
	scatter   = 0x9e3779b97f4a7c15
)

// The lease that the slot gives next which a goroutine with about this stack used last.  On a cache line of its own.
type home struct {
	next atomic.Uint64
	_    [56]byte
}

func (v *view) read(handle *handle) bool {
	if C.step_view(C.uintptr_t(handle.address), &v.is) != 0 || v.is.version != C.POOL_VIEW_VERSION {
		return false
	}
	v.attention = (*atomic.Uint32)(v.is.attention)
	v.words = v.is.slots
	return true
}

// How many leases a connection was lent between two that it gave.
func (v *view) between(earlier, later int64) int64 {
	return (later - earlier) & int64(v.is.beyond-v.is.generation) / int64(v.is.generation)
}

// Whether both leases are of one connection.
func (v *view) isSame(one, other int64) bool {
	return (one^other)&int64(v.is.slot_mask) == 0
}

func (v *view) home() *home {
	var here byte
	stack := uint64(uintptr(unsafe.Pointer(&here))) >> stackBits
	return &v.homes[stack*scatter>>(64-homeBits)]
}

func (v *view) slot(lease uint64) unsafe.Pointer {
	return unsafe.Add(v.words, uintptr(lease&uint64(v.is.slot_mask))*uintptr(v.is.slot_bytes))
}

// Lends the slot of this home, if it is idle and nobody else used it meanwhile; 0: not so.  The library is to be asked
// whether the get may keep the lease.
func (v *view) take(home *home) (lease int64, asks bool) {
	if v.words == nil || v.attention.Load()&uint32(v.is.get_stops) != 0 {
		return 0, false
	}
	guess := home.next.Load()
	base := guess &^ uint64(v.is.slot_mask)
	word := (*atomic.Uint64)(v.slot(guess))
	idle := base + uint64(v.is.idle)
	if word.Load() != idle || !word.CompareAndSwap(idle, base+uint64(v.is.lent)) {
		return 0, false
	}
	v.expect(home, int64(guess))
	return int64(guess), v.attention.Load()&uint32(v.is.get_asks) != 0 || guess&uint64(v.is.untimed) == 0
}

// To write one word is enough for a guess, because that is never torn; an atomic write would cost as much as the comparison.
func (v *view) expect(home *home, lease int64) {
	next := v.following(uint64(lease))
	if detectsRaces || bits.UintSize < 64 {
		home.next.Store(next)
		return
	}
	*(*uint64)(unsafe.Pointer(&home.next)) = next
}

// Whether a lease that was lent has not ended yet.
func (v *view) isOut(lease int64) bool {
	word := (*atomic.Uint64)(v.slot(uint64(lease))).Load()
	return (word^uint64(lease))&uint64(v.is.beyond-v.is.generation) == 0
}

// A lease or word, one generation on.
func (v *view) following(number uint64) uint64 {
	return (number + uint64(v.is.generation)) &^ uint64(v.is.beyond)
}

// Ends a lease, if nothing was noted of it; then the library is to be asked if somebody waits, say.
func (v *view) give(lease int64) (ended, asks bool) {
	number := uint64(lease)
	if v.words == nil || number&uint64(v.is.untimed) == 0 {
		return false, false
	}
	base, slot := number&^uint64(v.is.slot_mask), v.slot(number)
	if !(*atomic.Uint64)(slot).CompareAndSwap(base+uint64(v.is.plain), v.following(base)+uint64(v.is.idle)) {
		return false, false
	}
	return true, !v.hinted(slot) || v.asksAfter(lease)
}

// Ends a lease whose connection is to be closed, if nothing was noted of it: that step also takes the claim of the close.
// The library is to be asked if somebody waits, say.
func (v *view) discard(lease int64) (claim int64, asks bool) {
	number := uint64(lease)
	if v.words == nil || v.is.closing == 0 || number&uint64(v.is.untimed) == 0 {
		return 0, false
	}
	base, next := number&^uint64(v.is.slot_mask), v.following(number)
	word := (*atomic.Uint64)(v.slot(number))
	if !word.CompareAndSwap(base+uint64(v.is.plain), next&^uint64(v.is.slot_mask)+uint64(v.is.closing)) {
		return 0, false
	}
	return int64(next), v.attention.Load()&uint32(v.is.put_asks) != 0
}

// Whether the library is to be asked after a put.
func (v *view) asksAfter(lease int64) bool {
	attention := v.attention.Load()
	if attention&uint32(v.is.put_asks) == 0 {
		return false
	}
	v.expect(v.home(), lease) // this goroutine may take it back, and nobody else by the view
	return attention&uint32(v.is.put_asks|v.is.told|v.is.due) != uint32(v.is.waits|v.is.told)
}

// Whether the library is to be asked after a put only because somebody waits.
func (v *view) onlyWaits(lease int64) bool {
	return v.attention.Load()&uint32(v.is.put_asks|v.is.told|v.is.due) == uint32(v.is.waits) && v.hinted(v.slot(uint64(lease)))
}

// Whether a turn ends with a lease: somebody waits, and this connection was lent often enough to those that ran.
func (v *view) endsTurn(lease int64) bool {
	if v.words == nil || v.attention.Load()&uint32(v.is.waits) == 0 {
		return false
	}
	return v.turns.endWith(lease)
}

// Whether those that look for an idle connection look at this slot.
func (v *view) hinted(slot unsafe.Pointer) bool {
	block := atomic.LoadPointer((*unsafe.Pointer)(unsafe.Add(slot, uintptr(v.is.block_at))))
	bit := (*atomic.Uint64)(unsafe.Add(slot, uintptr(v.is.bit_at))).Load()
	return (*atomic.Uint64)(unsafe.Add(block, uintptr(v.is.hint_at))).Load()&bit != 0
}

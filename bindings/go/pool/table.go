// SPDX-License-Identifier: MIT

package pool

import "sync/atomic"

const (
	slotBits  = 20 // of a lease or claim
	groupBits = 3
	rowBits   = 9
)

// The connections of a pool by the number of their slot.  The library numbers the slots of all pools together and gives
// them to pools in groups, so a pool has few of them, next to each other.
type table[C any] struct {
	rows [1 << (slotBits - groupBits - rowBits)]atomic.Pointer[row[C]]
}

type row[C any] [1 << rowBits]atomic.Pointer[group[C]]

type group[C any] [1 << groupBits]place[C]

// The padding keeps neighbours, which other processors use, off one cache line.
type place[C any] struct {
	lease atomic.Int64 // which is out, of a pool that marks leases; 0: none
	pool  *Pool[C]
	conn  C            // belongs to who has the lease or claim
	life  *life        // of the connection; likewise
	made  atomic.Int64 // a moment: when its open began
	used  atomic.Int64 // when a lease of it ended last that was used; noted with Config.TrackUse
	holder
}

// Where a connection is that has been put there; also for a lease that ended long ago.
func (t *table[C]) at(number int64) *place[C] {
	slot := uint64(number) & (1<<slotBits - 1)
	row := t.rows[slot>>(groupBits+rowBits)].Load()
	group := row[slot>>groupBits&(1<<rowBits-1)].Load()
	return &group[slot&(1<<groupBits-1)]
}

// The same for the goroutine that has the claim of work on it.
func (t *table[C]) claimed(number int64) *place[C] {
	place := t.at(number)
	place.pass()
	return place
}

// Called by a goroutine that comes to have a place, and before it is left to others.  The library's words say which has it,
// of which the race detector knows nothing.
func (p *place[C]) pass() {
	if detectsRaces {
		p.lease.Swap(0)
	}
}

// The same for one that comes.
func (t *table[C]) make(number int64, pool *Pool[C]) *place[C] {
	slot := uint64(number) & (1<<slotBits - 1)
	first := &t.rows[slot>>(groupBits+rowBits)]
	if first.Load() == nil {
		first.CompareAndSwap(nil, new(row[C]))
	}
	second := &first.Load()[slot>>groupBits&(1<<rowBits-1)]
	if second.Load() == nil {
		fresh := new(group[C])
		for each := range fresh {
			fresh[each].pool = pool
		}
		second.CompareAndSwap(nil, fresh)
	}
	return &second.Load()[slot&(1<<groupBits-1)]
}

// SPDX-License-Identifier: MIT

package pool

// WakeUps is how often the goroutines of a pool were woken to look after it.
func (p *Pool[C]) WakeUps() int64 { return p.keeper.count() + p.teller.count() }

func (h *helper) count() int64 {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.begun
}

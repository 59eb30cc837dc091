// A bounded queue of objects from one goroutine to one other; objects/ring.h in Go.
//
// SPDX-License-Identifier: Apache-2.0
package main

import "sync/atomic"

const ringCapacity = 1024 // a power of two

// Slots in [head, tail) are the consumer's, all others the producer's. Each side keeps a copy of the
// other's index and reads the real one only when the copy says full or empty.
type ring struct {
	tail     uint64
	headSeen uint64 // producer's
	_        [112]byte
	head     uint64
	tailSeen uint64 // consumer's
	_        [112]byte
	slots    [ringCapacity]*object
}

// Producer only. False: full.
func (r *ring) push(o *object) bool {
	tail := r.tail // no one else writes it
	if tail-r.headSeen == ringCapacity {
		r.headSeen = atomic.LoadUint64(&r.head)
		if tail-r.headSeen == ringCapacity {
			return false
		}
	}
	r.slots[tail%ringCapacity] = o
	atomic.StoreUint64(&r.tail, tail+1)
	return true
}

// Consumer only. nil: empty.
func (r *ring) pop() *object {
	head := r.head // no one else writes it
	if head == r.tailSeen {
		r.tailSeen = atomic.LoadUint64(&r.tail)
		if head == r.tailSeen {
			return nil
		}
	}
	o := r.slots[head%ringCapacity]
	atomic.StoreUint64(&r.head, head+1)
	return o
}

// Goroutines that do the same work at the same time; the Go side of support/team.h, with the same
// rule: the clock runs from the last arrival to the last end.
//
// SPDX-License-Identifier: Apache-2.0
package kit

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Waits for another goroutine: spins, and after a while leaves the CPU to others. Go code has no
// pause instruction, so it counts, about as long as the C++ side pauses.
type Backoff struct {
	rounds int
}

const (
	relaxes       = 100
	backoffRounds = 2000
)

//go:noinline
func relax(count int) {
	for i := 0; i < count; i++ {
	}
}

func (b *Backoff) Pause() {
	b.rounds++
	if b.rounds > backoffRounds {
		runtime.Gosched()
	} else {
		relax(relaxes)
	}
}

// A gate that opens once `expected` goroutines stand before it.
type Rendezvous struct {
	Expected int64
	arrived  int64
	open     int32
	OpenedAt time.Time // written before open, read after it
}

func (r *Rendezvous) ArriveAndWait() {
	if atomic.AddInt64(&r.arrived, 1) == r.Expected {
		r.OpenedAt = time.Now()
		atomic.StoreInt32(&r.open, 1)
	}
	var b Backoff
	for atomic.LoadInt32(&r.open) == 0 {
		b.Pause()
	}
}

// RunTeam runs work(i) on `count` goroutines and returns the nanoseconds that they took.
func RunTeam(count int, work func(index int)) float64 {
	start := Rendezvous{Expected: int64(count)}
	ends := make([]time.Time, count)
	var done sync.WaitGroup
	done.Add(count)
	for i := 0; i < count; i++ {
		go func(index int) {
			defer done.Done()
			start.ArriveAndWait()
			work(index)
			ends[index] = time.Now()
		}(i)
	}
	done.Wait()
	return float64(Latest(ends).Sub(start.OpenedAt).Nanoseconds())
}

// Latest of some times.
func Latest(times []time.Time) time.Time {
	last := times[0]
	for _, one := range times {
		if one.After(last) {
			last = one
		}
	}
	return last
}

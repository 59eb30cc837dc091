// sync.Pool in the scenarios of the object pool; see ../../objects for what each one is.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"libpool.local/bench/peers/kit"
)

// 64 bytes, as the objects of the other peers.
type object struct {
	word uint64
	_    [7]uint64
}

func newPool(created *int64) *sync.Pool {
	return &sync.Pool{New: func() any {
		atomic.AddInt64(created, 1)
		return new(object)
	}}
}

func main() {
	kit.Main(rows)
}

var rows = []kit.Row{
	pairRow(1),
	pairRow(2),
	pairRow(8),
	{Name: "burst_100/sync.Pool", Run: burst},
	{Name: "handoff/sync.Pool", Run: handoff(false)},
	{Name: "handoff/ring_go", Run: handoffRing},
	{Name: "handoff_used/sync.Pool", Run: handoff(true)},
	{Name: "factory/sync.Pool", Run: factory},
}

// The interface value is given back as it came: with its type asserted, a pair would cost more.
func pairRow(goroutines int) kit.Row {
	return kit.Row{Name: "pair_" + strconv.Itoa(goroutines) + "t/sync.Pool", Run: func(map[string]float64) float64 {
		const chunk = 10_000
		pairs := int64(2_000_000)
		if goroutines == 1 {
			pairs = 1_000_000
		}
		var created, begun int64
		pool := newPool(&created)
		return kit.RunTeam(goroutines, func(int) {
			for atomic.AddInt64(&begun, chunk) <= pairs {
				for i := 0; i < chunk; i++ {
					pool.Put(pool.Get())
				}
			}
		}) / float64(pairs)
	}}
}

func burst(map[string]float64) float64 {
	const size, bursts = 100, 10_000
	var created int64
	pool := newPool(&created)
	return kit.RunTeam(1, func(int) {
		var taken [size]any
		for i := 0; i < bursts; i++ {
			for j := range taken {
				taken[j] = pool.Get()
			}
			for j := range taken {
				pool.Put(taken[j])
			}
		}
	}) / (size * bursts)
}

const handoffs = 500_000

func (r *ring) pushWaiting(o *object) {
	var b kit.Backoff
	for !r.push(o) {
		b.Pause()
	}
}

func (r *ring) popWaiting() *object {
	var b kit.Backoff
	for {
		if o := r.pop(); o != nil {
			return o
		}
		b.Pause()
	}
}

// Runs both at once; notes how far apart their CPUs were before and after. Nanoseconds.
func duet(counters map[string]float64, first, second func()) float64 {
	var before, after struct {
		turn uint32
		_    [124]byte
	}
	start, finish := kit.Rendezvous{Expected: 2}, kit.Rendezvous{Expected: 2}
	var ends [2]time.Time
	kit.RunTeam(2, func(side int) {
		distanceBefore := kit.MeasureDistance(&before.turn, uint32(side))
		start.ArriveAndWait()
		if side == 0 {
			first()
		} else {
			second()
		}
		ends[side] = time.Now()
		finish.ArriveAndWait()
		distanceAfter := kit.MeasureDistance(&after.turn, uint32(side))
		if side == 0 {
			counters["distance_before"] = distanceBefore
			counters["distance_after"] = distanceAfter
		}
	})
	return float64(kit.Latest(ends[:]).Sub(start.OpenedAt).Nanoseconds())
}

func handoff(used bool) func(map[string]float64) float64 {
	return func(counters map[string]float64) float64 {
		var created int64
		pool := newPool(&created)
		r := new(ring)
		var sum uint64
		nanoseconds := duet(counters, func() {
			for i := uint64(0); i < handoffs; i++ {
				o := pool.Get().(*object)
				if used {
					o.word = i
				}
				r.pushWaiting(o)
			}
		}, func() {
			read := uint64(0)
			for i := uint64(0); i < handoffs; i++ {
				o := r.popWaiting()
				if used {
					read += o.word
				} else {
					read += i
				}
				pool.Put(o)
			}
			sum = read
		})
		if sum != handoffs*(handoffs-1)/2 {
			panic("an object was handed to two holders")
		}
		counters["created"] = float64(created)
		return nanoseconds / handoffs
	}
}

// What the ring costs alone.
func handoffRing(counters map[string]float64) float64 {
	r := new(ring)
	o := new(object)
	return duet(counters, func() {
		for i := 0; i < handoffs; i++ {
			r.pushWaiting(o)
		}
	}, func() {
		for i := 0; i < handoffs; i++ {
			r.popWaiting()
		}
	}) / handoffs
}

// Two CPUs, by number; see objects/factory.cpp.
func factory(counters map[string]float64) float64 {
	const goroutines, held, turns, turnsPerYield = 8, 8, 20_000, 16
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var created int64
	pool := newPool(&created)
	allHold := kit.Rendezvous{Expected: goroutines}
	nanoseconds := kit.RunTeam(goroutines, func(index int) {
		random := xorshift(uint32(index+1) * 2654435761)
		var taken [held]*object
		take := func(count int) {
			for i := 0; i < count; i++ {
				taken[i] = pool.Get().(*object)
				taken[i].word = uint64(random)
			}
		}
		giveBack := func(count int) {
			order, first := random.next()%3, 0
			if order == 2 {
				first = int(random.next() % uint32(count))
			}
			for i := 0; i < count; i++ {
				if order == 1 {
					pool.Put(taken[count-1-i])
				} else {
					pool.Put(taken[(first+i)%count])
				}
			}
		}
		take(held)
		allHold.ArriveAndWait()
		giveBack(held)
		for turn := 1; turn <= turns; turn++ {
			count := 1 + int(random.next()%held)
			take(count)
			if turn%turnsPerYield == 0 {
				runtime.Gosched()
			}
			giveBack(count)
		}
	})
	counters["created"] = float64(created)
	return nanoseconds
}

type xorshift uint32

func (x *xorshift) next() uint32 {
	*x ^= *x << 13
	*x ^= *x >> 17
	*x ^= *x << 5
	return uint32(*x)
}

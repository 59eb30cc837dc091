// How long a cache line takes from one goroutine's CPU to another's; support/distance.h in Go.
//
// SPDX-License-Identifier: Apache-2.0
package kit

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	distanceTurns = 4_000
	distanceSpins = 100_000
)

// MeasureDistance is called by two goroutines at the same time, one with side 0, the other with side 1.
func MeasureDistance(turnNow *uint32, side uint32) float64 {
	begin := time.Now()
	for turn := side; turn < distanceTurns; turn += 2 {
		spins := 0
		for atomic.LoadUint32(turnNow) != turn {
			if spins++; spins > distanceSpins {
				runtime.Gosched()
			}
		}
		atomic.StoreUint32(turnNow, turn+1)
	}
	return float64(time.Since(begin).Nanoseconds()) / distanceTurns
}

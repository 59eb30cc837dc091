// Go's buffer pools in the scenarios of the buffer pool; see ../../../buffers for what each one is.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"sync/atomic"

	"libpool.local/bench/peers/kit"

	"github.com/oxtoacart/bpool"
	"github.com/valyala/bytebufferpool"
	"vitess.io/vitess/go/bucketpool"
)

func main() {
	rows := []kit.Row{
		{Name: "burst/bytebufferpool", Run: burstOfByteBuffers},
		{Name: "burst/sync.Pool", Run: burstOfSlices},
	}
	for _, goroutines := range []int{1, 2, 8} {
		rows = append(rows, bufRow(goroutines))
		if goroutines <= 2 {
			rows = append(rows, boundedRow(goroutines))
		}
	}
	for _, kib := range []int{4, 64, 256} {
		rows = append(rows, pairRow(kib, 1), pairRow(kib, 8))
	}
	kit.Main(rows)
}

// Nanoseconds per call of `act`, of which the goroutines make `count` for each CPU that they use.
func measure(goroutines int, count int64, act func()) float64 {
	const chunk = 1_000
	if goroutines > 1 {
		count *= 2
	}
	var begun int64
	return kit.RunTeam(goroutines, func(int) {
		for atomic.AddInt64(&begun, chunk) <= count {
			for i := 0; i < chunk; i++ {
				act()
			}
		}
	}) / float64(count)
}

func pairRow(kib, goroutines int) kit.Row {
	name := fmt.Sprintf("pair_%dk_%dt/bucketpool", kib, goroutines)
	return kit.Row{Name: name, Run: func(map[string]float64) float64 {
		pool := bucketpool.New(1024, 1<<20)
		size := kib * 1024
		return measure(goroutines, 500_000, func() { pool.Put(pool.Get(size)) })
	}}
}

func bufRow(goroutines int) kit.Row {
	name := fmt.Sprintf("buf_%dt/bytebufferpool", goroutines)
	return kit.Row{Name: name, Run: func(map[string]float64) float64 {
		pool := new(bytebufferpool.Pool)
		piece := make([]byte, 100)
		return measure(goroutines, 200_000, func() {
			b := pool.Get()
			for i := 0; i < 10; i++ {
				b.Write(piece)
			}
			pool.Put(b)
		})
	}}
}

// A channel with room for 64 buffers of 1 KiB.
func boundedRow(goroutines int) kit.Row {
	name := fmt.Sprintf("bounded_%dt/bpool", goroutines)
	return kit.Row{Name: name, Run: func(map[string]float64) float64 {
		pool := bpool.NewBytePool(64, 1024)
		return measure(goroutines, 200_000, func() { pool.Put(pool.Get()) })
	}}
}

// burst: what is kept after a burst of large buffers and a time of small ones; see
// ../../../buffers/burst.cpp.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/valyala/bytebufferpool"
)

const (
	burstBuffers = 1024
	burstSize    = 1 << 20
	burstHeld    = 64
	burstSmall   = 2048
	burstTraffic = 600_000 // gets
)

// Both kinds of buffers by the same two functions.
type lender struct {
	take func(size int) any // with every page written
	give func(any)
}

// Go's collector runs when the heap has grown or two minutes have passed, neither of which happens
// in 60 s of such traffic, nor in the short time that it takes here.
func burst(counters map[string]float64, pool lender) float64 {
	held := make([]any, burstBuffers)
	for i := range held {
		held[i] = pool.take(burstSize)
	}
	for i := range held {
		pool.give(held[i])
		held[i] = nil
	}
	for i := 0; i < burstTraffic; i++ {
		next := i % burstHeld
		if held[next] != nil {
			pool.give(held[next])
		}
		held[next] = pool.take(burstSmall)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	counters["live"] = burstHeld * burstSmall
	counters["retained"] = float64(memory.HeapInuse)
	counters["rss"] = residentBytes()
	runtime.KeepAlive(held)
	return 1
}

func burstOfByteBuffers(counters map[string]float64) float64 {
	pool := new(bytebufferpool.Pool)
	return burst(counters, lender{
		take: func(size int) any {
			b := pool.Get()
			if cap(b.B) < size {
				b.B = make([]byte, size)
			}
			b.B = b.B[:size]
			writePages(b.B)
			return b
		},
		give: func(b any) { pool.Put(b.(*bytebufferpool.ByteBuffer)) },
	})
}

func burstOfSlices(counters map[string]float64) float64 {
	pool := new(sync.Pool)
	return burst(counters, lender{
		take: func(size int) any {
			b, _ := pool.Get().(*[]byte)
			if b == nil || cap(*b) < size {
				made := make([]byte, size)
				b = &made
			}
			*b = (*b)[:size]
			writePages(*b)
			return b
		},
		give: func(b any) { pool.Put(b) },
	})
}

func writePages(bytes []byte) {
	for i := 0; i < len(bytes); i += 4096 {
		bytes[i] = 1
	}
}

func residentBytes() float64 {
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Rss:" {
			kib, _ := strconv.ParseFloat(fields[1], 64)
			return kib * 1024
		}
	}
	return 0
}

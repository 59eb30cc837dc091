// Go's connection pools in the scenarios of ours; see ../../../conns for what each one is.
//
// SPDX-License-Identifier: Apache-2.0
//
// There is no row with a hold time: a goroutine that sleeps is woken by a timer that is a
// millisecond coarse, or takes its thread with it.
package main

import (
	"strconv"
	"sync/atomic"

	"libpool.local/bench/peers/kit"
)

// A pool that is full of open connections. The returned function makes `count` pairs.
type maker func(most int) (pairs func(count int), dialed func() float64)

func main() {
	var rows []kit.Row
	for _, peer := range []struct {
		name string
		make maker
	}{
		{"database_sql", newDatabase},
		{"puddle", newPuddle},
		{"channel", newChannel},
		{"guarded_channel", newGuarded},
	} {
		for _, goroutines := range []int{1, 2, 8} {
			name := "pair_" + strconv.Itoa(goroutines) + "t/" + peer.name
			rows = append(rows, row(name, peer.make, goroutines, 8))
		}
		rows = append(rows, row("busy_32t/"+peer.name, peer.make, 32, 10))
	}
	kit.Main(rows)
}

// Nanoseconds per pair of an acquire and a release.
func row(name string, make maker, goroutines, most int) kit.Row {
	return kit.Row{Name: name, Run: func(counters map[string]float64) float64 {
		const chunk = 1_000
		count := int64(100_000)
		if goroutines > 1 {
			count *= 2
		}
		pairs, dialed := make(most)
		var begun int64
		nanoseconds := kit.RunTeam(goroutines, func(int) {
			for atomic.AddInt64(&begun, chunk) <= count {
				pairs(chunk)
			}
		})
		counters["dialed"] = dialed()
		return nanoseconds / float64(count)
	}}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// Package flood floods a pool with empty tasks; see ../../../../workers/flood.h, whose rules it keeps.
//
// SPDX-License-Identifier: Apache-2.0
//
// A task does not count itself: what would cost as little as in C++ is not to be had in Go. So tasks
// are emptier here, in favour of Go's pools.
package flood

import (
	"strconv"
	"sync"
	"sync/atomic"

	"libpool.local/bench/peers/kit"
)

// Workers is how many every pool has.
const Workers = 2

const (
	tasks  = 1_000_000
	warmUp = 100_000
)

// A Pool with Workers workers.
type Pool struct {
	// Submit has `task` run `count` times.
	Submit func(count int, task func())
	// Finish returns when all tasks have run; none is submitted afterwards.
	Finish func()
}

// Rows of the pool that `make` makes.
func Rows(name string, make func() Pool) []kit.Row {
	var rows []kit.Row
	for _, submitters := range []int{1, 2, 4, 8} {
		submitters := submitters
		rows = append(rows, kit.Row{
			Name: "flood_" + strconv.Itoa(submitters) + "s/" + name,
			Run:  func(map[string]float64) float64 { return flood(make(), submitters) },
		})
	}
	return rows
}

func empty() {}

// Nanoseconds per task.
func flood(pool Pool, submitters int) float64 {
	var warm sync.WaitGroup
	warm.Add(warmUp)
	pool.Submit(warmUp, warm.Done)
	warm.Wait()

	submitting := int64(submitters)
	return kit.RunTeam(submitters, func(int) {
		pool.Submit(tasks/submitters, empty)
		if atomic.AddInt64(&submitting, -1) == 0 {
			pool.Finish()
		}
	}) / tasks
}

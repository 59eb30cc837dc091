// Go's worker pools in the floods of ours; see ../../../workers/flood.h. The one that is in pond/ needs
// a newer Go than these.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"sync"

	"github.com/gammazero/workerpool"
	"github.com/panjf2000/ants/v2"

	"libpool.local/bench/peers/kit"
	"libpool.local/bench/peers/workers/flood"
)

func main() {
	var rows []kit.Row
	rows = append(rows, flood.Rows("channel", newChannel)...)
	rows = append(rows, flood.Rows("goroutine", newGoroutines)...)
	rows = append(rows, flood.Rows("ants", newAnts)...)
	rows = append(rows, flood.Rows("gammazero", newGammazero)...)
	kit.Main(rows)
}

// A channel and as many goroutines as there are workers, which end when it is closed.
func newChannel() flood.Pool {
	const room = 1024 // of 16 to 1,000,000 that were tried, one of the fastest
	tasks := make(chan func(), room)
	var workers sync.WaitGroup
	workers.Add(flood.Workers)
	for i := 0; i < flood.Workers; i++ {
		go func() {
			for task := range tasks {
				task()
			}
			workers.Done()
		}()
	}
	return flood.Pool{
		Submit: func(count int, task func()) {
			for i := 0; i < count; i++ {
				tasks <- task
			}
		},
		Finish: func() {
			close(tasks)
			workers.Wait()
		},
	}
}

// A goroutine for each task. Nothing bounds them.
func newGoroutines() flood.Pool {
	var running sync.WaitGroup
	return flood.Pool{
		Submit: func(count int, task func()) {
			running.Add(count)
			for i := 0; i < count; i++ {
				go func() {
					task()
					running.Done()
				}()
			}
		},
		Finish: running.Wait,
	}
}

// github.com/panjf2000/ants, which has no call that waits for tasks: they say when they are done.
func newAnts() flood.Pool {
	pool, err := ants.NewPool(flood.Workers, ants.WithPreAlloc(true), ants.WithDisablePurge(true))
	check(err)
	var running sync.WaitGroup
	return flood.Pool{
		Submit: func(count int, task func()) {
			running.Add(count)
			done := func() {
				task()
				running.Done()
			}
			for i := 0; i < count; i++ {
				check(pool.Submit(done))
			}
		},
		Finish: func() {
			running.Wait()
			pool.Release()
		},
	}
}

// github.com/gammazero/workerpool, which has no settings.
func newGammazero() flood.Pool {
	pool := workerpool.New(flood.Workers)
	return flood.Pool{
		Submit: func(count int, task func()) {
			for i := 0; i < count; i++ {
				pool.Submit(task)
			}
		},
		Finish: pool.StopWait,
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

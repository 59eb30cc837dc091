// github.com/alitto/pond in the floods of our worker pool; see ../../../../workers/flood.h.
//
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"github.com/alitto/pond/v2"

	"libpool.local/bench/peers/kit"
	"libpool.local/bench/peers/workers/flood"
)

// The queue has no bound unless one is asked for. Go() makes no future, so it is to be compared with
// ours; Submit() does.
func main() {
	rows := flood.Rows("pond", newPond(func(pool pond.Pool, task func()) {
		if err := pool.Go(task); err != nil {
			panic(err)
		}
	}))
	rows = append(rows, flood.Rows("pond_submit", newPond(func(pool pond.Pool, task func()) {
		pool.Submit(task)
	}))...)
	kit.Main(rows)
}

func newPond(submit func(pond.Pool, func())) func() flood.Pool {
	return func() flood.Pool {
		pool := pond.NewPool(flood.Workers)
		return flood.Pool{
			Submit: func(count int, task func()) {
				for i := 0; i < count; i++ {
					submit(pool, task)
				}
			},
			Finish: pool.StopAndWait,
		}
	}
}

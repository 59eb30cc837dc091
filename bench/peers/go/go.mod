// SPDX-License-Identifier: Apache-2.0
module libpool.local/bench/peers

go 1.20

require (
	github.com/alitto/pond/v2 v2.7.1
	github.com/gammazero/workerpool v1.1.3
	github.com/jackc/puddle/v2 v2.2.2
	github.com/oxtoacart/bpool v0.0.0-20190530202638-03653db5a59c
	github.com/panjf2000/ants/v2 v2.12.1
	github.com/valyala/bytebufferpool v1.0.0
	vitess.io/vitess v0.14.4
)

require (
	github.com/gammazero/deque v0.2.0 // indirect
	golang.org/x/sync v0.11.0 // indirect
)

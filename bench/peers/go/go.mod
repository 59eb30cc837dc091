// SPDX-License-Identifier: Apache-2.0
module libpool.local/bench/peers

go 1.19

require (
	github.com/jackc/puddle/v2 v2.2.2
	github.com/oxtoacart/bpool v0.0.0-20190530202638-03653db5a59c
	github.com/valyala/bytebufferpool v1.0.0
	vitess.io/vitess v0.14.4
)

require golang.org/x/sync v0.1.0 // indirect

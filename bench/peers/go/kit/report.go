// A report in the form of Google Benchmark's JSON, so that run.py reads both alike.
//
// SPDX-License-Identifier: Apache-2.0
// Package kit is what the Go peers of every area share.
package kit

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"regexp"
	"runtime"
	"time"
)

// A Row measures once and says how many nanoseconds one operation took. It may add counters.
type Row struct {
	Name string
	Run  func(counters map[string]float64) float64
}

// Runs every row `repetitions` times, in a random order, as Google Benchmark does with its random
// interleaving.
func measure(rows []Row, repetitions int) []map[string]any {
	var order []Row
	for i := 0; i < repetitions; i++ {
		order = append(order, rows...)
	}
	random := rand.New(rand.NewSource(time.Now().UnixNano()))
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })

	var results []map[string]any
	for _, row := range order {
		counters := map[string]float64{}
		result := map[string]any{
			"name":      row.Name,
			"run_type":  "iteration",
			"real_time": row.Run(counters),
			"time_unit": "ns",
		}
		for name, value := range counters {
			result[name] = value
		}
		results = append(results, result)
	}
	return results
}

// Main runs the rows that the command line names and prints the report.
func Main(rows []Row) {
	pattern := flag.String("filter", "", "regular expression for the names of the rows to run")
	repetitions := flag.Int("repetitions", 1, "how often to run each row")
	flag.Parse()
	var chosen []Row
	for _, row := range rows {
		if regexp.MustCompile(*pattern).MatchString(row.Name) {
			chosen = append(chosen, row)
		}
	}
	report := map[string]any{
		"context": map[string]any{
			"go":         runtime.Version(),
			"gomaxprocs": runtime.GOMAXPROCS(0),
		},
		"benchmarks": measure(chosen, *repetitions),
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

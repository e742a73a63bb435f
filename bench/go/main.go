// SPDX-License-Identifier: MIT

// Command bench measures what a get and a put cost in Go, beside what others take for it.  Start it with run, which
// fetches the others.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

const (
	processors  = 2 // of the runtime
	connections = 8 // more than there are goroutines, where nobody is to wait
	noise       = 0.05
)

func main() {
	json := flag.String("json", "", "write the figures to this `file`, too")
	rounds := flag.Int("rounds", 15, "rounds of each contender")
	length := flag.Int("round-ms", 60, "length of a round in `milliseconds`")
	longRounds := flag.Int("long-rounds", 5, "rounds of each contender in which turns and waits are noted")
	longLength := flag.Int("long-round-ms", 1000, "length of such a round in `milliseconds`")
	flag.Parse()
	if flag.NArg() > 0 || *rounds < 1 || *length < 1 || *longRounds < 1 || *longLength < 1 {
		flag.Usage()
		os.Exit(2)
	}
	runtime.GOMAXPROCS(processors)
	m := &measurement{rounds: *rounds, length: time.Duration(*length) * time.Millisecond, longRounds: *longRounds,
		longLength: time.Duration(*longLength) * time.Millisecond, report: newReport()}
	m.compare("get_put_1_goroutine", contest{goroutines: 1, connections: connections})
	m.compare("get_put_2_goroutines", contest{goroutines: 2, connections: connections})
	m.compare("contended", contest{goroutines: 4, connections: 1, yields: true})
	crowd := contest{goroutines: 64, connections: 8}
	m.share("64_goroutines", crowd)
	crowd.yields = true
	m.share("64_goroutines_8_connections", crowd)
	m.wait("64_goroutines_8_connections", crowd)
	crowd.lasts = time.Millisecond
	m.wait("64_goroutines_1_ms", crowd)
	m.replace("open_and_close")
	m.allocations("allocations")
	if *json != "" {
		if err := m.report.write(*json); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	}
	if m.report.missed {
		os.Exit(1)
	}
}

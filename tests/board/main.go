// SPDX-License-Identifier: MIT

// Command board reads a dashboard as Grafana's own library does, which refuses a member that is unknown, missing or of
// another type.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func read(path string) (board dashboard.Dashboard, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return board, err
	}
	err = board.UnmarshalJSONStrict(text) // an error without a text, where nothing is wrong
	if err != nil && err.Error() != "" {
		return board, err
	}
	return board, board.Validate()
}

func main() {
	types := cog.NewRuntime()
	types.RegisterPanelcfgVariant(timeseries.VariantConfig())
	types.RegisterDataqueryVariant(prometheus.VariantConfig())
	board, err := read(os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "FAILED: %s is no dashboard of Grafana:\n%v\n", os.Args[1], err)
		os.Exit(1)
	}
	fmt.Printf("%s has %d panels\n", *board.Title, len(board.Panels))
}

// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

// Figures, shown as a table while they come in and written as JSON at the end.
type report struct {
	figures []figure
	missed  bool
}

type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Bound *string `json:"bound"`
	Met   *bool   `json:"met"`

	// Of what compares contenders: the rounds, in their order.
	Case      string    `json:"case,omitempty"`
	Contender string    `json:"contender,omitempty"`
	Rounds    []float64 `json:"rounds,omitempty"`
}

func newReport() *report {
	r := new(report)
	r.line("name", "value", "unit", "bound", "met")
	return r
}

func (r *report) line(name, value, unit, bound, met string) {
	fmt.Printf("%-34s %12s  %-26s %10s  %s\n", name, value, unit, bound, met)
}

func (r *report) only(name string, value float64, unit string) {
	r.line(name, shown(value), unit, "", "")
	r.figures = append(r.figures, figure{Name: name, Value: value, Unit: unit})
}

// The median of a contender's rounds.
func (r *report) rounds(name, contender string, rounds []float64, unit string) {
	r.only(name+"."+contender, median(rounds), unit)
	last := &r.figures[len(r.figures)-1]
	last.Case, last.Contender, last.Rounds = name, contender, rounds
}

func (r *report) atMost(name string, value float64, unit string, limit float64) {
	r.bound(name, value, unit, fmt.Sprintf("<= %g", limit), value <= limit)
}

func (r *report) atLeast(name string, value float64, unit string, limit float64) {
	r.bound(name, value, unit, fmt.Sprintf(">= %g", limit), value >= limit)
}

func (r *report) bound(name string, value float64, unit, bound string, met bool) {
	word := "yes"
	if !met {
		word, r.missed = "no", true
	}
	r.line(name, shown(value), unit, bound, word)
	r.figures = append(r.figures, figure{Name: name, Value: value, Unit: unit, Bound: &bound, Met: &met})
}

func shown(value float64) string {
	if value >= 10 {
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.3f", value)
}

func (r *report) write(file string) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // bounds are no tags
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r.figures); err != nil {
		return err
	}
	return os.WriteFile(file, text.Bytes(), 0o666)
}

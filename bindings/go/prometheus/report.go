// SPDX-License-Identifier: MIT

package poolprometheus

import (
	"math"
	"strconv"
	"strings"
)

// A metric as the library writes it in Prometheus's text format.
type family struct {
	name, help, kind string
	samples          []sample
}

type sample struct {
	suffix     string // of histograms "_bucket", "_sum" or "_count"
	reason, le string // what tells the samples of one pool apart
	value      float64
}

// Reads a report of one pool.
func parse(report string) (families []family) {
	for _, line := range strings.Split(report, "\n") {
		switch words := strings.SplitN(line, " ", 4); {
		case strings.HasPrefix(line, "# HELP ") && len(words) == 4:
			families = append(families, family{name: words[2], help: words[3]})
		case len(families) == 0:
		case strings.HasPrefix(line, "# TYPE ") && len(words) == 4:
			families[len(families)-1].kind = words[3]
		default:
			families[len(families)-1].add(line)
		}
	}
	return
}

// NAME_SUFFIX{LABELS} VALUE
func (f *family) add(line string) {
	name, rest, is := strings.Cut(line, "{")
	end := strings.LastIndex(rest, "} ")
	if !is || end < 0 {
		return
	}
	value, err := strconv.ParseFloat(rest[end+2:], 64)
	if err != nil {
		value = math.NaN()
	}
	labels := rest[:end]
	f.samples = append(f.samples, sample{suffix: strings.TrimPrefix(name, f.name), reason: label(labels, "reason"),
		le: label(labels, "le"), value: value})
}

// The value of a label that is not the first.  Inside of a value each quote has a backslash, so it is not found there.
func label(labels, name string) string {
	_, rest, _ := strings.Cut(labels, ","+name+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// A histogram as its samples have it.
type histogram struct {
	count   uint64
	sum     float64
	buckets map[float64]uint64
}

func (f *family) histogram() histogram {
	h := histogram{buckets: make(map[float64]uint64)}
	for _, each := range f.samples {
		switch each.suffix {
		case "_count":
			h.count = uint64(each.value)
		case "_sum":
			h.sum = each.value
		default:
			if le, err := strconv.ParseFloat(each.le, 64); err == nil && !math.IsInf(le, 0) {
				h.buckets[le] = uint64(each.value)
			}
		}
	}
	return h
}

// The same with this many more that took no time.
func (h histogram) withInstant(count uint64) histogram {
	more := histogram{count: h.count + count, sum: h.sum, buckets: make(map[float64]uint64)}
	for le, passed := range h.buckets {
		more.buckets[le] = passed + count
	}
	return more
}

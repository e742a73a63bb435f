// SPDX-License-Identifier: MIT

// Package poolprometheus is a collector for github.com/prometheus/client_golang.  It is a module of its own, so that a
// program without Prometheus needs nothing of it.
//
//	registry.MustRegister(poolprometheus.NewCollector(clients))
//
// It has the metrics that Report writes, libpool_*, and the same by the names that OpenTelemetry gives to those of
// connection pools, db_client_connection_*, which ready-made boards know.
package poolprometheus

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"libpool.example/go/pool"
)

// Collector collects the metrics of one pool.  Prometheus tells pools apart by their names.
type Collector struct {
	pool     pool.Source
	own      map[string]*prometheus.Desc
	standard standard
}

// NewCollector makes a collector for a pool, which need not be open.
func NewCollector(source pool.Source) *Collector {
	c := &Collector{pool: source, own: make(map[string]*prometheus.Desc), standard: newStandard(source.Name())}
	report, _ := source.Report(pool.Prometheus) // the format is known, so it does not fail
	for _, each := range parse(report) {
		if !strings.HasPrefix(each.name, "libpool_") {
			continue // the standard's names are in the report too
		}
		var labels []string
		if each.hasReasons() {
			labels = []string{"reason"}
		}
		c.own[each.name] = prometheus.NewDesc(each.name, each.help, labels, prometheus.Labels{"pool": source.Name()})
	}
	return c
}

func (f *family) hasReasons() bool { return len(f.samples) > 0 && f.samples[0].reason != "" }

// Describe sends what Collect may send.
func (c *Collector) Describe(descs chan<- *prometheus.Desc) {
	for _, each := range c.own {
		descs <- each
	}
	c.standard.describe(descs)
}

// Collect sends the metrics of this moment.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	report, _ := c.pool.Report(pool.Prometheus)
	families := make(map[string]family)
	for _, each := range parse(report) {
		families[each.name] = each
		if desc := c.own[each.name]; desc != nil {
			each.collect(desc, metrics)
		}
	}
	c.standard.collect(families, metrics)
}

func (f *family) collect(desc *prometheus.Desc, metrics chan<- prometheus.Metric) {
	if f.kind == "histogram" {
		f.histogram().collect(desc, metrics)
		return
	}
	kind := prometheus.GaugeValue
	if f.kind == "counter" {
		kind = prometheus.CounterValue
	}
	for _, each := range f.samples {
		if each.reason != "" {
			metrics <- prometheus.MustNewConstMetric(desc, kind, each.value, each.reason)
		} else {
			metrics <- prometheus.MustNewConstMetric(desc, kind, each.value)
		}
	}
}

func (h histogram) collect(desc *prometheus.Desc, metrics chan<- prometheus.Metric) {
	metrics <- prometheus.MustNewConstHistogram(desc, h.count, h.sum, h.buckets)
}

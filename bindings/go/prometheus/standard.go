// SPDX-License-Identifier: MIT

package poolprometheus

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
)

// The metrics of connection pools by OpenTelemetry's names, as Prometheus spells them.
type standard struct {
	count, max, idleMax, idleMin, pending, timeouts *prometheus.Desc
	wait, create, use                               *prometheus.Desc
}

func newStandard(name string) standard {
	desc := func(metric, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("db_client_connection_"+metric, help+".", labels,
			prometheus.Labels{"db_client_connection_pool_name": name})
	}
	return standard{
		count:    desc("count", "Connections by state", "db_client_connection_state"),
		max:      desc("max", "The hard cap on connections, where there is one"),
		idleMax:  desc("idle_max", "How many connections may be idle"),
		idleMin:  desc("idle_min", "How many connections are kept idle"),
		pending:  desc("pending_requests", "Gets that wait for a connection"),
		timeouts: desc("timeouts_total", "Gets that ended at their deadline"),
		wait:     desc("wait_time_seconds", "Time to get a connection, of every get; without a wait in the queue 0"),
		create:   desc("create_time_seconds", "Time to open a connection"),
		use:      desc("use_time_seconds", "Time between get and put, of one lease in 1024 of each slot, its first among them"),
	}
}

func (s *standard) describe(descs chan<- *prometheus.Desc) {
	all := []*prometheus.Desc{s.count, s.max, s.idleMax, s.idleMin, s.pending, s.timeouts, s.wait, s.create, s.use}
	for _, each := range all {
		descs <- each
	}
}

func (s *standard) collect(own map[string]family, metrics chan<- prometheus.Metric) {
	value := func(name string) float64 {
		if family := own["libpool_"+name]; len(family.samples) == 1 {
			return family.samples[0].value
		}
		return 0
	}
	times := func(name string) histogram {
		family := own["libpool_"+name]
		return family.histogram()
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	gauge(s.count, value("connections_leased"), "used")
	gauge(s.count, value("connections_idle"), "idle")
	gauge(s.count, value("connections_opening"), "opening")
	known := value("connections_leased") + value("connections_idle") + value("connections_opening")
	gauge(s.count, math.Max(0, value("connections_open")-known), "other")
	gauge(s.pending, value("waiting"))
	gauge(s.idleMin, value("min_idle"))
	gauge(s.idleMax, value("max_idle"))
	if most := value("max_open"); most > 0 {
		gauge(s.max, most)
	}
	metrics <- prometheus.MustNewConstMetric(s.timeouts, prometheus.CounterValue, value("timed_out_total"))
	got, waits := value("leases_total")+value("connections_leased"), times("wait_seconds")
	if instant := got - float64(waits.count); instant > 0 {
		waits = waits.withInstant(uint64(instant))
	}
	waits.collect(s.wait, metrics)
	times("open_time_seconds").collect(s.create, metrics)
	times("use_seconds").collect(s.use, metrics)
}

// SPDX-License-Identifier: MIT

package poolprometheus_test

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"libpool.example/go/pool"
	poolprometheus "libpool.example/go/prometheus"
)

func newPool(t *testing.T, config pool.Config) *pool.Pool[*int] {
	t.Helper()
	p, err := pool.New(config, func(context.Context) (*int, error) { return new(int), nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

func lend(t *testing.T, p *pool.Pool[*int]) pool.Lease[*int] {
	t.Helper()
	lease, err := p.Get(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func registryOf(t *testing.T, collectors ...prometheus.Collector) *prometheus.Registry {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	for _, each := range collectors {
		if err := registry.Register(each); err != nil {
			t.Fatal(err)
		}
	}
	return registry
}

func TestMetricsHaveTheNamesOfTheLibraryAndOfOpenTelemetry(t *testing.T) {
	p := newPool(t, pool.Config{Name: `the "prices"`, MaxOpen: 7, MinIdle: 0})
	first, second := lend(t, p), lend(t, p)
	defer first.Release()
	if err := second.Release(); err != nil {
		t.Fatal(err)
	}
	third := lend(t, p)
	if err := third.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Resize(9); err != nil {
		t.Fatal(err)
	}
	want := `
# HELP db_client_connection_count Connections by state.
# TYPE db_client_connection_count gauge
db_client_connection_count{db_client_connection_pool_name="the \"prices\"",db_client_connection_state="idle"} 0
db_client_connection_count{db_client_connection_pool_name="the \"prices\"",db_client_connection_state="opening"} 0
db_client_connection_count{db_client_connection_pool_name="the \"prices\"",db_client_connection_state="other"} 0
db_client_connection_count{db_client_connection_pool_name="the \"prices\"",db_client_connection_state="used"} 1
# HELP db_client_connection_max The hard cap on connections, where there is one.
# TYPE db_client_connection_max gauge
db_client_connection_max{db_client_connection_pool_name="the \"prices\""} 9
# HELP libpool_leases_total Leases that ended.
# TYPE libpool_leases_total counter
libpool_leases_total{pool="the \"prices\""} 2
`
	registry := registryOf(t, poolprometheus.NewCollector(p))
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"db_client_connection_count", "db_client_connection_max", "libpool_leases_total"); err != nil {
		t.Error(err)
	}
	if got := closedBy(t, registry)["unusable"]; got != 1 {
		t.Errorf("closed as unusable: %v", got)
	}
}

// A program that serves Report and one that has the collector show the same metrics, with the same texts.
func TestTheCollectorHasTheMetricsOfTheReport(t *testing.T) {
	p := newPool(t, pool.Config{Name: "prices", MaxOpen: 7, MinIdle: 1})
	if err := lend(t, p).Release(); err != nil {
		t.Fatal(err)
	}
	text, err := p.Report(pool.Prometheus)
	if err != nil {
		t.Fatal(err)
	}
	reported := make(map[string]string)
	for _, line := range strings.Split(text, "\n") {
		if words := strings.SplitN(line, " ", 4); len(words) == 4 && words[1] == "HELP" {
			reported[words[2]] = words[3]
		}
	}
	families, err := registryOf(t, poolprometheus.NewCollector(p)).Gather()
	if err != nil || len(reported) < 50 {
		t.Fatalf("%d metrics in the report, %v", len(reported), err)
	}
	for _, family := range families {
		if help, ok := reported[family.GetName()]; !ok || help != family.GetHelp() {
			t.Errorf("%s: %q, and in the report %q", family.GetName(), family.GetHelp(), help)
		}
		delete(reported, family.GetName())
	}
	for name := range reported {
		t.Errorf("the collector has no %s", name)
	}
}

// The connections closed, by their reasons.
func closedBy(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	reasons := make(map[string]float64)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "libpool_connections_closed_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "reason" {
					reasons[label.GetValue()] = metric.GetCounter().GetValue()
				}
			}
		}
	}
	return reasons
}

// OpenTelemetry counts each get, the library those that were in the queue.
func TestTheTimeOfWaitsIsThatOfAllGets(t *testing.T) {
	clients := newPool(t, pool.Config{Name: "prices"})
	for i := 0; i < 5; i++ {
		if err := lend(t, clients).Release(); err != nil {
			t.Fatal(err)
		}
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(poolprometheus.NewCollector(clients))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]uint64)
	for _, family := range families {
		if histogram := family.GetMetric()[0].GetHistogram(); histogram != nil {
			counts[family.GetName()] = histogram.GetSampleCount()
			if buckets := histogram.GetBucket(); len(buckets) == 0 ||
				buckets[len(buckets)-1].GetCumulativeCount() != histogram.GetSampleCount() {
				t.Errorf("%s has %d buckets", family.GetName(), len(buckets))
			}
		}
	}
	if counts["db_client_connection_wait_time_seconds"] != 5 || counts["libpool_wait_seconds"] != 0 ||
		counts["db_client_connection_create_time_seconds"] != 1 || counts["libpool_open_time_seconds"] != 1 {
		t.Errorf("counts are %v", counts)
	}
}

func TestPoolsAreToldApartByTheirNames(t *testing.T) {
	prices, others := poolprometheus.NewCollector(newPool(t, pool.Config{Name: "prices"})),
		poolprometheus.NewCollector(newPool(t, pool.Config{Name: "others"}))
	registry := registryOf(t, prices, others)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		if problem.Metric != "db_client_connection_count" { // which OpenTelemetry calls so
			t.Errorf("%+v", problem)
		}
	}
	again := poolprometheus.NewCollector(newPool(t, pool.Config{Name: "prices"}))
	if registry.Register(again) == nil {
		t.Error("two pools of one name, and no error")
	}
	if !registry.Unregister(prices) || registry.Register(again) != nil {
		t.Error("a pool cannot take the place of another")
	}
}

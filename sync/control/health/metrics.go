package health

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"usersyncd/sync/control"
)

// maxScrapes is how many scrapes are answered at the same time; more get 503.
const maxScrapes = 4

// newRegistry has the daemon's own metrics, made of one Status for each scrape, and those of the process. No library adds
// to it, as one could to the default registry.
func newRegistry(src control.Source, limits func() Limits) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(newCollector(src, limits), collectors.NewGoCollector(), collectors.NewBuildInfoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// A collector makes constant metrics of a Status when it is asked: nothing is counted twice, and nothing can
// differ from what "usersyncd status" says.
type collector struct {
	src    control.Source
	limits func() Limits
	all    []measure
	descs  []*prometheus.Desc // of all, in its order
}

func newCollector(src control.Source, limits func() Limits) *collector {
	c := &collector{src: src, limits: limits, all: measures()}
	for _, m := range c.all {
		c.descs = append(c.descs, prometheus.NewDesc(m.name, m.help, m.labels, nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(metrics chan<- prometheus.Metric) {
	s, now := c.src.Status(), time.Now()
	ready, _ := report(checks(s, c.limits(), now), false)
	at := moment{Status: s, ready: ready}
	for i, m := range c.all {
		m.of(&at, func(value float64, labels ...string) {
			metric, err := prometheus.NewConstMetric(c.descs[i], m.kind, value, labels...)
			if err != nil { // a label that is no UTF-8: the scrape says so, and the rest is told
				metric = prometheus.NewInvalidMetric(c.descs[i], err)
			}
			metrics <- metric
		})
	}
}

package cli

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ribambelle/internal/db"
	"ribambelle/internal/mirror"
)

// metrics is what Prometheus may read. No label carries a person, an address or an id.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

func newMetrics(a *app) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "ribambelle_http_seconds",
			Help:    "Time to answer a request, by route, method and status.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "method", "status"}),
	}
	m.registry.MustRegister(
		m.requests,
		&stored{db: a.db},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// observe is the portal's hook.
func (m *metrics) observe(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}

// stored reads the figures that live in the database, at each scrape.
type stored struct {
	db *db.DB
}

var (
	jobsDesc     = prometheus.NewDesc("ribambelle_jobs", "Jobs in the queue, by kind and state.", []string{"kind", "state"}, nil)
	oldestDesc   = prometheus.NewDesc("ribambelle_job_oldest_seconds", "Age of the oldest job that is due and not done, by kind.", []string{"kind"}, nil)
	firedDesc    = prometheus.NewDesc("ribambelle_schedule_fired_timestamp_seconds", "When each schedule fired last.", []string{"name"}, nil)
	driftDesc    = prometheus.NewDesc("ribambelle_odoo_drift", "Differences with Odoo that are not solved, by kind.", []string{"kind"}, nil)
	comparedDesc = prometheus.NewDesc("ribambelle_odoo_compared_timestamp_seconds", "When both sides were last compared.", nil, nil)
	poolDesc     = prometheus.NewDesc("ribambelle_db_connections", "Connections of this process's pool, by state.", []string{"state"}, nil)
	scrapedDesc  = prometheus.NewDesc("ribambelle_db_up", "Whether the database answered this scrape.", nil, nil)
	storedDescs  = []*prometheus.Desc{jobsDesc, oldestDesc, firedDesc, driftDesc, comparedDesc, poolDesc, scrapedDesc}
	scrapeBudget = 5 * time.Second
)

// Describe announces the figures.
func (s *stored) Describe(c chan<- *prometheus.Desc) {
	for _, d := range storedDescs {
		c <- d
	}
}

// Collect reads the figures; a database that does not answer is itself a figure.
func (s *stored) Collect(c chan<- prometheus.Metric) {
	stat := s.db.Stat()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(poolDesc, float64(stat.AcquiredConns()), "busy")
	gauge(poolDesc, float64(stat.IdleConns()), "idle")

	ctx, cancel := context.WithTimeout(context.Background(), scrapeBudget)
	defer cancel()
	up := 1.0
	for _, read := range []func(context.Context, func(*prometheus.Desc, float64, ...string)) error{s.jobs, s.oldest, s.fired, s.drift} {
		if read(ctx, gauge) != nil {
			up = 0
		}
	}
	gauge(scrapedDesc, up)
}

func (s *stored) jobs(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) error {
	const q = `
		SELECT kind, state::text, count(*)::float8
		FROM river_job
		GROUP BY kind, state`
	rows, err := s.db.Query(ctx, q)
	if err != nil {
		return err
	}
	var kind, state string
	var n float64
	_, err = pgx.ForEachRow(rows, []any{&kind, &state, &n}, func() error { gauge(jobsDesc, n, kind, state); return nil })
	return err
}

func (s *stored) oldest(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) error {
	const q = `
		SELECT kind, extract(epoch FROM now() - min(scheduled_at))::float8
		FROM river_job
		WHERE state IN ('available', 'retryable', 'running')
		  AND scheduled_at <= now()
		GROUP BY kind`
	rows, err := s.db.Query(ctx, q)
	if err != nil {
		return err
	}
	var kind string
	var age float64
	_, err = pgx.ForEachRow(rows, []any{&kind, &age}, func() error { gauge(oldestDesc, age, kind); return nil })
	return err
}

func (s *stored) fired(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) error {
	const q = `
		SELECT name, extract(epoch FROM last_fired_at)::float8
		FROM schedule
		WHERE last_fired_at IS NOT NULL`
	rows, err := s.db.Query(ctx, q)
	if err != nil {
		return err
	}
	var name string
	var at float64
	_, err = pgx.ForEachRow(rows, []any{&name, &at}, func() error { gauge(firedDesc, at, name); return nil })
	return err
}

// drift tells each kind, also when nothing differs: a counter that is missing means that nobody compared.
func (s *stored) drift(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) error {
	cursor, err := mirror.ReadCursor(ctx, s.db, mirror.ModelComparison)
	if err != nil || cursor.SweptAt == nil {
		return err
	}
	counts, err := mirror.CountDrift(ctx, s.db)
	if err != nil {
		return err
	}
	for _, kind := range []string{mirror.Camp, mirror.Registration, mirror.Guardian} {
		gauge(driftDesc, float64(counts[kind]), kind)
	}
	gauge(comparedDesc, float64(cursor.SweptAt.Unix()))
	return nil
}

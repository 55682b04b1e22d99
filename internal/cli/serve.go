package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	campcron "ribambelle/cron"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/portal"
	"ribambelle/portal/page"
)

type serveCommand struct {
	Demo bool `help:"Fill what is not configured with simulators, and make a commune to play with."`
}

// Run serves until SIGINT or SIGTERM. The addresses are taken first, so that a port in use stops everything before
// anything has begun.
func (c serveCommand) Run(r *run) (err error) {
	l, err := listen(r.ctx, "LISTEN", r.config.Listen)
	if err != nil {
		return err
	}
	defer l.Close()
	var metrics net.Listener
	if r.config.MetricsListen != "" {
		if metrics, err = listen(r.ctx, "METRICS_LISTEN", r.config.MetricsListen); err != nil {
			return err
		}
		defer metrics.Close()
	}
	o := options{demo: c.Demo, serving: true}
	if c.Demo { // the terminal belongs to the addresses and accounts
		o.level = slog.LevelWarn
	}
	a, err := openApp(r, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	return a.serve(r, l, metrics)
}

// serve runs the pages, the jobs and the schedule on what openApp made.
func (a *app) serve(r *run, l, metrics net.Listener) error {
	m := newMetrics(a)
	var demo *page.Demo
	if a.demo {
		if err := a.furnish(r.ctx); err != nil {
			return err
		}
		demo = &page.Demo{MailURL: "http://" + a.sims.addr.MailAddr, Accounts: demoAccounts()}
	}
	c := portal.Config{
		DB: a.db, Account: a.account, Household: a.household, Medical: a.medical, Camp: a.camp, Transport: a.transport,
		Enrol: a.enrol, Ledger: a.ledger, Jobs: a.jobs, PublicURL: a.config.PublicURL, Demo: demo, Now: a.now, Log: a.log, Box: a.box,
		Slots: a.config.rushSlots(), Proxies: a.config.proxies(),
		Ready:      func(ctx context.Context) error { return db.CheckSchema(ctx, a.db) },
		Observe:    m.observe,
		InvoicePDF: a.invoicePDF,
		Schedule:   a.scheduled(),
	}
	if a.bancontact != nil {
		c.Bancontact, c.BancontactKeys = a.bancontact.Receiver(a.webhookURL(portal.BancontactSignalPath)), a.bancontact.JWKS
		c.Bancontact.Now = a.now
	}
	handler, err := portal.New(c)
	if err != nil {
		return err
	}
	jobs, err := job.New(a.db, a.log, a.workers()...)
	if err != nil {
		return err
	}
	if err := jobs.Start(r.ctx); err != nil {
		return err
	}
	defer stopJobs(jobs)
	schedule, err := campcron.Start(r.ctx, a.db, a.jobs, a.log, a.schedule())
	if err != nil {
		return err
	}
	defer schedule.Stop()

	var others []*serving
	if metrics != nil {
		others = append(others, serveHTTP(metrics, m.handler(), a.log))
	}
	site := serveHTTP(l, handler, a.log)
	defer func() {
		for _, s := range append(others, site) {
			s.shutdown()
		}
	}()
	if a.sims != nil {
		watch, stop := context.WithCancel(r.ctx)
		defer stop()
		go a.sims.takeOver(watch)
	}
	a.announce(r, l, metrics)
	select {
	case <-r.ctx.Done():
		return nil
	case err := <-site.failed:
		return err
	}
}

// schedule is the whole schedule, without what needs an Odoo when there is none.
func (a *app) schedule() []campcron.Entry {
	if a.odoo != nil {
		return campcron.Schedule
	}
	return slices.DeleteFunc(slices.Clone(campcron.Schedule), func(e campcron.Entry) bool { return strings.HasPrefix(e.Name, "sync_") })
}

// scheduled tells the system page when each entry is due.
func (a *app) scheduled() []portal.Scheduled {
	var all []portal.Scheduled
	for _, e := range a.schedule() {
		all = append(all, portal.Scheduled{Name: e.Name, Next: func(now time.Time) (time.Time, error) { return campcron.Next(e.Spec, now) }})
	}
	return all
}

func stopJobs(jobs *job.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_ = jobs.Stop(ctx) // what is cut short is taken up again at the next start
}

// announce prints where everything is, once it answers.
func (a *app) announce(r *run, l, metrics net.Listener) {
	fmt.Fprintf(r.out, "\nRibambelle %s\n\n", version)
	line := func(name, where string) { fmt.Fprintf(r.out, "  %-10s %s\n", name, where) }
	line("portal", "http://"+l.Addr().String())
	if metrics != nil {
		line("metrics", "http://"+metrics.Addr().String()+"/metrics")
	}
	if a.demo {
		line("mails", "http://"+a.sims.addr.MailAddr)
		line("Odoo", a.config.OdooURL)
		line("payments", a.config.MollieAPIURL)
		line("Bancontact", a.config.BancontactURL)
		fmt.Fprintf(r.out, "\nThis is a demo: nothing leaves this machine. Sign in as\n\n")
		for _, account := range demoAccounts() {
			fmt.Fprintf(r.out, "  %-28s  %-32s  %s\n", account.Role, account.Email, account.Password)
		}
	} else if a.odoo == nil {
		line("Odoo", "none: camps and registrations are not mirrored")
	}
	fmt.Fprintf(r.out, "\nReady. Ctrl-C stops.\n")
}

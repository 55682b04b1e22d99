package seed_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"testing"

	"ribambelle/connector"
	"ribambelle/connector/eventmodule/eventmoduletest"
	"ribambelle/internal/account"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/seed"
	campsync "ribambelle/sync"
)

func TestFillKeepsTheInvariants(t *testing.T) {
	t.Parallel()
	url, _, _ := eventmoduletest.Start(t)
	w, ctx := enroltest.New(t), t.Context()
	odoo, err := connector.New(connector.Config{URL: url, DB: eventmoduletest.DB, User: "admin", Password: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	s := &campsync.Syncer{DB: w.DB, Now: w.Now, Odoo: odoo, Camps: w.Camps, Enrol: w.Enrol, Households: w.Households, Log: slog.New(slog.DiscardHandler)}
	f := &seed.Filler{
		DB: w.DB, Now: w.Now, Odoo: odoo, Accounts: account.New(w.DB, w.Now, w.Box, w.Jobs), Rand: rand.New(rand.NewPCG(1, 2)),
		Pull: func(ctx context.Context) error { _, err := s.Pull(ctx, false); return err },
	}
	for range 2 { // each run adds
		if err := f.Fill(ctx, seed.Counts{Children: 120, Camps: 40, Registrations: 300}); err != nil {
			t.Fatal(err)
		}
	}
	for table, want := range map[string]int{"child": 240, "camp": 80, "registration": 600} {
		var got int
		if err := w.DB.QueryRow(ctx, `SELECT count(*) FROM `+table).Scan(&got); err != nil || got != want {
			t.Errorf("%d rows in %s, want %d (%v)", got, table, want, err)
		}
	}
	for name, sql := range enrol.Invariants {
		var broken int
		if err := w.DB.QueryRow(ctx, `SELECT count(*) FROM (`+sql+`) AS b`).Scan(&broken); err != nil || broken > 0 {
			t.Errorf("%s: %d rows break it (%v)", name, broken, err)
		}
	}
	r, err := s.Run(ctx, false)
	if err != nil || r.Refused > 0 || r.Waiting > 0 {
		t.Errorf("the push that follows: %+v, %v", r, err)
	}
	if err := f.Fill(ctx, seed.Counts{Children: 1, Camps: 1, Registrations: 50}); err == nil {
		t.Error("fifty registrations of one child were made")
	}
}

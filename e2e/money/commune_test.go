package money

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/household"
	"ribambelle/internal/pay"
	"ribambelle/internal/pay/mollie"
)

// The environment of a worker: the commune's database, the provider, when the commune's clock began, its seed.
const (
	envDB    = "MONEY_DATABASE"
	envSim   = "MONEY_PROVIDER"
	envOut   = "MONEY_OUTSIDE"
	envBegan = "MONEY_BEGAN"
	envSeed  = "MONEY_SEED"
)

const apiKey = "test_the_books_of_money"

// clock is the commune's: it goes on from enroltest.Start since began, the same in every process.
func clock(began time.Time) civil.Clock {
	return func() time.Time { return enroltest.Start.Add(time.Since(began)) }
}

// commune is one process's view of the commune under proof.
type commune struct {
	db       *db.DB
	enrol    *enrol.Store
	sim      string // address of the provider
	outside  string // address of what happens outside: payers, and the provider's signals
	children []uuid.UUID
	guardian map[uuid.UUID]uuid.UUID // who registers a child
	other    uuid.UUID               // who may pay for every child
	org      uuid.UUID
	account  uuid.UUID // of the staff
	second   uuid.UUID
	camps    []uuid.UUID
}

// join opens the commune in a process.
func join(ctx context.Context, d *db.DB, sim, outside string, now civil.Clock) (*commune, error) {
	w, err := enroltest.On(d)
	if err != nil {
		return nil, err
	}
	client, err := mollie.New(sim, apiKey)
	if err != nil {
		return nil, err
	}
	store := *w.Enrol
	store.Now, store.Providers = now, []pay.Provider{client}
	store.Households = household.New(d, now, w.Box, w.Jobs)
	store.WebhookURLs = map[string]string{client.Name(): outside + "/signal"}
	c := &commune{db: d, enrol: &store, sim: sim, outside: outside, guardian: map[uuid.UUID]uuid.UUID{}}
	return c, c.read(ctx)
}

// read finds the people and camps that raise made.
func (c *commune) read(ctx context.Context) error {
	rows, err := c.db.Query(ctx, `
		SELECT s.child_id, s.guardian_id
		FROM guardianship s
		JOIN guardian g ON g.id = s.guardian_id
		WHERE 'register' = ANY(s.rights)
		ORDER BY s.child_id`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var child, guardian uuid.UUID
		if err := rows.Scan(&child, &guardian); err != nil {
			return err
		}
		c.children = append(c.children, child)
		c.guardian[child] = guardian
	}
	if err := rows.Err(); err != nil {
		return err
	}
	err = c.db.QueryRow(ctx, `
		SELECT (SELECT array_agg(id ORDER BY begins_at) FROM camp),
		  (SELECT id FROM guardian WHERE kind = 'organisation'),
		  (SELECT value::uuid FROM setting WHERE key = 'proof.other'),
		  (SELECT min(id::text)::uuid FROM account), (SELECT max(id::text)::uuid FROM account)`,
	).Scan(&c.camps, &c.org, &c.other, &c.account, &c.second)
	if err != nil {
		return fmt.Errorf("reading the commune: %w", err)
	}
	return nil
}

// raise makes the commune: camps of every way of deciding, one with a deposit, families, somebody who may pay for all.
func raise(t *testing.T, w *enroltest.World) {
	t.Helper()
	ctx := t.Context()
	for i, decision := range camp.Decisions {
		c := w.CampOn(t, fmt.Sprint("Stage ", i), 0, civil.NewDate(2027, 7, 5+7*i), civil.NewDate(2027, 7, 9+7*i))
		w.Settings(t, c.ID, func(s *camp.Settings) { s.Decision, s.PriceCents = decision, civil.Cents(6000+777*i) })
	}
	other := w.Family(t, 0)
	for range 8 {
		for _, c := range w.Family(t, 3).Children {
			grant := household.Grant{Basis: household.BasisParentalAuthority, Rights: []household.Right{household.RightSee, household.RightPay}}
			if err := w.Households.Grant(ctx, enroltest.Actor, other.Guardian.ID, c.ID, grant); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := w.Households.AddOrganisation(ctx, enroltest.Actor, household.GuardianForm{
		LastName: "CPAS", Phone: "+3281000000", Street: "Rue Haute 1", Postcode: "4599", City: "Valmont",
	})
	if err != nil {
		t.Fatal(err)
	}
	for sql, args := range map[string][]any{
		`UPDATE camp SET deposit_percent = 30 WHERE name = 'Stage 1'`:                            nil,
		`INSERT INTO setting (key, value) VALUES ('proof.other', $1)`:                            {other.Guardian.ID.String()},
		`INSERT INTO setting (key, value) VALUES ('cash.no_desk', 'oui') ON CONFLICT DO NOTHING`: nil,
	} {
		if _, err := w.DB.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
}

// checkout is what a payer does on the provider's page.
func (c *commune) checkout(ctx context.Context, id, action string) {
	c.post(ctx, c.outside+"/act/"+id+"/"+action, "")
}

// post sends JSON, as the provider's staff, a payer or a bank would act; what is refused is left.
func (c *commune) post(ctx context.Context, address, body string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	if res, err := http.DefaultClient.Do(req); err == nil {
		_ = res.Body.Close()
	}
}

func env(name string) string {
	v := os.Getenv(name)
	if v == "" {
		panic(name + " is not set")
	}
	return v
}

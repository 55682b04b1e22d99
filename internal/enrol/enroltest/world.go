// Package enroltest makes a small commune on a real database for the tests of the rooms: a camp, families, a bus, and
// a payment provider in memory.
package enroltest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/medical"
	"ribambelle/internal/pay"
	"ribambelle/internal/seal"
	"ribambelle/internal/transport"
)

// World is a commune with its clock standing at Start until a test moves it.
type World struct {
	DB         *db.DB
	Enrol      *enrol.Store
	Camps      *camp.Store
	Households *household.Store
	Medical    *medical.Store
	Transport  *transport.Store
	Box        *seal.Box
	Provider   *Provider
	Jobs       *job.Client

	mu  sync.Mutex
	now time.Time
	n   int
}

// Start is the instant at which every world begins: a Tuesday at nine, in the school year of the camps below.
var Start = time.Date(2027, 5, 4, 9, 0, 0, 0, civil.Brussels)

// Actor is who sets the world up.
var Actor = audit.Command("test")

// New returns a commune on a database of its own.
func New(t testing.TB) *World {
	t.Helper()
	w, err := On(dbtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// On returns a commune on a given database: another process of the same commune, for instance.
func On(d *db.DB) (*World, error) {
	w := &World{DB: d, Box: seal.NewTest(), now: Start}
	jobs, err := job.NewInserter(w.DB)
	if err != nil {
		return nil, err
	}
	w.Jobs = jobs
	// Whoever pays in coins needs no desk here; the tests of the desk take this back.
	if err := camp.SetSetting(context.Background(), w.DB, Actor, "cash.no_desk", "oui"); err != nil {
		return nil, err
	}
	w.Households = household.New(w.DB, w.Now, w.Box, jobs)
	w.Medical = medical.New(w.DB, w.Now, w.Box, w.Households)
	w.Camps = camp.New(w.DB, w.Now)
	w.Transport = transport.New(w.DB, w.Now)
	w.Provider = &Provider{payments: map[string]pay.Payment{}, keys: map[string]string{}, world: w}
	w.Enrol = &enrol.Store{DB: w.DB, Now: w.Now, Jobs: jobs, Households: w.Households, Providers: []pay.Provider{w.Provider}}
	return w, nil
}

// Now is the world's clock.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Pass lets time go by.
func (w *World) Pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Rewind sets the clock back to Start.
func (w *World) Rewind() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = Start
}

// Camp makes a week from 5 to 9 July 2027, 9:00 to 16:00, for P1 to P6, at 60,00 €; max 0 is unlimited.
func (w *World) Camp(t testing.TB, name string, maximum int) camp.Camp {
	t.Helper()
	return w.CampOn(t, name, maximum, civil.NewDate(2027, 7, 5), civil.NewDate(2027, 7, 9))
}

// CampOn makes a camp like Camp on other days.
func (w *World) CampOn(t testing.TB, name string, maximum int, first, last civil.Date) camp.Camp {
	t.Helper()
	ctx := context.Background()
	p := camp.Pulled{
		Name: name, Location: "École du Centre", Zone: "Europe/Brussels",
		BeginsAt: first.At(9*60, civil.Brussels), EndsAt: last.At(16*60, civil.Brussels),
		Levels: []string{"P1", "P2", "P3", "P4", "P5", "P6"}, Themes: []string{"Nature"},
	}
	if maximum > 0 {
		p.Max = &maximum
	}
	var id uuid.UUID
	err := w.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		a, err := w.Camps.Apply(ctx, tx, nil, p)
		id = a.ID
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Settings(t, id, func(s *camp.Settings) {})
	c, err := w.Camps.Camp(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Settings changes the settings of a camp, starting from a published one decided by hand at 60,00 €.
func (w *World) Settings(t testing.TB, id uuid.UUID, change func(*camp.Settings)) {
	t.Helper()
	s := camp.Settings{Published: true, Decision: camp.DecisionManual, PayDays: 7, PriceCents: 6000, SheetDays: 180}
	change(&s)
	if err := w.Camps.SaveSettings(context.Background(), Actor, id, s); err != nil {
		t.Fatal(err)
	}
}

// Bus lets a line with two stops serve a camp, 10,00 € each way.
func (w *World) Bus(t testing.TB, c camp.Camp, seats int) transport.Line {
	t.Helper()
	ctx := context.Background()
	at := func(h, m int) *int { v := h*60 + m; return &v }
	l, err := w.Transport.AddLine(ctx, Actor, transport.Line{
		Name: "Ligne 1", Seats: seats, Cents: 1000,
		Stops: []transport.Stop{
			{Name: "Place de la Station", OutAt: at(8, 5), BackAt: at(16, 40)},
			{Name: "École du Nord", OutAt: at(8, 20), BackAt: at(16, 25)},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Transport.ServeCamp(ctx, Actor, l.ID, c.ID); err != nil {
		t.Fatal(err)
	}
	return l
}

// Family is a guardian with children in P3.
type Family struct {
	Account  uuid.UUID
	Guardian household.Guardian
	Children []household.Child
}

// Family makes a guardian with an account and n children, born in 2018.
func (w *World) Family(t testing.TB, n int) Family {
	t.Helper()
	ctx := context.Background()
	var f Family
	w.mu.Lock()
	w.n++
	serial := w.n
	w.mu.Unlock()
	err := w.DB.QueryRow(ctx, `
		INSERT INTO account (email, name, password_hash, confirmed_at)
		VALUES ($1, $2, 'x', now())
		RETURNING id`, fmt.Sprintf("parent%d@example.org", serial), "Parent").Scan(&f.Account)
	if err != nil {
		t.Fatal(err)
	}
	f.Guardian, err = w.Households.SaveGuardian(ctx, f.Account, household.GuardianForm{
		FirstName: "Sophie", LastName: "Lambert", Phone: "+32475123456", Street: "Rue Haute 1", Postcode: "7180", City: "Seneffe",
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		c, err := w.Households.AddChild(ctx, f.Guardian.ID, household.ChildForm{
			Key: uuid.New(), FirstName: fmt.Sprintf("Léa%c", 'a'+i), LastName: "Lambert", BirthDate: civil.NewDate(2018, 3, 14).AddDays(i), Level: "P3",
		})
		if err != nil {
			t.Fatal(err)
		}
		f.Children = append(f.Children, c)
	}
	return f
}

// Ask registers a child of a family, without bus.
func (w *World) Ask(t testing.TB, f Family, child int, c camp.Camp) enrol.Registration {
	t.Helper()
	r, err := w.Enrol.Register(context.Background(), f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[child].ID, CampID: c.ID})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Validate decides for a registration and returns it as it then is.
func (w *World) Validate(t testing.TB, f Family, r enrol.Registration) enrol.Registration {
	t.Helper()
	if err := w.Enrol.Decide(context.Background(), f.Account, r.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	return w.Read(t, r.ID)
}

// Read returns a registration as it is now.
func (w *World) Read(t testing.TB, id uuid.UUID) enrol.Registration {
	t.Helper()
	r, err := w.Enrol.Registration(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

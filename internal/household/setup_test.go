package household_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/problem"
	"ribambelle/internal/seal"
)

type bundle struct {
	db  *db.DB
	now time.Time
}

func (b *bundle) today() civil.Date { return civil.DateOf(b.now, civil.Brussels) }

var command = audit.Command("test")

// setup returns a store on the 11th of May 2026, in the school year 2025-2026.
func setup(t *testing.T) (*household.Store, *bundle) {
	t.Helper()
	d := dbtest.New(t)
	jobs, err := job.NewInserter(d)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{db: d, now: time.Date(2026, 5, 11, 9, 0, 0, 0, time.UTC)}
	return household.New(d, func() time.Time { return b.now }, seal.NewTest(), jobs), b
}

func (b *bundle) account(t *testing.T, email string) uuid.UUID {
	t.Helper()
	var id uuid.UUID
	err := b.db.QueryRow(t.Context(), `INSERT INTO account (email, name, password_hash) VALUES ($1, 'N', '') RETURNING id`, email).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func guardianForm() household.GuardianForm {
	return household.GuardianForm{
		FirstName: "Anne", LastName: "Peeters", Phone: "+32475123456", Street: "Rue de l’Église 3", Postcode: "7180", City: "Seneffe",
	}
}

func (b *bundle) guardian(t *testing.T, s *household.Store, email string) household.Guardian {
	t.Helper()
	g, err := s.SaveGuardian(t.Context(), b.account(t, email), guardianForm())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// leaForm is a child born on the 12th of March 2015.
func leaForm() household.ChildForm {
	return household.ChildForm{Key: uuid.New(), FirstName: "Léa", LastName: "Peeters", BirthDate: civil.NewDate(2015, 3, 12)}
}

func addChild(t *testing.T, s *household.Store, guardianID uuid.UUID, f household.ChildForm) household.Child {
	t.Helper()
	c, err := s.AddChild(t.Context(), guardianID, f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantProblem(t *testing.T, err error, kind problem.Kind, code string) {
	t.Helper()
	if p := problem.As(err); p == nil || p.Kind != kind || code != "" && p.Code != code {
		t.Errorf("got error %v, want %s %s", err, kind, code)
	}
}

func wantFields(t *testing.T, err error, want ...string) {
	t.Helper()
	p := problem.As(err)
	if p == nil || p.Kind != problem.KindInvalid {
		t.Fatalf("got error %v, want faulty inputs %q", err, want)
	}
	var got []string
	for _, f := range p.Fields {
		got = append(got, fmt.Sprintf("%s=%s", f.Name, f.Code))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faulty inputs (-want +got):\n%s", diff)
	}
}

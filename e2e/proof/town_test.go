package proof

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"ribambelle/e2e/house"
	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/seal"
	"ribambelle/internal/transport"
)

// town is the database that both processes work on, seen from behind.
type town struct {
	db     *db.DB
	family *household.Store
	camps  *camp.Store
	bus    *transport.Store
	actor  audit.Actor
}

func openTown(t *testing.T, h *house.House) *town {
	t.Helper()
	url, err := h.Database("ribambelle")
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	jobs, err := job.NewInserter(d)
	if err != nil {
		t.Fatal(err)
	}
	return &town{
		db: d, family: household.New(d, time.Now, seal.NewTest(), jobs), camps: camp.New(d, time.Now), bus: transport.New(d, time.Now),
		actor: audit.Command("proof"),
	}
}

// camp makes a published camp of one week next year, decided by hand, with a line of one stop.
func (w *town) camp(t *testing.T, places, seats int) (camp.Camp, transport.Line) {
	t.Helper()
	ctx := t.Context()
	first := civil.NewDate(civil.DateOf(time.Now(), civil.Brussels).Year+1, 7, 1)
	for first.Weekday() != time.Monday {
		first = first.AddDays(1)
	}
	var id uuid.UUID
	err := w.db.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		a, err := w.camps.Apply(ctx, tx, nil, camp.Pulled{
			Name: "La course aux places", Location: "Valmont", Zone: "Europe/Brussels",
			BeginsAt: first.At(9*60, civil.Brussels), EndsAt: first.AddDays(4).At(16*60, civil.Brussels), Max: &places,
		})
		id = a.ID
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.camps.SaveSettings(ctx, w.actor, id, camp.Settings{Published: true, Decision: camp.DecisionManual, PayDays: 7, PriceCents: 6000, SheetDays: 180}); err != nil {
		t.Fatal(err)
	}
	out, back := 8*60, 17*60
	line, err := w.bus.AddLine(ctx, w.actor, transport.Line{
		Name: "Course", Seats: seats, Cents: 500, Stops: []transport.Stop{{Name: "Place de la Station", OutAt: &out, BackAt: &back}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.bus.ServeCamp(ctx, w.actor, line.ID, id); err != nil {
		t.Fatal(err)
	}
	c, err := w.camps.Camp(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return c, line
}

// guardian makes a signed-in guardian with one child, and returns the session's token and the child.
func (w *town) guardian(ctx context.Context, n int) (token string, child uuid.UUID, err error) {
	var account uuid.UUID
	err = w.db.QueryRow(ctx, `
		INSERT INTO account (email, name, password_hash, confirmed_at)
		VALUES ($1, $2, 'x', now())
		RETURNING id`, fmt.Sprintf("course%d.%s@proof.example", n, uuid.NewString()[:8]), "Parent").Scan(&account)
	if err != nil {
		return "", child, err
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	token = base64.RawURLEncoding.EncodeToString(raw)
	hash := sha256.Sum256([]byte(token))
	_, err = w.db.Exec(ctx, `
		INSERT INTO user_session (token_hash, account_id, created_at, seen_at, expires_at)
		VALUES ($1, $2, now(), now(), now() + interval '1 day')`, hash[:], account)
	if err != nil {
		return "", child, err
	}
	g, err := w.family.SaveGuardian(ctx, account, household.GuardianForm{
		FirstName: "Camille", LastName: fmt.Sprintf("Famille %04d", n), Phone: fmt.Sprintf("+32475%06d", n), Street: fmt.Sprintf("Rue Haute %d", n),
		Postcode: "7180", City: "Seneffe",
	})
	if err != nil {
		return "", child, err
	}
	k, err := w.family.AddChild(ctx, g.ID, household.ChildForm{
		Key: uuid.New(), FirstName: "Sacha", LastName: fmt.Sprintf("Famille %04d", n), BirthDate: civil.NewDate(2016, 1, 1).AddDays(n % 900), Level: "P4",
	})
	return token, k.ID, err
}

func (w *town) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := w.db.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

package enrol_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/problem"
)

// agent makes an account of the office.
func agent(t *testing.T, w *enroltest.World) uuid.UUID {
	t.Helper()
	var id uuid.UUID
	err := w.DB.QueryRow(t.Context(), `INSERT INTO account (email, name, password_hash, roles) VALUES ('agent@example.test', 'Anne', '', '{agent}') RETURNING id`).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestRegisterFor(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	desk := agent(t, w)
	c, f := w.Camp(t, "Explorateurs", 2), w.Family(t, 1)
	ask := enrol.Request{Key: uuid.New(), ChildID: f.Children[0].ID, CampID: c.ID}
	if _, err := w.Enrol.RegisterFor(ctx, desk, enrol.Consent{GuardianID: f.Guardian.ID, How: "nod"}, ask); !problem.Is(err, problem.KindInvalid) {
		t.Errorf("without an agreement: %v, want invalid", err)
	}
	// Two clicks at once are one registration with one consent.
	var wait sync.WaitGroup
	made := make([]enrol.Registration, 2)
	errs := make([]error, 2)
	for i := range made {
		wait.Go(func() {
			made[i], errs[i] = w.Enrol.RegisterFor(ctx, desk, enrol.Consent{GuardianID: f.Guardian.ID, How: "signature"}, ask)
		})
	}
	wait.Wait()
	if errs[0] != nil || errs[1] != nil || made[0].ID != made[1].ID {
		t.Fatalf("registered %s (%v) and %s (%v)", made[0].ID, errs[0], made[1].ID, errs[1])
	}
	if got := count(t, w, `SELECT count(*) FROM registration_consent WHERE registration_id = $1 AND how = 'signature' AND account_id = $2`, made[0].ID, desk); got != 1 {
		t.Errorf("%d consents, want 1", got)
	}
	if got := count(t, w, `SELECT count(*) FROM registration_event WHERE registration_id = $1 AND from_state IS NULL AND actor_id = $2`, made[0].ID, desk.String()); got != 1 {
		t.Errorf("the history names the agent %d times, want once", got)
	}
	invariants(t, w)
}

func TestMoveFor(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	desk := agent(t, w)
	from, to, full := w.Camp(t, "Explorateurs", 2), w.Camp(t, "Cirque", 2), w.Camp(t, "Nature", 1)
	f := w.Family(t, 1)
	w.Ask(t, w.Family(t, 1), 0, full)
	r := w.Validate(t, f, w.Ask(t, f, 0, from))
	d := count(t, w, `SELECT price_cents FROM registration WHERE id = $1`, r.ID)
	var due uuid.UUID
	if err := w.DB.QueryRow(ctx, `SELECT id FROM due WHERE registration_id = $1`, r.ID).Scan(&due); err != nil {
		t.Fatal(err)
	}
	if err := w.Enrol.RecordPayment(ctx, desk, due, civil.Cents(d), "terminal", uuid.New()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Enrol.MoveFor(ctx, desk, r.ID, enrol.Request{Key: uuid.New(), CampID: to.ID}, " "); !problem.Is(err, problem.KindInvalid) {
		t.Errorf("without a reason: %v, want invalid", err)
	}
	_, err := w.Enrol.MoveFor(ctx, desk, r.ID, enrol.Request{Key: uuid.New(), CampID: full.ID}, "erreur de stage")
	if p := problem.As(err); p == nil || p.Code != "registration.move_full" {
		t.Errorf("to a full camp: %v", err)
	}
	if got := w.Read(t, r.ID).State; got != enrol.Confirmed {
		t.Fatalf("after a move that failed: %s, want confirmed", got)
	}
	// The old registration does not stand in the way of a camp on the same days.
	fits, err := w.Enrol.FitsInstead(ctx, r.ID, []uuid.UUID{to.ID})
	if err != nil || enrol.Barred(fits[to.ID]) {
		t.Errorf("fits %v, %v; want no bar", fits[to.ID], err)
	}
	ask := enrol.Request{Key: uuid.New(), CampID: to.ID}
	made, err := w.Enrol.MoveFor(ctx, desk, r.ID, ask, "erreur de stage")
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.Enrol.MoveFor(ctx, desk, r.ID, ask, "erreur de stage")
	if err != nil || again.ID != made.ID {
		t.Errorf("the same form again: %s, %v; want %s", again.ID, err, made.ID)
	}
	states := []enrol.State{w.Read(t, r.ID).State, made.State}
	if diff := cmp.Diff([]enrol.State{enrol.Cancelled, enrol.ToValidate}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if got := count(t, w, `SELECT count(*) FROM refund WHERE state = 'to_choose' AND registration_id = $1`, r.ID); got != 1 {
		t.Errorf("%d refunds wait for the family's choice, want 1: nothing is charged yet for the new camp", got)
	}
	invariants(t, w)
}

// TestMoveForPaysTheNewCamp: where the new camp goes through by itself, the money follows the child.
func TestMoveForPaysTheNewCamp(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	from, to := w.Camp(t, "Explorateurs", 2), w.Camp(t, "Cirque", 2)
	for id, cents := range map[uuid.UUID]civil.Cents{from.ID: 6000, to.ID: 4500} {
		w.Settings(t, id, func(s *camp.Settings) { s.Decision, s.PriceCents = camp.DecisionAutomatic, cents })
	}
	f, desk := w.Family(t, 1), agent(t, w)
	r, err := w.Enrol.Register(ctx, f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[0].ID, CampID: from.ID})
	if err != nil {
		t.Fatal(err)
	}
	var due uuid.UUID
	if err := w.DB.QueryRow(ctx, `SELECT id FROM due WHERE registration_id = $1`, r.ID).Scan(&due); err != nil {
		t.Fatal(err)
	}
	if err := w.Enrol.RecordPayment(ctx, desk, due, 6000, "terminal", uuid.New()); err != nil {
		t.Fatal(err)
	}
	made, err := w.Enrol.MoveFor(ctx, desk, r.ID, enrol.Request{Key: uuid.New(), CampID: to.ID}, "erreur de stage")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Read(t, made.ID).State; got != enrol.Confirmed {
		t.Errorf("the new registration is %s, want confirmed by the money of the old one", got)
	}
	var rest civil.Cents
	if err := w.DB.QueryRow(ctx, `SELECT sum(cents) FROM refund WHERE state = 'to_choose' AND registration_id = $1`, r.ID).Scan(&rest); err != nil || rest != 1500 {
		t.Errorf("%d cents wait for the family's choice (%v), want 1500", rest, err)
	}
	invariants(t, w)
}

func TestLineLeavesCamp(t *testing.T) {
	t.Parallel()
	w, ctx := enroltest.New(t), t.Context()
	c := w.Camp(t, "Explorateurs", 2)
	line := w.Bus(t, c, 10)
	f := w.Family(t, 1)
	r, err := w.Enrol.Register(ctx, f.Guardian.ID, enrol.Request{Key: uuid.New(), ChildID: f.Children[0].ID, CampID: c.ID, StopOutID: &line.Stops[0].ID})
	if err != nil {
		t.Fatal(err)
	}
	desk := audit.Account(agent(t, w))
	if err := w.Transport.LeaveCamp(ctx, desk, line.ID, c.ID); !problem.Is(err, problem.KindConflict) {
		t.Fatalf("with a child aboard: %v, want conflict", err)
	}
	if _, err := w.Enrol.Withdraw(ctx, f.Guardian.ID, uuid.New(), r.ID, ""); err != nil {
		t.Fatal(err)
	}
	if err := w.Transport.LeaveCamp(ctx, desk, line.ID, c.ID); err != nil {
		t.Fatal(err)
	}
	if got := count(t, w, `SELECT count(*) FROM trip`) + count(t, w, `SELECT count(*) FROM pool WHERE kind = 'trip'`); got != 0 {
		t.Errorf("%d trips and pools are left, want none", got)
	}
	if err := w.Transport.LeaveCamp(ctx, desk, line.ID, c.ID); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("a second time: %v, want not found", err)
	}
}

package household_test

import (
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

func TestCreateGuardian(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	f := guardianForm()
	f.Phone, f.Email = "", "anne@example.test"
	key := uuid.New()
	g, err := s.CreateGuardian(t.Context(), command, key, f)
	if err != nil {
		t.Fatal(err)
	}
	if g.AccountID != nil || g.Channel != "email" {
		t.Errorf("made %+v, want no account and the channel email", g)
	}
	again, err := s.CreateGuardian(t.Context(), command, key, f)
	if err != nil || again.ID != g.ID {
		t.Errorf("the same form again: %s, %v; want %s", again.ID, err, g.ID)
	}
	var families int
	if err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM household`).Scan(&families); err != nil || families != 1 {
		t.Errorf("%d households, %v; want 1", families, err)
	}
	f = guardianForm()
	if g, err = s.CreateGuardian(t.Context(), command, uuid.New(), f); err != nil || g.Channel != "phone" {
		t.Errorf("with a telephone only: channel %q, %v; want phone", g.Channel, err)
	}
	c := addChild(t, s, g.ID, household.ChildForm{Key: uuid.New(), FirstName: "Tom", LastName: "Peeters", BirthDate: leaForm().BirthDate})
	if !c.Can(household.RightRegister) {
		t.Errorf("rights %v, want to register the child", c.Rights)
	}
}

func TestCreateGuardianRefuses(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	f := guardianForm()
	f.Phone = ""
	_, err := s.CreateGuardian(t.Context(), command, uuid.New(), f)
	wantFields(t, err, "phone=household.required", "channel=household.channel_unreachable")
	f.Email, f.Channel = "anne@example.test", "sms"
	_, err = s.CreateGuardian(t.Context(), command, uuid.New(), f)
	wantFields(t, err, "channel=household.channel_unreachable")
	_, err = s.CreateGuardian(t.Context(), command, uuid.Nil, guardianForm())
	wantProblem(t, err, problem.KindInvalid, "household.key_missing")
}

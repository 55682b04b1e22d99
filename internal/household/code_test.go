package household_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// person is a guardian with its account and a name of its own, so that nobody looks like another.
type person struct {
	account  uuid.UUID
	guardian household.Guardian
}

func (b *bundle) person(t *testing.T, s *household.Store, first, last, phone string) person {
	t.Helper()
	p := person{account: b.account(t, strings.ToLower(first)+"@example.be")}
	f := guardianForm()
	f.FirstName, f.LastName, f.Phone = first, last, phone
	var err error
	if p.guardian, err = s.SaveGuardian(t.Context(), p.account, f); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestJoinByCode(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	anne := b.person(t, s, "Anne", "Peeters", "+32475123456")
	bert := b.person(t, s, "Bert", "Maes", "+32475999999")
	lea := addChild(t, s, anne.guardian.ID, leaForm())
	code, err := s.Invite(t.Context(), anne.guardian.ID, household.Invite{ChildIDs: []uuid.UUID{lea.ID}, Basis: household.BasisParentalAuthority})
	if err != nil {
		t.Fatal(err)
	}
	if len(code.Typed) != 19 || strings.Count(code.Typed, "-") != 3 {
		t.Fatalf("the code is %q", code.Typed)
	}
	use := func(p person, typed string) error {
		_, err := s.UseCode(t.Context(), p.account, "192.0.2.1", typed)
		return err
	}
	wantProblem(t, use(anne, code.Typed), problem.KindConflict, "household.code_already")
	details := person{account: b.account(t, "new@example.be")}
	wantProblem(t, use(details, code.Typed), problem.KindConflict, "household.details_first")
	if err := use(bert, " "+strings.ToLower(strings.ReplaceAll(code.Typed, "-", " "))); err != nil {
		t.Fatal(err)
	}
	children, err := s.Children(t.Context(), bert.guardian.ID)
	if err != nil || len(children) != 1 {
		t.Fatalf("the other parent sees %d children (%v)", len(children), err)
	}
	if diff := cmp.Diff(household.Rights, children[0].Rights); diff != "" {
		t.Errorf("rights (-want +got):\n%s", diff)
	}
	// Single use, for anybody.
	carl := b.person(t, s, "Carl", "Dubois", "+32475888888")
	wantFields(t, use(carl, code.Typed), "code=household.code_wrong")
	// Both see the outcome.
	codes, err := s.Codes(t.Context(), anne.guardian.ID)
	if err != nil || len(codes) != 1 || codes[0].UsedByName != "Bert Maes" || codes[0].Typed != "" {
		t.Errorf("the inviter reads %+v (%v)", codes, err)
	}
	others, err := s.OtherGuardians(t.Context(), anne.guardian.ID)
	want := []household.OtherGuardian{{ChildID: lea.ID, FirstName: "Bert", LastName: "Maes", Basis: household.BasisParentalAuthority, PickUp: true}}
	if diff := cmp.Diff(want, others); err != nil || diff != "" {
		t.Errorf("others (%v) (-want +got):\n%s", err, diff)
	}
	if err := s.ShareContact(t.Context(), bert.guardian.ID, lea.ID, true); err != nil {
		t.Fatal(err)
	}
	others, err = s.OtherGuardians(t.Context(), anne.guardian.ID)
	if err != nil || others[0].Phone != "+32475999999" || others[0].Email == "" {
		t.Errorf("shared: %+v (%v)", others, err)
	}
	// Who may not register learns of nobody.
	if err := s.Grant(t.Context(), command, carl.guardian.ID, lea.ID, household.Grant{Basis: household.BasisStepParent}); err != nil {
		t.Fatal(err)
	}
	if others, err := s.OtherGuardians(t.Context(), carl.guardian.ID); err != nil || len(others) != 0 {
		t.Errorf("the step-parent learns of %+v (%v)", others, err)
	}
}

func TestInviteGivesOnlyOwnRights(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	anne, step := b.person(t, s, "Anne", "Peeters", "+32475123456"), b.person(t, s, "Stef", "Wouters", "+32475777777")
	half := b.person(t, s, "Hilde", "Jacobs", "+32475666666")
	lea := addChild(t, s, anne.guardian.ID, leaForm())
	for _, g := range []struct {
		id     uuid.UUID
		rights []household.Right
	}{
		{step.guardian.ID, nil},
		{half.guardian.ID, []household.Right{household.RightSee, household.RightRegister, household.RightPickUp}},
	} {
		if err := s.Grant(t.Context(), command, g.id, lea.ID, household.Grant{Basis: household.BasisStepParent, Rights: g.rights}); err != nil {
			t.Fatal(err)
		}
	}
	in := household.Invite{ChildIDs: []uuid.UUID{lea.ID}, Basis: household.BasisStepParent}
	_, err := s.Invite(t.Context(), step.guardian.ID, in)
	wantProblem(t, err, problem.KindForbidden, "household.right_missing")
	code, err := s.Invite(t.Context(), half.guardian.ID, in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]household.Right{household.RightSee, household.RightPickUp}, code.Rights); diff != "" {
		t.Errorf("what both have (-want +got):\n%s", diff)
	}
	in.Rights = []household.Right{household.RightMedical}
	_, err = s.Invite(t.Context(), half.guardian.ID, in)
	wantProblem(t, err, problem.KindForbidden, "household.right_missing")
	_, err = s.Invite(t.Context(), b.person(t, s, "Zoé", "Claes", "+32475555555").guardian.ID, in)
	wantProblem(t, err, problem.KindNotFound, "household.child_not_found")
	_, err = s.Invite(t.Context(), anne.guardian.ID, household.Invite{Basis: household.BasisCourtOrder, Rights: []household.Right{"fly"}})
	wantFields(t, err, "children=household.invite_no_child", "basis=household.basis_unknown", "rights=household.right_unknown")

	// What the giver loses before the code is used, it does not give.
	if err := s.End(t.Context(), command, half.guardian.ID, lea.ID, b.today().AddDays(-1)); err != nil {
		t.Fatal(err)
	}
	_, err = s.UseCode(t.Context(), b.person(t, s, "Piet", "Goossens", "+32475444444").account, "192.0.2.1", code.Typed)
	wantFields(t, err, "code=household.code_wrong")
}

// TestWrongCodes: whatever is wrong with a code, and whoever must not learn of the child, reads the same.
func TestWrongCodes(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	anne := b.person(t, s, "Anne", "Peeters", "+32475123456")
	lea := addChild(t, s, anne.guardian.ID, leaForm())
	invite := func() household.Code {
		t.Helper()
		c, err := s.Invite(t.Context(), anne.guardian.ID, household.Invite{ChildIDs: []uuid.UUID{lea.ID}, Basis: household.BasisOther})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	blocked, former, double := b.person(t, s, "Bert", "Maes", "+32475999999"), b.person(t, s, "Fons", "Aerts", "+32475222222"), b.person(t, s, "Berte", "Maes", "+32475999999")
	for _, p := range []person{blocked, former} {
		if err := s.Grant(t.Context(), command, p.guardian.ID, lea.ID, household.Grant{Basis: household.BasisParentalAuthority, From: b.today().AddDays(-9)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Block(t.Context(), command, blocked.guardian.ID, lea.ID, household.BlockForm{Decision: "TJ", Until: b.today().AddDays(99)}); err != nil {
		t.Fatal(err)
	}
	if err := s.End(t.Context(), command, former.guardian.ID, lea.ID, b.today().AddDays(-1)); err != nil {
		t.Fatal(err)
	}
	stranger := b.person(t, s, "Stijn", "Nys", "+32475333333")
	good, cancelled := invite(), invite()
	if err := s.CancelCode(t.Context(), anne.guardian.ID, cancelled.ID); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, s.CancelCode(t.Context(), stranger.guardian.ID, good.ID), problem.KindNotFound, "household.code_not_found")
	last := good.Typed[len(good.Typed)-1:]
	other := strings.TrimSuffix(good.Typed, last) + map[bool]string{true: "B", false: "A"}[last == "A"]

	_, wrong := s.UseCode(t.Context(), stranger.account, "192.0.2.9", "2222-AAAA-AAAA-AAAA")
	for _, c := range []struct {
		name  string
		who   person
		typed string
	}{
		{"nothing", stranger, ""},
		{"no code", stranger, "bonjour"},
		{"unknown number", stranger, "ZZZZ-AAAA-AAAA-AAAA"},
		{"one letter off", stranger, other},
		{"taken back", stranger, cancelled.Typed},
		{"blocked", blocked, good.Typed},
		{"former", former, good.Typed},
		{"looks like the blocked one", double, good.Typed},
	} {
		_, err := s.UseCode(t.Context(), c.who.account, "192.0.2.9", c.typed)
		if diff := cmp.Diff(problem.As(wrong), problem.As(err)); diff != "" {
			t.Errorf("%s (-wrong +got):\n%s", c.name, diff)
		}
	}
	var tasks int
	if err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM task WHERE kind = 'code_refused' AND subject_id = $1`, good.ID.String()).Scan(&tasks); err != nil || tasks != 1 {
		t.Errorf("%d tasks (%v), want 1", tasks, err)
	}
	b.now = b.now.Add(14 * 24 * time.Hour)
	_, err := s.UseCode(t.Context(), stranger.account, "192.0.2.9", good.Typed)
	if diff := cmp.Diff(problem.As(wrong), problem.As(err)); diff != "" {
		t.Errorf("too old (-wrong +got):\n%s", diff)
	}
}

// TestCodeGuessesAreCounted: after some wrong codes even the right one waits, and a success forgets them.
func TestCodeGuessesAreCounted(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	anne, bert := b.person(t, s, "Anne", "Peeters", "+32475123456"), b.person(t, s, "Bert", "Maes", "+32475999999")
	lea := addChild(t, s, anne.guardian.ID, leaForm())
	code, err := s.Invite(t.Context(), anne.guardian.ID, household.Invite{ChildIDs: []uuid.UUID{lea.ID}, Basis: household.BasisOther})
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		_, err := s.UseCode(t.Context(), bert.account, "192.0.2.1", "2222-AAAA-AAAA-AAAA")
		wantFields(t, err, "code=household.code_wrong")
	}
	_, err = s.UseCode(t.Context(), bert.account, "192.0.2.2", code.Typed)
	wantProblem(t, err, problem.KindConflict, "household.code_locked")
	b.now = b.now.Add(time.Hour + time.Second)
	if _, err := s.UseCode(t.Context(), bert.account, "192.0.2.1", code.Typed); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM family_code_try`).Scan(&left); err != nil || left > 1 {
		t.Errorf("%d tries are kept (%v)", left, err)
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	rows := []household.FamilyRow{{Ref: "1", FirstName: "Nadia", LastName: "Benali", Street: "Rue A 1", Postcode: "7180", City: "Seneffe"}}
	results, err := s.ImportFamilies(t.Context(), command, rows, false)
	if err != nil || results[0].Outcome != household.RowAdded {
		t.Fatalf("%+v (%v)", results, err)
	}
	paper := results[0].ID
	busy := b.person(t, s, "Anne", "Peeters", "+32475123456")
	first, err := s.IssueClaims(t.Context(), command, []uuid.UUID{paper, busy.guardian.ID})
	if err != nil || len(first) != 1 {
		t.Fatalf("%d letters (%v), want one: the other signs in already", len(first), err)
	}
	again, err := s.IssueClaims(t.Context(), command, []uuid.UUID{paper})
	if err != nil {
		t.Fatal(err)
	}
	nadia := b.account(t, "nadia@example.be")
	_, err = s.UseCode(t.Context(), nadia, "192.0.2.1", first[0].Typed)
	wantFields(t, err, "code=household.code_wrong") // a new letter ends the older
	_, err = s.UseCode(t.Context(), busy.account, "192.0.2.1", again[0].Typed)
	wantProblem(t, err, problem.KindConflict, "household.claim_taken")
	if _, err := s.UseCode(t.Context(), nadia, "192.0.2.1", again[0].Typed); err != nil {
		t.Fatal(err)
	}
	g, err := s.ByAccount(t.Context(), nadia)
	if err != nil || g.ID != paper || g.Email != "nadia@example.be" {
		t.Errorf("the account signs in for %+v (%v)", g, err)
	}
	_, err = s.UseCode(t.Context(), b.account(t, "thief@example.be"), "192.0.2.1", again[0].Typed)
	wantFields(t, err, "code=household.code_wrong")
}

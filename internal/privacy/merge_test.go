package privacy_test

import (
	"encoding/json"
	"slices"
	"strings"
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
	"ribambelle/internal/privacy"
	"ribambelle/internal/problem"
	"ribambelle/internal/seal"
)

type bundle struct {
	db       *db.DB
	families *household.Store
	now      time.Time
}

var staff = audit.Command("test")

func setup(t *testing.T) (*privacy.Store, *bundle) {
	t.Helper()
	d := dbtest.New(t)
	jobs, err := job.NewInserter(d)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{db: d, now: time.Date(2026, 5, 11, 9, 0, 0, 0, time.UTC)}
	now := func() time.Time { return b.now }
	b.families = household.New(d, now, seal.NewTest(), jobs)
	return privacy.New(d, now, b.families), b
}

func (b *bundle) today() civil.Date { return civil.DateOf(b.now, civil.Brussels) }

func (b *bundle) guardian(t *testing.T, first, last, phone string) household.Guardian {
	t.Helper()
	g, err := b.families.SaveGuardian(t.Context(), b.account(t), household.GuardianForm{
		FirstName: first, LastName: last, Phone: phone, Street: "Rue A 1", Postcode: "7180", City: "Seneffe",
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (b *bundle) account(t *testing.T) uuid.UUID {
	t.Helper()
	var id uuid.UUID
	err := b.db.QueryRow(t.Context(), `INSERT INTO account (email, name, password_hash) VALUES ($1, 'N', '') RETURNING id`, uuid.NewString()+"@example.be").Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *bundle) child(t *testing.T, g household.Guardian, number string) household.Child {
	t.Helper()
	c, err := b.families.AddChild(t.Context(), g.ID, household.ChildForm{
		Key: uuid.New(), FirstName: "Léa", LastName: "Peeters", BirthDate: civil.NewDate(2015, 3, 12), NationalNumber: number,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// double returns the one open pair.
func (b *bundle) double(t *testing.T) household.Double {
	t.Helper()
	list, err := b.families.Doubles(t.Context(), 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d pairs (%v), want 1", len(list), err)
	}
	return list[0]
}

func (b *bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := b.db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// camp makes a camp by hand and returns its id.
func (b *bundle) camp(t *testing.T, name string) (id uuid.UUID) {
	t.Helper()
	err := b.db.QueryRow(t.Context(), `
		WITH p AS (INSERT INTO pool (kind) VALUES ('camp') RETURNING id)
		INSERT INTO camp (name, begins_at, ends_at, pool_id) SELECT $1, now(), now(), id FROM p RETURNING id`, name).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *bundle) register(t *testing.T, childID, campID, guardianID uuid.UUID, state string) (id uuid.UUID) {
	t.Helper()
	err := b.db.QueryRow(t.Context(), `
		INSERT INTO registration (submission_key, child_id, camp_id, registrant_id, payer_id, debtor_id, state, state_since, price_cents, price_detail, created_at, updated_at)
		VALUES (gen_random_uuid(), $1, $2, $3, $3, $3, $4, now(), 0, '[]', now(), now()) RETURNING id`, childID, campID, guardianID, state).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func wantProblem(t *testing.T, err error, kind problem.Kind, code string) {
	t.Helper()
	if p := problem.As(err); p == nil || p.Kind != kind || p.Code != code {
		t.Errorf("got %v, want %s %s", err, kind, code)
	}
}

func withCheck(nine string) string {
	n := 0
	for _, r := range "2" + nine {
		n = n*10 + int(r-'0')
	}
	check := 97 - n%97
	return nine + string(rune('0'+check/10)) + string(rune('0'+check%10))
}

// TestMergeChildren: separated parents entered the same child; after the merge each has one child with everything but
// the other's medical sheet.
func TestMergeChildren(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	anne, bert := b.guardian(t, "Anne", "Peeters", "+32475123456"), b.guardian(t, "Bert", "Maes", "+32475999999")
	kept, gone := b.child(t, anne, ""), b.child(t, bert, withCheck("150312001"))
	d := b.double(t)
	summer, easter := b.camp(t, "Cirque"), b.camp(t, "Nature")
	b.register(t, kept.ID, summer, anne.ID, "confirmed")
	moved := b.register(t, gone.ID, easter, bert.ID, "awaiting_payment")
	ended := b.register(t, gone.ID, summer, bert.ID, "withdrawn") // an exit does not stand in the way
	b.exec(t, `INSERT INTO child_level (child_id, school_year, level, source) VALUES ($1, 2025, 'P5', 'declared'), ($2, 2025, 'P4', 'verified'), ($2, 2024, 'P3', 'declared')`, kept.ID, gone.ID)
	if err := b.families.VerifyLevel(t.Context(), staff, gone.ID, household.LevelProof{SchoolYear: 2025, Level: "P4", Document: "bulletin", SeenOn: b.today()}); err != nil {
		t.Fatal(err)
	}
	// A former partner of Bert must not see the child; the merge must not change that.
	carl := b.guardian(t, "Carl", "Dubois", "+32475888888")
	if _, err := b.families.Block(t.Context(), staff, carl.ID, gone.ID, household.BlockForm{Decision: "TJ", Until: b.today().AddDays(99)}); err != nil {
		t.Fatal(err)
	}
	if err := b.families.Grant(t.Context(), staff, carl.ID, gone.ID, household.Grant{Basis: household.BasisParentalAuthority}); err != nil {
		t.Fatal(err)
	}
	b.exec(t, `INSERT INTO medical_sheet (child_id, version, sealed, account_id) VALUES ($1, 1, '\x00', $2)`, gone.ID, bert.AccountID)

	preview, err := s.Preview(t.Context(), d.ID)
	if err != nil || preview.Obstacles || preview.A.Name != "Léa Peeters" || len(preview.A.Registrations)+len(preview.B.Registrations) != 3 {
		t.Fatalf("%+v (%v)", preview, err)
	}
	wantProblem(t, s.Merge(t.Context(), staff, d.ID, uuid.New()), problem.KindNotFound, "household.double_not_found")
	if err := s.Merge(t.Context(), staff, d.ID, kept.ID); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, s.Merge(t.Context(), staff, d.ID, kept.ID), problem.KindNotFound, "household.double_not_found")

	for _, g := range []household.Guardian{anne, bert} {
		children, err := b.families.Children(t.Context(), g.ID)
		if err != nil || len(children) != 1 || children[0].ID != kept.ID || !strings.HasPrefix(children[0].NationalNumber, "••") {
			t.Errorf("%s sees %+v (%v)", g.FirstName, children, err)
		} else if children[0].Level != "P4" || children[0].LevelSource != household.LevelVerified {
			t.Errorf("the level is %s, %s; want what was verified", children[0].Level, children[0].LevelSource)
		}
	}
	if children, err := b.families.Children(t.Context(), carl.ID); err != nil || len(children) != 0 {
		t.Errorf("the merge lifted a block: %+v (%v)", children, err)
	}
	if got, err := household.Survivor(t.Context(), b.db, gone.ID); err != nil || got != kept.ID {
		t.Errorf("the old id resolves to %s (%v), want %s", got, err, kept.ID)
	}
	var registrations, sheets, onGone int
	err = b.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM registration WHERE child_id = $1), (SELECT count(*) FROM medical_sheet WHERE child_id = $1),
		(SELECT count(*) FROM medical_sheet WHERE child_id = $2)`, kept.ID, gone.ID).Scan(&registrations, &sheets, &onGone)
	if err != nil || registrations != 3 || sheets != 0 || onGone != 1 {
		t.Errorf("the survivor has %d registrations and %d sheets, the double %d (%v); want 3, 0 and 1", registrations, sheets, onGone, err)
	}
	entries, err := audit.List(t.Context(), b.db, "child", kept.ID.String(), 1)
	if err != nil || len(entries) != 1 || entries[0].Action != "child.merged" {
		t.Fatalf("the audit says %+v (%v)", entries, err)
	}
	image, err := json.Marshal(entries[0].Detail)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []uuid.UUID{moved, ended, gone.ID, bert.ID, bert.HouseholdID} {
		if !strings.Contains(string(image), want.String()) {
			t.Errorf("the before-image lacks %s: %s", want, image)
		}
	}
	for _, never := range []string{"Peeters", "Léa", withCheck("150312001")} {
		if strings.Contains(string(image), never) {
			t.Errorf("the before-image tells %q: %s", never, image)
		}
	}
	var open int
	if err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM task WHERE kind = 'duplicate' AND done_at IS NULL`).Scan(&open); err != nil || open != 0 {
		t.Errorf("%d tasks stay open (%v)", open, err)
	}
}

// TestMergeObstacles: nothing moves while a merge would seat a child twice, or give back rights that were taken.
func TestMergeObstacles(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	anne, bert := b.guardian(t, "Anne", "Peeters", "+32475123456"), b.guardian(t, "Bert", "Maes", "+32475999999")
	kept, gone := b.child(t, anne, ""), b.child(t, bert, "")
	d := b.double(t)
	camp := b.camp(t, "Cirque")
	b.register(t, kept.ID, camp, anne.ID, "confirmed")
	second := b.register(t, gone.ID, camp, bert.ID, "waitlisted")
	wantProblem(t, s.Merge(t.Context(), staff, d.ID, kept.ID), problem.KindConflict, "privacy.merge_same_camp")
	p, err := s.Preview(t.Context(), d.ID)
	if diff := cmp.Diff([]privacy.Obstacle{{Code: "privacy.merge_same_camp", Args: []any{"Cirque"}}}, p.IntoA); err != nil || diff != "" || !p.Obstacles {
		t.Errorf("(%v) (-want +got):\n%s", err, diff)
	}
	b.exec(t, `UPDATE registration SET state = 'withdrawn' WHERE id = $1`, second)
	// Bert's rights on Anne's child ended; on the one that he entered himself he has all.
	if err := b.families.Grant(t.Context(), staff, bert.ID, kept.ID, household.Grant{Basis: household.BasisParentalAuthority, From: b.today().AddDays(-9)}); err != nil {
		t.Fatal(err)
	}
	if err := b.families.End(t.Context(), staff, bert.ID, kept.ID, b.today().AddDays(-1)); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, s.Merge(t.Context(), staff, d.ID, kept.ID), problem.KindConflict, "privacy.merge_rights_differ")
	wantProblem(t, s.Merge(t.Context(), staff, d.ID, gone.ID), problem.KindConflict, "privacy.merge_rights_differ")
	if err := b.families.End(t.Context(), staff, bert.ID, gone.ID, b.today().AddDays(-1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Merge(t.Context(), staff, d.ID, kept.ID); err != nil {
		t.Fatal(err)
	}
	if children, err := b.families.Children(t.Context(), bert.ID); err != nil || len(children) != 0 {
		t.Errorf("Bert got back %+v (%v)", children, err)
	}
}

// TestDistinctSurvivesMerge: who was kept apart from the double is kept apart from the survivor.
func TestDistinctSurvivesMerge(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	anne, bert, carl := b.guardian(t, "Anne", "Peeters", "+32475123456"), b.guardian(t, "Bert", "Maes", "+32475999999"), b.guardian(t, "Carl", "Dubois", "+32475888888")
	kept, gone, twin := b.child(t, anne, ""), b.child(t, bert, ""), b.child(t, carl, "")
	list, err := b.families.Doubles(t.Context(), 10)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d pairs (%v), want 3", len(list), err)
	}
	pair := func(x, y uuid.UUID) household.Double {
		i := slices.IndexFunc(list, func(d household.Double) bool {
			return d.AID == x && d.BID == y || d.AID == y && d.BID == x
		})
		return list[i]
	}
	if err := b.families.KeepDistinct(t.Context(), staff, pair(gone.ID, twin.ID).ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Merge(t.Context(), staff, pair(kept.ID, gone.ID).ID, kept.ID); err != nil {
		t.Fatal(err)
	}
	if list, err = b.families.Doubles(t.Context(), 10); err != nil || len(list) != 0 {
		t.Errorf("proposed again: %+v (%v)", list, err)
	}
}

func TestMergeGuardians(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	// The commune entered Anne on paper, with Tom; Anne signed up by herself and entered Léa.
	rows := []household.FamilyRow{{
		Ref: "1", FirstName: "Anne", LastName: "Peeters", Phone: "+32475123456", Street: "Rue B 2", Postcode: "7180", City: "Seneffe",
		ChildFirstName: "Tom", BirthDate: civil.NewDate(2017, 1, 2),
	}}
	results, err := b.families.ImportFamilies(t.Context(), staff, rows, false)
	if err != nil || results[0].Outcome != household.RowAdded {
		t.Fatalf("%+v (%v)", results, err)
	}
	paper := results[0].ID
	anne := b.guardian(t, "ANNE", "peeters", "+32475123456")
	b.child(t, anne, "")
	d := b.double(t)
	tom, err := b.families.Children(t.Context(), paper)
	if err != nil || len(tom) != 1 {
		t.Fatal(tom, err)
	}
	registration := b.register(t, tom[0].ID, b.camp(t, "Cirque"), paper, "to_validate")
	// Into the paper one: its id stays the survivor's, and Anne's account signs in for it.
	if err := s.Merge(t.Context(), staff, d.ID, paper); err != nil {
		t.Fatal(err)
	}
	g, err := b.families.ByAccount(t.Context(), *anne.AccountID)
	if err != nil || g.ID != paper {
		t.Fatalf("the account signs in for %+v (%v)", g, err)
	}
	if children, err := b.families.Children(t.Context(), g.ID); err != nil || len(children) != 2 {
		t.Errorf("Anne sees %d children (%v), want 2", len(children), err)
	}
	var payer uuid.UUID
	if err := b.db.QueryRow(t.Context(), `SELECT payer_id FROM registration WHERE id = $1`, registration).Scan(&payer); err != nil || payer != paper {
		t.Errorf("the payer is %s (%v)", payer, err)
	}
	if results, err = b.families.ImportFamilies(t.Context(), staff, rows, false); err != nil || results[0].Outcome != household.RowKept || results[0].ID != paper {
		t.Errorf("the list again: %+v (%v)", results, err)
	}

	// Two accounts, and money on the one that would go.
	b.guardian(t, "Anne", "Peeters", "+32475123456")
	d = b.double(t)
	wantProblem(t, s.Merge(t.Context(), staff, d.ID, paper), problem.KindConflict, "privacy.merge_two_accounts")
	other := d.AID
	if other == paper {
		other = d.BID
	}
	b.exec(t, `UPDATE guardian SET account_id = NULL WHERE id = $1`, other)
	b.exec(t, `INSERT INTO due (registration_id, payer_id, debtor_id, communication, created_at) VALUES ($1, $2, $2, '000000000101', now())`, registration, paper)
	wantProblem(t, s.Merge(t.Context(), staff, d.ID, other), problem.KindConflict, "privacy.merge_has_money")
	if err := s.Merge(t.Context(), staff, d.ID, paper); err != nil {
		t.Fatal(err)
	}
}

package medical_test

import (
	"fmt"
	"strings"
	"sync"
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
	"ribambelle/internal/medical"
	"ribambelle/internal/problem"
	"ribambelle/internal/seal"
)

// bundle is a mother with her child, and what a test changes around them.
type bundle struct {
	db      *db.DB
	now     time.Time
	family  *household.Store
	account uuid.UUID
	mother  uuid.UUID
	child   uuid.UUID
}

func (b *bundle) pass(d time.Duration) { b.now = b.now.Add(d) }

func setup(t *testing.T) (*medical.Store, *bundle) {
	t.Helper()
	d := dbtest.New(t)
	jobs, err := job.NewInserter(d)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{db: d, now: today.At(10*60, civil.Brussels)}
	clock := func() time.Time { return b.now }
	box := seal.NewTest()
	b.family = household.New(d, clock, box, jobs)
	b.account, b.mother = b.guardian(t, "anne@example.be")
	b.child = b.addChild(t)
	return medical.New(d, clock, box, b.family), b
}

func (b *bundle) guardian(t *testing.T, email string) (account, guardian uuid.UUID) {
	t.Helper()
	err := b.db.QueryRow(t.Context(), `INSERT INTO account (email, name, password_hash) VALUES ($1, 'Anne P.', '') RETURNING id`, email).Scan(&account)
	if err != nil {
		t.Fatal(err)
	}
	g, err := b.family.SaveGuardian(t.Context(), account, household.GuardianForm{
		FirstName: "Anne", LastName: "Peeters", Phone: "+32475123456", Street: "Rue Haute 3", Postcode: "7180", City: "Seneffe",
	})
	if err != nil {
		t.Fatal(err)
	}
	return account, g.ID
}

func (b *bundle) addChild(t *testing.T) uuid.UUID {
	t.Helper()
	c, err := b.family.AddChild(t.Context(), b.mother, household.ChildForm{
		Key: uuid.New(), FirstName: "Léa", LastName: "Peeters", BirthDate: civil.NewDate(2015, 3, 12),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

func (b *bundle) count(t *testing.T, table string) (n int) {
	t.Helper()
	if err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func wantProblem(t *testing.T, err error, kind problem.Kind, code string) {
	t.Helper()
	if p := problem.As(err); p == nil || p.Kind != kind || code != "" && p.Code != code {
		t.Errorf("got error %v, want %s %s", err, kind, code)
	}
}

func TestSaveAndRead(t *testing.T) {
	t.Parallel()
	s, b := setup(t)

	empty, status, err := s.ReadAsGuardian(t.Context(), b.account, b.mother, b.child)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(medical.Sheet{}, empty); diff != "" || status.Version != 0 {
		t.Errorf("got version %d, want an empty sheet:\n%s", status.Version, diff)
	}
	if n := b.count(t, "medical_access"); n != 0 {
		t.Errorf("reading no sheet was logged %d times", n)
	}

	if err := s.Save(t.Context(), b.account, b.mother, b.child, full()); err != nil {
		t.Fatal(err)
	}
	saved := b.now
	b.pass(time.Hour)
	got, status, err := s.ReadAsGuardian(t.Context(), b.account, b.mother, b.child)
	if err != nil {
		t.Fatal(err)
	}
	want := full()
	want.Version = 1
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sheet (-want +got):\n%s", diff)
	}
	if status.Version != 1 || !status.SavedAt.Equal(saved) || !status.ConfirmedAt.Equal(saved) {
		t.Errorf("got status %d, %v, %v, want version 1 saved and confirmed at %v", status.Version, status.SavedAt, status.ConfirmedAt, saved)
	}

	// A change makes a version, the same again only confirms.
	got.Diet = "secret no fish"
	for range 2 {
		if err := s.Save(t.Context(), b.account, b.mother, b.child, got); err != nil {
			t.Fatal(err)
		}
	}
	if sheets, confirmations := b.count(t, "medical_sheet"), b.count(t, "medical_confirmation"); sheets != 2 || confirmations != 3 {
		t.Errorf("got %d versions and %d confirmations, want 2 and 3", sheets, confirmations)
	}
	newest, _, err := s.Read(t.Context(), audit.Job("test"), b.child, medical.PurposeStaff)
	if err != nil {
		t.Fatal(err)
	}
	if newest.Version != 2 || newest.Diet != "secret no fish" {
		t.Errorf("got version %d, want the newest", newest.Version)
	}

	// Who still has the older version on the screen does not write over the newer one.
	got.Diet, got.Version = "secret vegan", 1
	wantProblem(t, s.Save(t.Context(), b.account, b.mother, b.child, got), problem.KindConflict, "medical.changed_meanwhile")
	bad := medical.Sheet{HasDiet: medical.Yes}
	wantProblem(t, s.Save(t.Context(), b.account, b.mother, b.child, bad), problem.KindInvalid, "form.invalid")
}

func TestSaveTogether(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	saved := 0
	for i := range 8 {
		wg.Go(func() {
			err := s.Save(t.Context(), b.account, b.mother, b.child, medical.Sheet{Remarks: fmt.Sprint("secret ", i)})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				saved++
			} else {
				wantProblem(t, err, problem.KindConflict, "medical.changed_meanwhile")
			}
		})
	}
	wg.Wait()
	if n := b.count(t, "medical_sheet"); saved != 1 || n != 1 {
		t.Errorf("got %d saves and %d versions, want one: the others did not see it", saved, n)
	}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	wantProblem(t, s.Confirm(t.Context(), b.account, b.mother, b.child, 0), problem.KindNotFound, "medical.no_sheet")
	if err := s.Save(t.Context(), b.account, b.mother, b.child, calm()); err != nil {
		t.Fatal(err)
	}
	b.pass(24 * time.Hour)
	if err := s.Confirm(t.Context(), b.account, b.mother, b.child, 1); err != nil {
		t.Fatal(err)
	}
	statuses, err := medical.Statuses(t.Context(), b.db, []uuid.UUID{b.child, b.addChild(t)})
	if err != nil {
		t.Fatal(err)
	}
	if got := statuses[b.child]; got.Version != 1 || !got.ConfirmedAt.Equal(b.now) || !got.SavedAt.Equal(b.now.Add(-24*time.Hour)) {
		t.Errorf("got status %d, %v, %v", got.Version, got.SavedAt, got.ConfirmedAt)
	}
	if len(statuses) != 2 {
		t.Errorf("got %d statuses, want one for each child", len(statuses))
	}
	wantProblem(t, s.Confirm(t.Context(), b.account, b.mother, b.child, 2), problem.KindConflict, "medical.changed_meanwhile")
}

// TestRights: kind of guardian × act. Whoever may not know the child gets not found, also from a faulty form.
func TestRights(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	if err := s.Save(t.Context(), b.account, b.mother, b.child, full()); err != nil {
		t.Fatal(err)
	}
	reads := b.count(t, "medical_access")
	for name, c := range map[string]struct {
		grant *household.Grant
		want  problem.Kind
	}{
		"Father":      {&household.Grant{Basis: household.BasisParentalAuthority}, ""},
		"Institution": {&household.Grant{Basis: household.BasisPlacement}, ""},
		"StepParent":  {&household.Grant{Basis: household.BasisStepParent}, problem.KindForbidden},
		"Court":       {&household.Grant{Basis: household.BasisCourtOrder}, problem.KindForbidden},
		"Former":      {&household.Grant{Basis: household.BasisParentalAuthority, From: today.AddDays(-9), Until: today.AddDays(-1)}, problem.KindNotFound},
		"Coming":      {&household.Grant{Basis: household.BasisParentalAuthority, From: today.AddDays(1)}, problem.KindNotFound},
		"Stranger":    {nil, problem.KindNotFound},
	} {
		account, guardian := b.guardian(t, strings.ToLower(name)+"@example.be")
		if c.grant != nil {
			if err := b.family.Grant(t.Context(), audit.Command("test"), guardian, b.child, *c.grant); err != nil {
				t.Fatal(err)
			}
		}
		faulty := medical.Sheet{HasDiet: "maybe"}
		_, _, readErr := s.ReadAsGuardian(t.Context(), account, guardian, b.child)
		_, accessErr := s.Accesses(t.Context(), guardian, b.child, 10)
		same := full()
		for act, err := range map[string]error{
			"read": readErr, "accesses": accessErr,
			"save":    s.Save(t.Context(), account, guardian, b.child, same),
			"confirm": s.Confirm(t.Context(), account, guardian, b.child, 1),
		} {
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%s, %s: got %v, want nil", name, act, err)
			case c.want != "" && !problem.Is(err, c.want):
				t.Errorf("%s, %s: got %v, want %s", name, act, err, c.want)
			}
		}
		err := s.Save(t.Context(), account, guardian, b.child, faulty)
		if want := c.want; want == "" {
			wantProblem(t, err, problem.KindInvalid, "form.invalid")
		} else {
			wantProblem(t, err, want, "")
		}
	}
	if got := b.count(t, "medical_access") - reads; got != 2 {
		t.Errorf("got %d readings logged, want those of the father and the institution", got)
	}
	if n := b.count(t, "medical_sheet"); n != 1 {
		t.Errorf("got %d versions, want 1", n)
	}
}

func TestEveryReadingIsLogged(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	other := b.addChild(t)
	if err := s.Save(t.Context(), b.account, b.mother, b.child, full()); err != nil {
		t.Fatal(err)
	}
	leader, _ := b.guardian(t, "leader@example.be")
	read := func(at time.Duration, f func() error) {
		t.Helper()
		b.pass(at)
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	read(0, func() error { _, _, err := s.ReadAsGuardian(t.Context(), b.account, b.mother, b.child); return err })
	read(time.Hour, func() error {
		_, _, err := s.Read(t.Context(), audit.Account(leader), b.child, medical.PurposeLeader)
		return err
	})
	read(time.Hour, func() error {
		_, err := s.Alerts(t.Context(), audit.Command("report"), []uuid.UUID{b.child, other}, medical.PurposeRegister)
		return err
	})
	got, err := s.Accesses(t.Context(), b.mother, b.child, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []medical.Access{
		{At: b.now, Actor: "command:report", Purpose: "register"},
		{At: b.now.Add(-time.Hour), Name: "Anne P.", Actor: "account:" + leader.String(), Purpose: "leader"},
		{At: b.now.Add(-2 * time.Hour), Name: "Anne P.", Actor: "account:" + b.account.String(), Purpose: "guardian"},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
		t.Errorf("readings (-want +got):\n%s", diff)
	}
	if _, _, err := s.Read(t.Context(), audit.Account(leader), b.child, "curiosity"); err == nil {
		t.Error("a sheet was read for an unknown purpose")
	}

	// Without its line in the log no value leaves.
	if _, err := b.db.Exec(t.Context(), `ALTER TABLE medical_access ADD CONSTRAINT full_up CHECK (false) NOT VALID`); err != nil {
		t.Fatal(err)
	}
	sheet, status, err := s.Read(t.Context(), audit.Account(leader), b.child, medical.PurposeLeader)
	if err == nil || !cmp.Equal(medical.Sheet{}, sheet) || status.Version != 0 {
		t.Errorf("got a sheet and error %v although the reading could not be logged", err)
	}
	alerts, err := s.Alerts(t.Context(), audit.Account(leader), []uuid.UUID{b.child}, medical.PurposeLeader)
	if err == nil || alerts != nil {
		t.Errorf("got alerts and error %v although the reading could not be logged", err)
	}
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	quiet, unknown := b.addChild(t), b.addChild(t)
	no := medical.Sheet{HasAllergies: medical.No, HasDiseases: medical.No, TakesMedication: medical.No}
	for child, sheet := range map[uuid.UUID]medical.Sheet{b.child: full(), quiet: no} {
		if err := s.Save(t.Context(), b.account, b.mother, child, sheet); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Alerts(t.Context(), audit.Command("test"), []uuid.UUID{b.child, quiet, unknown}, medical.PurposeLeader)
	if err != nil {
		t.Fatal(err)
	}
	want := map[uuid.UUID]medical.Alert{
		b.child: {
			Known: true, Severe: true, Important: "secret epilepsy", Diet: "secret no pork", Avoid: "secret diving",
			Allergies: []medical.Allergy{
				{To: "secret peanuts", Consequence: "secret swelling", Treatment: "secret pen", Severe: medical.Yes},
				{To: "secret pollen", Consequence: "secret sneezing", Treatment: "secret drops", Severe: medical.No},
			},
			Diseases:    []medical.Disease{{Name: "secret asthma", Gravity: "secret mild", Treatment: "secret puff"}},
			Medications: []medical.Medication{{Name: "secret pill", Quantity: "secret one", When: "secret noon", Alone: medical.No}},
			AllowCare:   medical.Yes, AllowAlone: medical.No,
			Doctor:    medical.Doctor{Name: "secret Dr Janssens", Phone: "+3264111111", Address: "secret street\nsecret town"},
			Emergency: []medical.Person{{Name: "secret grandmother", Relation: "secret kin", Phone: "+32475111111"}},
			PickUp:    []medical.Person{{Name: "secret neighbour", Relation: "secret friend", Phone: "+32475222222"}},
		},
		quiet:   {Known: true, Unsaid: []string{"has_diet"}},
		unknown: {},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
	for child, any := range map[uuid.UUID]bool{b.child: true, quiet: true, unknown: true} {
		if got[child].Any() != any {
			t.Errorf("alert of %s: got any %v, want %v", child, got[child].Any(), any)
		}
	}
	if (medical.Alert{Known: true}).Any() {
		t.Error("a sheet with nothing to report has something to show")
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	b.now = time.Date(2027, 1, 4, 22, 59, 0, 0, time.UTC) // 23:59 on the 4th in Brussels
	begin := civil.NewDate(2027, 7, 5)
	fresh := func(days int) bool {
		t.Helper()
		got, err := medical.Fresh(t.Context(), b.db, b.child, begin, days)
		if err != nil {
			t.Fatal(err)
		}
		statuses, err := medical.Statuses(t.Context(), b.db, []uuid.UUID{b.child})
		if err != nil {
			t.Fatal(err)
		}
		if same := statuses[b.child].FreshOn(begin, days); same != got {
			t.Errorf("SQL says %v for %d days, Go says %v", got, days, same)
		}
		return got
	}
	if fresh(730) {
		t.Error("no sheet is fresh")
	}
	// What is kept without being complete counts for nothing.
	if err := s.Save(t.Context(), b.account, b.mother, b.child, medical.Sheet{Remarks: "secret"}); err != nil {
		t.Fatal(err)
	}
	if fresh(730) {
		t.Error("an incomplete sheet is fresh")
	}
	sheet := calm()
	sheet.Version = 1
	if err := s.Save(t.Context(), b.account, b.mother, b.child, sheet); err != nil {
		t.Fatal(err)
	}
	if days := begin.Sub(civil.NewDate(2027, 1, 4)); !fresh(days) || fresh(days-1) {
		t.Errorf("confirmed on the 4th of January: fresh for %d days %v, for one less %v, want true and false", days, fresh(days), fresh(days-1))
	}
	b.pass(time.Minute) // the 5th in Brussels, still the 4th in UTC
	if err := s.Confirm(t.Context(), b.account, b.mother, b.child, 2); err != nil {
		t.Fatal(err)
	}
	if days := begin.Sub(civil.NewDate(2027, 1, 5)); !fresh(days) || fresh(days-1) {
		t.Error("the day of a confirmation is not the one of Brussels")
	}
	// A confirmation counts for the version that was confirmed: a newer one that nobody confirmed is not fresh.
	_, err := b.db.Exec(t.Context(), `INSERT INTO medical_sheet (child_id, version, sealed, account_id) VALUES ($1, 3, '', $2)`, b.child, b.account)
	if err != nil {
		t.Fatal(err)
	}
	if fresh(730) {
		t.Error("the confirmation of an older version counts")
	}
}

// TestNothingReadable holds invariant 5 for this room: no medical value stands anywhere in the database, and sealed
// values do not open in another place.
func TestNothingReadable(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	sheet := full()
	if err := s.Save(t.Context(), b.account, b.mother, b.child, sheet); err != nil {
		t.Fatal(err)
	}
	sheet.Version, sheet.Remarks = 1, "secret second"
	if err := s.Save(t.Context(), b.account, b.mother, b.child, sheet); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Alerts(t.Context(), audit.Command("test"), []uuid.UUID{b.child}, medical.PurposeLeader); err != nil {
		t.Fatal(err)
	}
	if len(dbtest.Find(t, b.db, "Léa")) == 0 {
		t.Fatal("the search does not even find the child's name")
	}
	for _, word := range []string{"secret", "has_allergies", "peanuts"} {
		if found := dbtest.Find(t, b.db, word); len(found) > 0 {
			t.Errorf("%q stands readable in %v", word, found)
		}
	}

	// The sheet of one child put in the place of another child's, or as another version, does not open.
	other := b.addChild(t)
	for child, version := range map[uuid.UUID]int{other: 1, b.child: 3} {
		_, err := b.db.Exec(t.Context(), `
			INSERT INTO medical_sheet (child_id, version, sealed, account_id)
			SELECT $1, $2, sealed, account_id FROM medical_sheet WHERE child_id = $3 AND version = 1`, child, version, b.child)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := s.Read(t.Context(), audit.Command("test"), child, medical.PurposeStaff)
		if err == nil || !cmp.Equal(medical.Sheet{}, got) {
			t.Errorf("version %d of child %s opened with what was sealed for another place", version, child)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows a value: %v", err)
		}
	}
}

func TestAppendOnly(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	if err := s.Save(t.Context(), b.account, b.mother, b.child, full()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.ReadAsGuardian(t.Context(), b.account, b.mother, b.child); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"medical_sheet", "medical_confirmation", "medical_access"} {
		for _, act := range []string{"UPDATE " + table + " SET child_id = child_id", "DELETE FROM " + table, "TRUNCATE " + table + " CASCADE"} {
			if _, err := b.db.Exec(t.Context(), act); err == nil {
				t.Errorf("%s was allowed", act)
			}
		}
	}
}

// TestIncomplete: a sheet that leaves open what an emergency needs is kept, and confirmed by no way.
func TestIncomplete(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	empty := medical.Sheet{}
	if err := s.Save(t.Context(), b.account, b.mother, b.child, empty); err != nil {
		t.Fatal(err)
	}
	err := s.Confirm(t.Context(), b.account, b.mother, b.child, 1)
	wantProblem(t, err, problem.KindInvalid, "form.invalid")
	var got []string
	for _, f := range problem.As(err).Fields {
		if f.Code != "medical.missing."+f.Name {
			t.Errorf("%s says %s", f.Name, f.Code)
		}
		got = append(got, f.Name)
	}
	want := []string{"has_allergies", "has_diseases", "takes_medication", "has_diet", "emergency", "allow_care"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	statuses, err := medical.Statuses(t.Context(), b.db, []uuid.UUID{b.child})
	if err != nil {
		t.Fatal(err)
	}
	if st := statuses[b.child]; st.Version != 1 || st.SavedAt == nil || st.ConfirmedAt != nil {
		t.Errorf("got version %d, saved %v, confirmed %v, want kept and not confirmed", st.Version, st.SavedAt, st.ConfirmedAt)
	}
	if sheet, n := calm(), b.count(t, "medical_confirmation"); n != 0 || sheet.Missing() != nil {
		t.Errorf("%d confirmations; the quiet sheet misses %v", n, sheet.Missing())
	}
	// Each of the answers alone is enough to keep it from counting; a doctor's number stands in for someone to call.
	for name, leave := range map[string]func(*medical.Sheet){
		"has_allergies":    func(v *medical.Sheet) { v.HasAllergies = medical.Unsaid },
		"has_diseases":     func(v *medical.Sheet) { v.HasDiseases = medical.Unsaid },
		"takes_medication": func(v *medical.Sheet) { v.TakesMedication = medical.Unsaid },
		"has_diet":         func(v *medical.Sheet) { v.HasDiet = medical.Unsaid },
		"emergency":        func(v *medical.Sheet) { v.Emergency = []medical.Person{{}} },
		"allow_care":       func(v *medical.Sheet) { v.AllowCare = medical.Unsaid },
	} {
		v := calm()
		leave(&v)
		if diff := cmp.Diff([]string{name}, v.Missing()); diff != "" {
			t.Errorf("without %s (-want +got):\n%s", name, diff)
		}
	}
	doctor := calm()
	doctor.Emergency, doctor.Doctor = nil, medical.Doctor{Name: "secret", Phone: "+3264111111"}
	if doctor.Missing() != nil {
		t.Errorf("with a doctor to call, %v is missing", doctor.Missing())
	}
}

// calm is the least sheet that is complete: nothing to report, and someone to call.
func calm() medical.Sheet {
	return medical.Sheet{
		HasAllergies: medical.No, HasDiseases: medical.No, TakesMedication: medical.No, HasDiet: medical.No, AllowCare: medical.Yes,
		Emergency: []medical.Person{{Name: "secret", Phone: "+32475111111"}},
	}
}

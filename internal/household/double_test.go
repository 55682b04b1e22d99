package household_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

func parsed(t *testing.T, raw string) household.NationalNumber {
	t.Helper()
	n, err := household.ParseNationalNumber(raw)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAlikeChildren(t *testing.T) {
	t.Parallel()
	lea := func(change ...func(*household.Person)) household.Person {
		p := household.Person{FirstName: "Léa", LastName: "D’Hondt-Noël", Birth: civil.NewDate(2015, 3, 12), Phones: []string{"+32475123456"}}
		for _, f := range change {
			f(&p)
		}
		return p
	}
	named := func(first, last string) func(*household.Person) {
		return func(p *household.Person) { p.FirstName, p.LastName = first, last }
	}
	born := func(y int, m time.Month, d int) func(*household.Person) {
		return func(p *household.Person) { p.Birth = civil.NewDate(y, m, d) }
	}
	alone := func(p *household.Person) { p.Phones = nil }
	for _, c := range []struct {
		name  string
		other household.Person
		found bool
		first string // of the reasons
	}{
		{"accents, hyphen and apostrophe", lea(named("LEA", "d'hondt noel"), alone), true, household.AlikeName},
		{"names swapped", lea(named("D’Hondt-Noël", "Léa"), alone), true, household.AlikeNameSwapped},
		{"half of a double name", lea(named("Léa", "Noël"), alone), true, household.AlikeNamePart},
		{"a slip of the keyboard", lea(named("Léa", "D’Hondt-Noêll"), alone), true, household.AlikeNameClose},
		{"day and month swapped", lea(born(2015, 12, 3), alone), true, household.AlikeName},
		{"one digit of the date off", lea(born(2015, 3, 13), alone), true, household.AlikeName},
		{"another date, the same telephone", lea(born(2011, 7, 1)), true, household.AlikeName},
		{"cousins: the name alone", lea(born(2011, 7, 1), alone), false, ""},
		{"twins", lea(named("Jules", "D’Hondt-Noël")), false, ""},
		{"another child", lea(named("Tom", "Maes")), false, ""},
	} {
		score, reasons := household.AlikeChildren(lea(), c.other)
		if got := score >= 70; got != c.found {
			t.Errorf("%s: %d %v, want found: %v", c.name, score, reasons, c.found)
		} else if got && reasons[0] != c.first {
			t.Errorf("%s: %v, want %s first", c.name, reasons, c.first)
		}
	}
	// The national register knows best; a BIS number gives way to the number that comes later.
	numbered := func(raw string) func(*household.Person) {
		return func(p *household.Person) { p.Number = parsed(t, raw) }
	}
	mine, bis, other := withCheck("150312001"), withCheck("154312001"), withCheck("150312003")
	for _, c := range []struct {
		name string
		a, b household.Person
		want int
	}{
		{"the same number", lea(numbered(mine)), lea(named("Tom", "Maes"), numbered(mine)), 100},
		{"another number", lea(numbered(mine)), lea(numbered(other)), 0},
		{"BIS and national", lea(numbered(bis)), lea(numbered(mine)), 99},
	} {
		if got, _ := household.AlikeChildren(c.a, c.b); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// withCheck adds the check digits of someone born from 2000 on.
func withCheck(nine string) string {
	n, _ := strconv.Atoi("2" + nine)
	return fmt.Sprintf("%s%02d", nine, 97-n%97)
}

func TestAlikeGuardians(t *testing.T) {
	t.Parallel()
	anne := household.Person{FirstName: "Anne", LastName: "Peeters", Phones: []string{"+32475123456"}, Email: "anne@example.be", Street: "Rue de l’Église 3", Postcode: "7180"}
	for _, c := range []struct {
		name  string
		other household.Person
		found bool
	}{
		{"name and telephone", household.Person{FirstName: "ANNE", LastName: "Peeters", Phones: anne.Phones}, true},
		{"name and e-mail", household.Person{FirstName: "Peeters", LastName: "Anne", Email: "Anne@Example.be"}, true},
		{"a slip and the telephone", household.Person{FirstName: "Anna", LastName: "Peeters", Phones: anne.Phones}, true},
		{"father and son: name and address", household.Person{FirstName: "Anne", LastName: "Peeters", Street: "rue de l'eglise 3", Postcode: "7180"}, false},
		{"a couple: all but the name", household.Person{FirstName: "Bert", LastName: "Maes", Phones: anne.Phones, Email: anne.Email, Street: anne.Street, Postcode: "7180"}, false},
		{"the name alone", household.Person{FirstName: "Anne", LastName: "Peeters"}, false},
	} {
		if score, reasons := household.AlikeGuardians(anne, c.other); (score >= 80) != c.found {
			t.Errorf("%s: %d %v, want found: %v", c.name, score, reasons, c.found)
		}
	}
}

// TestAlikeIsFair: who is compared with whom does not matter, and the score stays in its bounds.
func TestAlikeIsFair(t *testing.T) {
	t.Parallel()
	person := rapid.Custom(func(t *rapid.T) household.Person {
		return household.Person{
			FirstName: rapid.SampledFrom([]string{"Léa", "Lea", "Leo", "Noël-Élise", "Noel", "", "  "}).Draw(t, "first"),
			LastName:  rapid.OneOf(rapid.SampledFrom([]string{"Maes", "Meas", "Léa", "De Maes"}), rapid.String()).Draw(t, "last"),
			Birth:     civil.NewDate(2015, 3, 1).AddDays(rapid.IntRange(0, 400).Draw(t, "birth")),
			Phones:    []string{rapid.SampledFrom([]string{"", "+32475123456"}).Draw(t, "phone")},
			Email:     rapid.SampledFrom([]string{"", "a@example.be"}).Draw(t, "email"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := person.Draw(t, "a"), person.Draw(t, "b")
		for name, f := range map[string]func(a, b household.Person) (int, []string){"children": household.AlikeChildren, "guardians": household.AlikeGuardians} {
			x, why := f(a, b)
			y, because := f(b, a)
			if x != y || !cmp.Equal(why, because) || x < 0 || x > 100 || (x > 0) != (len(why) > 0) {
				t.Fatalf("%s: %d %v one way, %d %v the other", name, x, why, y, because)
			}
		}
	})
}

// TestDoublesAtEntry: a child that another family entered already is proposed to staff, once and for good; who entered
// it learns nothing.
func TestDoublesAtEntry(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	anne, bert := b.person(t, s, "Anne", "Peeters", "+32475123456"), b.person(t, s, "Bert", "Maes", "+32475999999")
	first := addChild(t, s, anne.guardian.ID, leaForm())
	f := leaForm()
	f.FirstName, f.LastName = "peeters", "LEA"
	second := addChild(t, s, bert.guardian.ID, f)
	if diff := cmp.Diff(household.Rights, second.Rights); diff != "" {
		t.Errorf("who enters a known child reads something else (-want +got):\n%s", diff)
	}
	doubles, err := s.Doubles(t.Context(), 10)
	if err != nil || len(doubles) != 1 {
		t.Fatalf("%d pairs (%v), want 1", len(doubles), err)
	}
	d := doubles[0]
	if pair := map[uuid.UUID]bool{d.AID: true, d.BID: true}; d.Kind != household.KindChild || !pair[first.ID] || !pair[second.ID] {
		t.Errorf("the pair is %+v", d)
	}
	if err := s.KeepDistinct(t.Context(), command, d.ID); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, s.KeepDistinct(t.Context(), command, d.ID), problem.KindNotFound, "household.double_not_found")
	f.Interests = []string{"Nature"}
	if err := s.UpdateChild(t.Context(), bert.guardian.ID, second.ID, f); err != nil {
		t.Fatal(err)
	}
	if doubles, err = s.Doubles(t.Context(), 10); err != nil || len(doubles) != 0 {
		t.Errorf("kept apart, and proposed again: %+v (%v)", doubles, err)
	}
	var open int
	if err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM task WHERE kind = 'duplicate' AND done_at IS NULL`).Scan(&open); err != nil || open != 0 {
		t.Errorf("%d tasks stay open (%v)", open, err)
	}
	// The same adult twice.
	b.person(t, s, "PEETERS", "Anne", "+32475123456")
	if doubles, err = s.Doubles(t.Context(), 10); err != nil || len(doubles) != 1 || doubles[0].Kind != household.KindGuardian {
		t.Errorf("the adult is proposed as %+v (%v)", doubles, err)
	}
}

func TestResident(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	anne, bert := b.person(t, s, "Anne", "Peeters", "+32475123456"), b.person(t, s, "Bert", "Maes", "+32475999999")
	lea := addChild(t, s, anne.guardian.ID, leaForm())
	want := func(resident bool, source string) {
		t.Helper()
		got, from, err := s.Resident(t.Context(), b.db, lea.ID, b.today())
		if err != nil || got != resident || from != source {
			t.Errorf("resident: %v, %s (%v), want %v, %s", got, from, err, resident, source)
		}
	}
	want(false, household.ResidenceDeclared) // the commune has set no postcodes
	b.set(t, household.SettingPostcodes, "7000, 7060 7061")
	want(false, household.ResidenceDeclared)
	// The other parent lives in the commune: a child of two families lives at both addresses.
	if err := s.Grant(t.Context(), command, bert.guardian.ID, lea.ID, household.Grant{Basis: household.BasisParentalAuthority}); err != nil {
		t.Fatal(err)
	}
	move := guardianForm()
	move.FirstName, move.LastName, move.Phone, move.Postcode = "Bert", "Maes", "+32475999999", "7060"
	if _, err := s.SaveGuardian(t.Context(), bert.account, move); err != nil {
		t.Fatal(err)
	}
	want(true, household.ResidenceDeclared)
	row := household.RegisterRow{FirstName: "LEA", LastName: "Peeters", BirthDate: lea.BirthDate, Street: "Rue A 1", Postcode: "7180", City: "Seneffe"}
	importRow := func(day civil.Date, r household.RegisterRow, dry bool) household.RowResult {
		t.Helper()
		results, err := s.ImportRegister(t.Context(), command, "registre.csv", day, []household.RegisterRow{r}, dry)
		if err != nil {
			t.Fatal(err)
		}
		return results[0]
	}
	outcome := func(got household.RowResult, want string) {
		t.Helper()
		if got.Outcome != want {
			t.Errorf("the line is %+v, want %s", got, want)
		}
	}
	day := b.today()
	outcome(importRow(day, row, true), household.RowAdded)
	if list, err := s.Addresses(t.Context(), lea.ID); err != nil || len(list) != 0 {
		t.Errorf("a trial run wrote %v (%v)", list, err)
	}
	outcome(importRow(day, row, false), household.RowAdded)
	outcome(importRow(day, row, false), household.RowSame)
	want(true, household.ResidenceDeclared) // registered elsewhere, at the other parent's as declared
	row.Postcode = "7061"
	outcome(importRow(day.AddDays(-1), row, false), household.RowSame) // an older file
	b.now = b.now.AddDate(0, 0, 1)
	outcome(importRow(day.AddDays(1), row, false), household.RowChanged)
	want(true, household.ResidenceVerified)
	// A block takes the address of the blocked one away, and leaves the register's.
	if _, err := s.Block(t.Context(), command, bert.guardian.ID, lea.ID, household.BlockForm{Decision: "TJ", Until: day.AddDays(99)}); err != nil {
		t.Fatal(err)
	}
	want(true, household.ResidenceVerified)
	b.now = b.now.AddDate(0, 0, -1)
	want(true, household.ResidenceDeclared) // on that day the register said elsewhere and nobody was blocked
	unknown := row
	unknown.FirstName = "Zoé"
	if got := importRow(day, unknown, false); got.Outcome != household.RowFaulty || got.Problems[0].Code != "household.import_unknown" {
		t.Errorf("nobody's line: %+v", got)
	}
	addChild(t, s, b.person(t, s, "Carl", "Dubois", "+32475888888").guardian.ID, leaForm())
	if got := importRow(day, row, false); got.Outcome != household.RowFaulty || got.Problems[0].Code != "household.import_ambiguous" {
		t.Errorf("two children's line: %+v", got)
	}
	if got := importRow(day, household.RegisterRow{Postcode: "0"}, false); len(got.Problems) != 5 {
		t.Errorf("an empty line: %+v", got)
	}
}

func TestImportFamilies(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	anne := household.FamilyRow{
		Ref: "F1", FirstName: "Anne", LastName: "Peeters", Email: "anne@example.be", Phone: "+32475123456", Street: "Rue A 1", Postcode: "7180", City: "Seneffe",
	}
	with := func(r household.FamilyRow, ref, first string) household.FamilyRow {
		r.ChildRef, r.ChildFirstName, r.BirthDate, r.Level = ref, first, civil.NewDate(2015, 3, 12), "P5"
		return r
	}
	bert := anne
	bert.Ref, bert.FirstName, bert.LastName, bert.Email, bert.Phone = "F2", "Bert", "Maes", "", ""
	contrary := with(anne, "", "Zoé")
	contrary.Street = "Rue B 2"
	rows := []household.FamilyRow{
		with(anne, "C1", "Léa"), with(anne, "", "Tom"), with(bert, "C1", "Léa"), // of two families
		{Ref: "F3", FirstName: "Nadia"}, contrary, bert,
	}
	enter := func(dry bool) []household.RowResult {
		t.Helper()
		results, err := s.ImportFamilies(t.Context(), command, rows, dry)
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	outcomes := func(results []household.RowResult) []string {
		var list []string
		for _, r := range results {
			list = append(list, r.Outcome)
		}
		return list
	}
	counts := func() (n [4]int) {
		t.Helper()
		err := b.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM guardian), (SELECT count(*) FROM child), (SELECT count(*) FROM guardianship), (SELECT sum(version) FROM guardian)`).
			Scan(&n[0], &n[1], &n[2], &n[3])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	enter(true)
	var none int
	if err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM guardian`).Scan(&none); err != nil || none != 0 {
		t.Fatalf("a trial run entered %d guardians (%v)", none, err)
	}
	first := enter(false)
	if diff := cmp.Diff([]string{"added", "added", "added", "faulty", "faulty", "same"}, outcomes(first)); diff != "" {
		t.Errorf("first (-want +got):\n%s\n%+v", diff, first)
	}
	before := counts()
	if before[0] != 2 || before[1] != 2 || before[2] != 3 {
		t.Errorf("guardians, children, links: %v", before)
	}
	if diff := cmp.Diff([]string{"same", "same", "same", "faulty", "faulty", "same"}, outcomes(enter(false))); diff != "" {
		t.Errorf("twice (-want +got):\n%s", diff)
	}
	if after := counts(); after != before {
		t.Errorf("the same file twice changed %v to %v", before, after)
	}
	// Anne claims her family: from then on the list changes nothing of hers. Bert is still the commune's.
	codes, err := s.IssueClaims(t.Context(), command, []uuid.UUID{first[0].ID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.UseCode(t.Context(), b.account(t, "anne@example.be"), "192.0.2.1", codes[0].Typed); err != nil {
		t.Fatal(err)
	}
	rows = []household.FamilyRow{anne, bert}
	rows[0].Street, rows[1].Street = "Rue C 3", "Rue C 3"
	if diff := cmp.Diff([]string{"kept", "changed"}, outcomes(enter(false))); diff != "" {
		t.Errorf("moved (-want +got):\n%s", diff)
	}
	// A link that staff ended is not made again.
	child, err := s.Children(t.Context(), first[2].ID)
	if err != nil || len(child) != 1 {
		t.Fatal(child, err)
	}
	if err := s.End(t.Context(), command, first[2].ID, child[0].ID, b.today().AddDays(-1)); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.AddDate(0, 0, 1)
	if err := s.Grant(t.Context(), command, first[2].ID, child[0].ID, household.Grant{Basis: household.BasisOther, Until: b.today()}); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.AddDate(0, 0, 9)
	rows = []household.FamilyRow{with(bert, "C1", "Léa")}
	rows[0].Street = "Rue C 3"
	if diff := cmp.Diff([]string{"same"}, outcomes(enter(false))); diff != "" {
		t.Errorf("ended (-want +got):\n%s", diff)
	}
}

package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// family is Anne with Léo, who went to the camp that she paid.
func (b *fiscalBundle) family() (anne, leo, registration, due uuid.UUID) {
	b.t.Helper()
	anne = b.parent("Anne", numberAnne)
	leo = b.child(anne, "Léo", civil.NewDate(2017, 4, 15), numberLeo)
	registration, due = b.registration(b.camp, leo, anne, campPrice(10000))
	b.line(due, Payment, 10000, civil.NewDate(2025, 5, 2))
	b.came(registration, "PPPPA")
	return anne, leo, registration, due
}

func TestIssueAttestations(t *testing.T) {
	t.Parallel()
	b := setupFiscal(t)
	anne, leo, registration, _ := b.family()
	done := b.issue(2025)
	if done.New != 1 || len(done.IDs) != 1 {
		t.Fatalf("issued %+v, want one", done)
	}
	a := b.attestation(done.IDs[0])
	want := Attestation{
		ID: a.ID, Series: SeriesFiscal, Year: 2025, Number: 1, DebtorID: anne, ChildID: leo, IssuedAt: a.IssuedAt, IssuedBy: "command:test", TotalCents: 10000,
		Content: AttestationContent{
			Reference: "ATT-2025-00001", IssuedOn: civil.NewDate(2026, 2, 10),
			Organiser:     AttestationBody{Name: "Commune de Valmont", BCE: "0207354920", Street: "Place communale 1", Postcode: "4999", City: "Valmont"},
			Certification: 2,
			Certifier:     AttestationBody{Name: "Commune de Valmont", BCE: "0207354920", Street: "Place communale 1", Postcode: "4999", City: "Valmont"},
			Debtor:        AttestationPerson{FirstName: "Anne", LastName: "Lambert", Number: a.Content.Debtor.Number, Street: "Rue du Test 12", Postcode: "7180", City: "Seneffe"},
			Child:         AttestationPerson{FirstName: "Léo", LastName: "Lambert", Number: a.Content.Child.Number, BirthDate: civil.NewDate(2017, 4, 15), Street: "Rue du Test 12", Postcode: "7180", City: "Seneffe"},
			Lines: []AttestationLine{{
				RegistrationID: registration, Camp: "Cirque", From: civil.NewDate(2025, 7, 7), Until: civil.NewDate(2025, 7, 10), Days: 4, Tariff: 2500, Cents: 10000,
			}},
		},
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("attestation (-want +got):\n%s", diff)
	}
	debtor, child, err := b.store.Numbers(a)
	if err != nil || debtor.Digits() != numberAnne || child.Digits() != numberLeo {
		t.Errorf("the sealed numbers do not open (%v)", err)
	}
	var readable bool
	if err := b.db.QueryRow(t.Context(), `SELECT content::text ~ '85073003328|17041512731' FROM attestation`).Scan(&readable); err != nil || readable {
		t.Errorf("a national number stands readable (%v)", err)
	}
	if again := b.issue(2025); again.New+again.Changed+again.Withdrawn != 0 || again.Unchanged != 1 {
		t.Errorf("issued again: %+v", again)
	}
	for name, sql := range map[string]string{
		"changed": `UPDATE attestation SET total_cents = 1`, "removed": `DELETE FROM attestation`,
	} {
		if _, err := b.db.Exec(t.Context(), sql); err == nil {
			t.Errorf("an attestation could be %s", name)
		}
	}
	var jobs, mails int
	err = b.db.QueryRow(t.Context(), `
		SELECT count(*), count(*) FILTER (WHERE args->>'attestation_id' = @id)
		FROM river_job
		WHERE kind = 'attestation_issued'`, pgx.NamedArgs{"id": a.ID.String()}).Scan(&jobs, &mails)
	if err != nil || jobs != 1 || mails != 1 {
		t.Errorf("%d jobs, %d of the attestation, want one (%v)", jobs, mails, err)
	}
}

// TestTwoParents gives each the part that it paid; a share of an organisation belongs to neither.
func TestTwoParents(t *testing.T) {
	t.Parallel()
	b := setupFiscal(t)
	anne, marc := b.parent("Anne", numberAnne), b.parent("Marc", numberMarc)
	leo := b.child(anne, "Léo", civil.NewDate(2017, 4, 15), numberLeo)
	registration, first := b.registration(b.camp, leo, anne, campPrice(6000), priceLine{Label: "price.option", Args: []string{"Repas"}, Cents: 2000})
	share := 4000
	second := b.due(registration, marc, &share)
	// 80 € are 40 € for Anne, 30 € for Marc and 10 € for the CPAS.
	b.line(first, Reduction, 4000, civil.NewDate(2025, 5, 1))
	b.line(second, Charge, 3000, civil.NewDate(2025, 5, 1))
	cpas := b.parent("CPAS", "")
	b.exec(`UPDATE guardian SET kind = 'organisation' WHERE id = @id`, pgx.NamedArgs{"id": cpas})
	third := b.due(registration, cpas, &share)
	b.exec(`UPDATE due SET kind = 'cover' WHERE id = @id`, pgx.NamedArgs{"id": third})
	b.exec(`INSERT INTO cover (due_id, reference, actor, created_at) VALUES (@id, 'x', 'test', now())`, pgx.NamedArgs{"id": third})
	b.line(third, Charge, 1000, civil.NewDate(2025, 5, 1))
	b.line(first, Payment, 4000, civil.NewDate(2025, 5, 2))
	b.line(second, Payment, 3000, civil.NewDate(2025, 12, 31))
	b.came(registration, "PPPPP")
	if p := b.preview(2025); len(p.Planned) != 0 || len(p.Open) != 2 || p.Open[0].Why != WhyUnpaid {
		t.Fatalf("while the CPAS owes: %+v", p)
	}
	b.line(third, Payment, 1000, civil.NewDate(2025, 9, 1))
	p := b.preview(2025)
	got := map[string]civil.Cents{}
	for _, v := range p.Planned {
		got[v.Debtor] = v.Total
	}
	if diff := cmp.Diff(map[string]civil.Cents{"Anne Lambert": 3000, "Marc Lambert": 2250}, got); diff != "" {
		t.Errorf("each its part (-want +got):\n%s", diff)
	}
	if len(p.Open) != 0 {
		t.Errorf("the cover stands on the list: %+v", p.Open)
	}
	// A cover whose part counts is told to staff, as an organisation gets none.
	b.exec(`UPDATE cover SET fiscal = true`, nil)
	if p = b.preview(2025); len(p.Open) != 1 || p.Open[0].Why != WhyOrganisation {
		t.Errorf("a fiscal cover gives %+v", p.Open)
	}
	b.issue(2025)
	for _, a := range b.all(2025) {
		// Marc's paper must not say where Léo lives with Anne.
		if home := a.Content.Child.Street != ""; home != (a.DebtorID == anne) {
			t.Errorf("the attestation of %s shows the child at %q", a.Content.Debtor.Name(), a.Content.Child.Street)
		}
	}
}

func (b *fiscalBundle) all(year int) []Attestation {
	b.t.Helper()
	all, err := b.store.OfYear(b.t.Context(), SeriesFiscal, year, 0, 10000)
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Reverse(all)
	return all
}

func TestCivilYear(t *testing.T) {
	t.Parallel()
	b := setupFiscal(t)
	b.family()
	anne := b.parent("Anna", numberAnne)
	zoe := b.child(anne, "Zoé", civil.NewDate(2018, 3, 31), numberZoe)
	late, due := b.registration(b.camp, zoe, anne, campPrice(5000))
	b.came(late, "PPPPP")
	// Half an hour after midnight in Brussels is still the old year in UTC.
	b.exec(`
		INSERT INTO ledger_line (due_id, registration_id, payer_id, debtor_id, kind, cents, label, source, actor, at)
		SELECT id, registration_id, payer_id, debtor_id, 'payment', 5000, '', 'bank', 'test', '2025-12-31T23:30:00Z'
		FROM due WHERE id = @id`, pgx.NamedArgs{"id": due})
	if p := b.preview(2025); len(p.Planned) != 1 || p.Planned[0].Child != "Léo Lambert" {
		t.Errorf("2025: %+v", p.Planned)
	}
	if p := b.preview(2026); len(p.Planned) != 1 || p.Planned[0].Total != 5000 {
		t.Errorf("2026: %+v", p.Planned)
	}
}

// TestMoreThanFourPeriods splits over several attestations and caps nothing.
func TestMoreThanFourPeriods(t *testing.T) {
	t.Parallel()
	b := setupFiscal(t)
	anne := b.parent("Anne", numberAnne)
	leo := b.child(anne, "Léo", civil.NewDate(2017, 4, 15), numberLeo)
	for i := range 6 {
		camp := b.newCamp(fmt.Sprintf("Semaine %d", i+1), civil.NewDate(2025, 7, 7).AddDays(7*i), 5)
		registration, due := b.registration(camp, leo, anne, campPrice(civil.Cents(20000+i)))
		b.line(due, Payment, civil.Cents(20000+i), civil.NewDate(2025, 5, 2))
		b.came(registration, "PPPPP")
	}
	done := b.issue(2025)
	if done.New != 2 || done.Total != 120015 {
		t.Fatalf("issued %+v", done)
	}
	var camps [][]string
	for _, a := range b.all(2025) {
		var names []string
		for _, l := range a.Content.Lines {
			names = append(names, l.Camp)
		}
		camps = append(camps, names)
	}
	want := [][]string{{"Semaine 1", "Semaine 2", "Semaine 3", "Semaine 4"}, {"Semaine 5", "Semaine 6"}}
	if diff := cmp.Diff(want, camps); diff != "" {
		t.Errorf("camps (-want +got):\n%s", diff)
	}
}

// TestCorrections replaces what changed under a new number, keeps both, and withdraws what has no reason left.
func TestCorrections(t *testing.T) {
	t.Parallel()
	b := setupFiscal(t)
	anne, leo, registration, due := b.family()
	b.issue(2025)
	first := b.all(2025)[0]

	// A new camp is another attestation: the first one is still right.
	week2 := b.newCamp("Vélo", civil.NewDate(2025, 7, 14), 2)
	second, secondDue := b.registration(week2, leo, anne, campPrice(4000))
	b.line(secondDue, Payment, 4000, civil.NewDate(2025, 6, 1))
	b.came(second, "PP")
	if done := b.issue(2025); done.New != 1 || done.Unchanged != 1 || done.Changed != 0 {
		t.Fatalf("a new camp gives %+v", done)
	}

	// Attendance that was wrong is a correction, under the next number.
	b.came(registration, "PPPPP")
	done := b.issue(2025)
	if done.Changed != 1 || done.New != 0 || done.Unchanged != 1 {
		t.Fatalf("a correction gives %+v", done)
	}
	a := b.attestation(done.IDs[0])
	if a.Number != 3 || a.Treatment != TreatmentChange || *a.Replaces != first.ID || a.Content.Replaces != "ATT-2025-00001" || a.Content.Lines[0].Days != 5 {
		t.Errorf("the correction is %+v", a)
	}
	if kept := b.attestation(first.ID); !kept.Replaced || kept.Content.Lines[0].Days != 4 {
		t.Errorf("the first one is %+v", kept)
	}

	// A mark that was taken back says nothing: what was certified stands.
	b.exec(`DELETE FROM attendance WHERE registration_id = @r`, pgx.NamedArgs{"r": registration})
	if done := b.issue(2025); len(done.IDs) != 0 || done.Unchanged != 2 {
		t.Errorf("without marks: %+v", done)
	}
	b.came(registration, "PPPPP")

	// All given back within the year: nothing was received.
	b.line(due, Refund, 10000, civil.NewDate(2025, 12, 1))
	b.line(due, Reduction, 10000, civil.NewDate(2025, 12, 1))
	done = b.issue(2025)
	if done.Withdrawn != 1 || len(done.IDs) != 1 {
		t.Fatalf("a refund gives %+v", done)
	}
	void := b.attestation(done.IDs[0])
	if !void.Void() || void.TotalCents != 0 || len(void.Content.Lines) != 0 || void.Number != 4 || *void.Replaces != a.ID {
		t.Errorf("the withdrawal is %+v", void)
	}
	if done = b.issue(2025); len(done.IDs) != 0 {
		t.Errorf("issued again after the withdrawal: %+v", done)
	}
	b.noGap(2025, 4)

	// A name that was wrong makes another document too, an address does not.
	b.exec(`UPDATE guardian SET street = 'Rue Neuve 1' WHERE id = @id`, pgx.NamedArgs{"id": anne})
	if done = b.issue(2025); len(done.IDs) != 0 {
		t.Errorf("a new address gives %+v", done)
	}
	b.exec(`UPDATE child SET first_name = 'Léon' WHERE id = @id`, pgx.NamedArgs{"id": leo})
	if done = b.issue(2025); done.Changed != 1 {
		t.Errorf("a corrected name gives %+v", done)
	}
}

func (b *fiscalBundle) noGap(year, count int) {
	b.t.Helper()
	for i, a := range b.all(year) {
		if a.Number != i+1 {
			b.t.Fatalf("number %d at place %d", a.Number, i+1)
		}
	}
	if got := len(b.all(year)); got != count {
		b.t.Fatalf("%d attestations, want %d", got, count)
	}
}

// TestMissingNumbers waits for national numbers unless staff say otherwise, and for an address always; a number that
// comes later is a correction.
func TestMissingNumbers(t *testing.T) {
	t.Parallel()
	b := setupFiscal(t)
	anne := b.parent("Anne", "")
	leo := b.child(anne, "Léo", civil.NewDate(2017, 4, 15), "")
	registration, due := b.registration(b.camp, leo, anne, campPrice(10000))
	b.line(due, Payment, 10000, civil.NewDate(2025, 5, 2))
	b.came(registration, "PPPPP")
	p := b.preview(2025)
	if diff := cmp.Diff([]string{WhyDebtorNumber, WhyChildNumber}, p.Planned[0].Missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	if done := b.issue(2025); done.Held != 1 || len(done.IDs) != 0 {
		t.Fatalf("issued without numbers: %+v", done)
	}
	b.exec(`UPDATE guardian SET street = '' WHERE id = @id`, pgx.NamedArgs{"id": anne})
	anyway := IssueOptions{WithoutNumber: true}
	if done, err := b.store.IssueAttestations(t.Context(), tester, 2025, anyway); err != nil || done.Held != 1 {
		t.Fatalf("issued without an address: %+v (%v)", done, err)
	}
	b.exec(`UPDATE guardian SET street = 'Rue 1' WHERE id = @id`, pgx.NamedArgs{"id": anne})
	if done, err := b.store.IssueAttestations(t.Context(), tester, 2025, anyway); err != nil || done.New != 1 {
		t.Fatalf("not issued anyway: %+v (%v)", done, err)
	}
	if p := b.preview(2025); len(p.Incomplete) != 1 || !cmp.Equal(p.Incomplete[0].Missing, []string{WhyDebtorNumber, WhyChildNumber}) {
		t.Errorf("issued without numbers, it is not told: %+v", p.Incomplete)
	}
	if err := b.store.Households.SaveOwnNumber(t.Context(), anne, "85.07.30-033.28"); err != nil {
		t.Fatal(err)
	}
	done := b.issue(2025)
	if done.Changed != 1 {
		t.Fatalf("a number that came later gives %+v", done)
	}
	debtor, child, err := b.store.Numbers(b.attestation(done.IDs[0]))
	if err != nil || debtor.Digits() != numberAnne || !child.IsZero() {
		t.Errorf("the correction has other numbers (%v)", err)
	}
}

// TestHandicapMovesTheLimit only once staff have verified it.
func TestHandicapMovesTheLimit(t *testing.T) {
	t.Parallel()
	b := setupFiscal(t)
	anne := b.parent("Anne", numberAnne)
	max := b.child(anne, "Max", civil.NewDate(2010, 1, 1), "")
	registration, due := b.registration(b.camp, max, anne, campPrice(10000))
	b.line(due, Payment, 10000, civil.NewDate(2025, 5, 2))
	b.came(registration, "PPPPP")
	b.exec(`
		INSERT INTO guardianship (guardian_id, child_id, basis, rights, valid_from)
		VALUES (@g, @c, 'parental_authority', ARRAY['see', 'medical'], '2020-01-01')`, pgx.NamedArgs{"g": anne, "c": max})
	h := b.store.Households
	if err := h.DeclareHandicap(t.Context(), anne, max, true); err != nil {
		t.Fatal(err)
	}
	if p := b.preview(2025); len(p.Planned) != 0 || p.Open[0].Why != WhyTooOld {
		t.Errorf("a declaration alone counts: %+v", p)
	}
	if err := h.VerifyHandicap(t.Context(), tester, max, true, ""); !problem.Is(err, problem.KindInvalid) {
		t.Errorf("verified without proof: %v", err)
	}
	if err := h.VerifyHandicap(t.Context(), tester, max, true, "SPF, 12/01/2025"); err != nil {
		t.Fatal(err)
	}
	if p := b.preview(2025); len(p.Planned) != 1 || p.Planned[0].Total != 10000 {
		t.Errorf("verified: %+v", p)
	}
	if err := h.DeclareHandicap(t.Context(), b.parent("Inconnu", ""), max, false); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("a stranger may declare: %v", err)
	}
	var readable bool
	err := b.db.QueryRow(t.Context(), `SELECT encode(sealed, 'escape') ~ 'verified|SPF' FROM child_handicap`).Scan(&readable)
	if err != nil || readable {
		t.Errorf("it stands readable (%v)", err)
	}
	if got, err := h.DeclaredHandicaps(t.Context()); err != nil || got[max] != (household.Handicap{State: household.HandicapVerified, Proof: "SPF, 12/01/2025"}) {
		t.Errorf("staff see %+v (%v)", got, err)
	}
}

// TestNumbersUnderConcurrency lets 32 issuers work on one year at once, half of them on one debtor and some failing:
// every attestation is made once, and no number is missing.
func TestNumbersUnderConcurrency(t *testing.T) {
	t.Parallel()
	b := setupFiscal(t)
	var debtors []uuid.UUID
	for i := range 24 {
		anne := b.parent(fmt.Sprintf("Anne%d", i), numberAnne)
		leo := b.child(anne, "Léo", civil.NewDate(2017, 4, 15), numberLeo)
		registration, due := b.registration(b.camp, leo, anne, campPrice(10000))
		b.line(due, Payment, 10000, civil.NewDate(2025, 5, 2))
		b.came(registration, "PPPPP")
		debtors = append(debtors, anne)
	}
	stop := errors.New("stop")
	var wait sync.WaitGroup
	for i := range 32 {
		wait.Go(func() {
			var err error
			switch {
			case i%4 == 3: // draws a number and fails
				err = b.db.InTx(t.Context(), func(ctx context.Context, tx db.Tx) error {
					if _, err := NextNumber(ctx, tx, SeriesFiscal, 2025); err != nil {
						return err
					}
					return stop
				})
				if errors.Is(err, stop) {
					err = nil
				}
			case i%2 == 0:
				_, err = b.store.IssueAttestations(t.Context(), tester, 2025, IssueOptions{Debtor: debtors[i%len(debtors)]})
			default:
				_, err = b.store.IssueAttestations(t.Context(), tester, 2025, IssueOptions{})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	b.noGap(2025, len(debtors))
}

func TestAttestationFile(t *testing.T) {
	t.Parallel()
	b := setupFiscal(t)
	b.family()
	id := b.issue(2025).IDs[0]
	if _, err := b.store.File(t.Context(), id); !problem.Is(err, problem.KindNotFound) {
		t.Fatalf("a file before it was drawn: %v", err)
	}
	pdf := []byte("%PDF- 85073003328")
	if got, err := b.store.KeepFile(t.Context(), tester, id, pdf); err != nil || !bytes.Equal(got, pdf) {
		t.Fatalf("kept %q (%v)", got, err)
	}
	if got, err := b.store.KeepFile(t.Context(), tester, id, []byte("other")); err != nil || !bytes.Equal(got, pdf) {
		t.Errorf("drawn again it is %q (%v)", got, err)
	}
	var sealed []byte
	if err := b.db.QueryRow(t.Context(), `SELECT sealed FROM attestation_file`).Scan(&sealed); err != nil || bytes.Contains(sealed, []byte("85073003328")) {
		t.Errorf("the number stands readable in the file (%v)", err)
	}
}

func TestYearsOfAttestations(t *testing.T) {
	t.Parallel()
	b := setupFiscal(t)
	for _, year := range []int{2021, 2027, 0} {
		if _, err := b.store.Preview(t.Context(), year); !problem.Is(err, problem.KindInvalid) {
			t.Errorf("%d: %v", year, err)
		}
	}
	if err := b.store.SetMaximum(t.Context(), tester, Maximum{Year: 2025, Cents: 1690}); err != nil {
		t.Fatal(err)
	}
	if got := b.preview(2025).Maximum; got != 1690 {
		t.Errorf("the maximum of 2025 is %d", got)
	}
	if err := b.store.SetMaximum(t.Context(), tester, Maximum{Year: 1900, Cents: -1}); len(problem.As(err).Fields) != 2 {
		t.Errorf("both faults: %v", err)
	}
}

package reseal_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/medical"
	"ribambelle/internal/reseal"
	"ribambelle/internal/seal"
)

var actor = audit.Command("test")

// versions is how many versions the sheet has.
const versions = 5

// house is a commune that keeps one of everything that is sealed, and a sheet of several versions.
type house struct {
	*enroltest.World
	family      enroltest.Family
	imported    uuid.UUID
	attestation uuid.UUID
	belcotax    uuid.UUID
	former      []byte // the keyset that sealed it
	both        []byte // with the new key
	alone       []byte // with the new key alone
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// as opens the rooms with a keyset, as a process that was given it.
func (h *house) as(t testing.TB, keyset []byte) (*household.Store, *medical.Store, *ledger.Attestations) {
	t.Helper()
	box := must[*seal.Box](t)(seal.Load(keyset))
	households := household.New(h.DB, h.Now, box, h.Jobs)
	return households, medical.New(h.DB, h.Now, box, households), ledger.NewAttestations(h.DB, h.Now, box, households, h.Jobs)
}

func setup(t testing.TB) *house {
	t.Helper()
	ctx := context.Background()
	h := &house{World: enroltest.New(t)}
	h.former = must[[]byte](t)(seal.Generate())
	h.both = must[[]byte](t)(seal.Rotate(h.former))
	h.alone = must[[]byte](t)(seal.Prune(h.both, true))
	h.family = h.Family(t, 1)
	child, guardian := h.family.Children[0].ID, h.family.Guardian.ID
	households, sheets, attestations := h.as(t, h.former)
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c := must[household.Child](t)(households.AddChild(ctx, guardian, household.ChildForm{
		Key: uuid.New(), FirstName: "Tom", LastName: "Lambert", BirthDate: civil.NewDate(2018, 3, 31), NationalNumber: "18033100179", Level: "P3",
	}))
	h.family.Children = append(h.family.Children, c)
	ok(households.SaveOwnNumber(ctx, guardian, "85.07.30-033.28"))
	ok(households.DeclareHandicap(ctx, guardian, child, true))
	h.imported = must[uuid.UUID](t)(households.KeepImport(ctx, h.family.Account, household.ImportRun{
		Kind: "families", FileName: "f.csv", AsOf: civil.NewDate(2027, 5, 4), Counts: map[string]int{"new": 1}, Source: []byte("nom;prénom"), Result: []byte("classeur"),
	}))
	for i := range versions {
		ok(sheets.Save(ctx, h.family.Account, guardian, child, medical.Sheet{Version: i, Remarks: fmt.Sprint("remarque ", i)}))
	}
	box := must[*seal.Box](t)(seal.Load(h.former))
	h.attestation = uuid.New()
	content := ledger.AttestationContent{Reference: "ATT-2027-00001", Debtor: ledger.AttestationPerson{FirstName: "Sophie"}, Child: ledger.AttestationPerson{FirstName: "Léa"}}
	content.Debtor.Number = must[[]byte](t)(box.Seal([]byte("85073003328"), "attestation.content:"+h.attestation.String()+":debtor"))
	content.Child.Number = must[[]byte](t)(box.Seal([]byte("18033100179"), "attestation.content:"+h.attestation.String()+":child"))
	h.exec(t, `
		INSERT INTO attestation (id, series, year, number, debtor_id, child_id, treatment, issued_at, issued_by, total_cents, content)
		VALUES ($1, 'attestation', 2027, 1, $2, $3, 0, now(), 'test', 6000, $4)`, h.attestation, guardian, child, content)
	// One without numbers: what is not there is not sealed.
	h.exec(t, `
		INSERT INTO attestation (id, series, year, number, debtor_id, child_id, treatment, issued_at, issued_by, total_cents, content)
		VALUES ($1, 'attestation', 2027, 2, $2, $3, 0, now(), 'test', 6000, '{"Debtor": {}, "Child": {}}')`, uuid.New(), guardian, child)
	must[[]byte](t)(attestations.KeepFile(ctx, actor, h.attestation, []byte("%PDF attestation")))
	h.belcotax = uuid.New()
	sum := sha256.Sum256([]byte("<Verzendingen/>"))
	h.exec(t, `
		INSERT INTO belcotax_file (id, year, corrects, test, attestations, total_cents, sealed, sha256, actor, created_at)
		VALUES ($1, 2027, false, false, ARRAY[$2::uuid], 6000, $3, $4, 'test', now())`,
		h.belcotax, h.attestation, must[[]byte](t)(box.Seal([]byte("<Verzendingen/>"), "belcotax_file.sealed:"+h.belcotax.String())), sum[:])
	h.exec(t, `
		INSERT INTO setting (key, value)
		VALUES ('seal.proof', encode($1::bytea, 'base64'))`, must[[]byte](t)(box.Seal([]byte("ribambelle"), seal.ProofSetting)))
	return h
}

func (h *house) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := h.DB.Exec(context.Background(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// opens reads everything through the rooms with a keyset, and fails unless it is what was kept.
func (h *house) opens(t testing.TB, keyset []byte) {
	t.Helper()
	ctx := context.Background()
	households, sheets, attestations := h.as(t, keyset)
	child, guardian := h.family.Children[0].ID, h.family.Guardian.ID
	tom := h.family.Children[1].ID
	got := map[string]string{}
	note := func(name, text string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got[name] = text
	}
	numbers, err := households.ChildNumbers(ctx, h.DB, []uuid.UUID{tom})
	note("child", numbers[tom].Digits(), err)
	own, err := households.OwnNumber(ctx, guardian)
	note("guardian", own.Digits(), err)
	handicaps, err := households.Handicaps(ctx, h.DB, []uuid.UUID{child})
	note("handicap", handicaps[child].State, err)
	run, err := households.ImportRun(ctx, h.imported)
	note("import", string(run.Source)+" "+string(run.Result), err)
	sheet, _, err := sheets.ReadAsGuardian(ctx, h.family.Account, guardian, child)
	note("sheet", sheet.Remarks, err)
	a, err := attestations.Attestation(ctx, h.attestation)
	note("attestation", a.Content.Reference, err)
	debtor, minor, err := attestations.Numbers(a)
	note("attestation's numbers", debtor.Digits()+" "+minor.Digits(), err)
	pdf, err := attestations.File(ctx, h.attestation)
	note("attestation's file", string(pdf), err)
	body, _, err := attestations.BelcotaxBody(ctx, actor, h.belcotax)
	note("belcotax", string(body), err)
	want := map[string]string{
		"child": "18033100179", "guardian": "85073003328", "handicap": household.HandicapDeclared, "import": "nom;prénom classeur",
		"sheet": fmt.Sprint("remarque ", versions-1), "attestation": "ATT-2027-00001", "attestation's numbers": "85073003328 18033100179",
		"attestation's file": "%PDF attestation", "belcotax": "<Verzendingen/>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what opens (-want +got):\n%s", diff)
	}
}

// sealed sums the counts by column, those of nothing left out.
func sealed(all []reseal.Count) map[string]int {
	sums := map[string]int{}
	for _, n := range all {
		if n.Sealed > 0 {
			sums[n.Name] += n.Sealed
		}
	}
	return sums
}

var everything = map[string]int{
	"child.national_number": 1, "guardian.national_number": 1, "child_handicap.sealed": 1, "family_import.source": 1, "family_import.result": 1,
	"medical_sheet.sealed": versions, "attestation.content": 2, "attestation_file.sealed": 1, "belcotax_file.sealed": 1, "seal.proof": 1,
}

// TestRun seals everything again: it opens with the new key alone, every version of a sheet too, and once is enough.
func TestRun(t *testing.T) {
	t.Parallel()
	h := setup(t)
	box := must[*seal.Box](t)(seal.Load(h.both))
	r := &reseal.Runner{DB: h.DB, Box: box, Batch: 2}
	if left, err := r.Left(t.Context()); err != nil || left != 15 {
		t.Errorf("%d values are to be sealed, want 15 (%v)", left, err)
	}
	counts, err := r.Run(t.Context(), actor)
	if diff := cmp.Diff(everything, sealed(counts)); diff != "" || err != nil {
		t.Fatalf("sealed again: %v (-want +got):\n%s", err, diff)
	}
	h.opens(t, h.alone)
	h.opens(t, h.both)
	alone := must[*seal.Box](t)(seal.Load(h.alone))
	rows, err := h.DB.Query(t.Context(), `SELECT child_id || ':' || version, sealed FROM medical_sheet`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var row string
		var value []byte
		if err := rows.Scan(&row, &value); err != nil {
			t.Fatal(err)
		}
		if _, err := alone.Open(value, "medical_sheet.sealed:"+row); err != nil {
			t.Errorf("version %s: %v", row, err)
		}
	}
	if left, err := r.Left(t.Context()); err != nil || left != 0 {
		t.Errorf("%d values are left (%v)", left, err)
	}
	var before, after int
	lines := `SELECT count(*) FROM audit WHERE action = 'keys.rotated'`
	if err := h.DB.QueryRow(t.Context(), lines).Scan(&before); err != nil || before != 1 {
		t.Errorf("%d lines in the audit (%v)", before, err)
	}
	counts, err = r.Run(t.Context(), actor)
	if diff := cmp.Diff(map[string]int{}, sealed(counts), cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Errorf("a second run: %v (-want +got):\n%s", err, diff)
	}
	if err := h.DB.QueryRow(t.Context(), lines).Scan(&after); err != nil || after != 1 {
		t.Errorf("a run that does nothing is noted (%v)", err)
	}
}

// TestStopped stops the run after each transaction: what was done stays, the former keys still open all, and in the end
// nothing was done twice.
func TestStopped(t *testing.T) {
	t.Parallel()
	h := setup(t)
	box := must[*seal.Box](t)(seal.Load(h.both))
	killed := errors.New("killed")
	sums := map[string]int{}
	for stops := 0; ; stops++ {
		if stops > 30 {
			t.Fatal("it never comes to an end")
		}
		r := &reseal.Runner{DB: h.DB, Box: box, Batch: 2, Tell: func(reseal.Count) error { return killed }}
		counts, err := r.Run(t.Context(), actor)
		for name, n := range sealed(counts) {
			sums[name] += n
		}
		h.opens(t, h.both)
		if err == nil {
			break
		}
		if !errors.Is(err, killed) {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(everything, sums); diff != "" {
		t.Errorf("sealed again in all runs (-want +got):\n%s", diff)
	}
	h.opens(t, h.alone)
}

// TestWhatDoesNotOpen is counted and left as it is; the proof of the keys stays with the former ones, so that nobody gives
// them up.
func TestWhatDoesNotOpen(t *testing.T) {
	t.Parallel()
	h := setup(t)
	h.exec(t, `UPDATE guardian SET national_number = $2 WHERE id = $1`, h.family.Guardian.ID, append([]byte{1, 2, 3, 4, 5}, "nothing that opens"...))
	r := &reseal.Runner{DB: h.DB, Box: must[*seal.Box](t)(seal.Load(h.both))}
	for range 2 {
		counts, err := r.Run(t.Context(), actor)
		if !errors.Is(err, reseal.ErrStays) {
			t.Fatalf("a value that does not open: %v", err)
		}
		for _, n := range counts {
			if want := map[bool]int{true: 1}[n.Name == "guardian.national_number"]; n.Stays != want {
				t.Errorf("%s: %d stay, want %d", n.Name, n.Stays, want)
			}
		}
	}
	if left, err := r.Left(t.Context()); err != nil || left != 2 { // it, and the proof
		t.Errorf("%d are left, want 2 (%v)", left, err)
	}
}

// TestNothingElseChanges tries what the exception of the append-only tables does not let through.
func TestNothingElseChanges(t *testing.T) {
	t.Parallel()
	h := setup(t)
	for _, tt := range []struct {
		sql  string
		on   string
		want bool
	}{
		{`UPDATE medical_sheet SET sealed = 'x'`, "on", true},
		{`UPDATE medical_sheet SET sealed = 'x'`, "", false},
		{`UPDATE medical_sheet SET sealed = 'x'`, "yes", false},
		{`UPDATE medical_sheet SET sealed = 'x', version = version + 100`, "on", false},
		{`UPDATE medical_sheet SET created_at = now() + interval '1 day'`, "on", false},
		{`UPDATE medical_sheet SET child_id = (SELECT id FROM child WHERE first_name = 'Tom')`, "on", false},
		{`DELETE FROM medical_sheet`, "on", false},
		{`TRUNCATE medical_sheet CASCADE`, "on", false},
		{`UPDATE attestation SET content = jsonb_set(content, '{Debtor,Number}', '"eA=="') WHERE number = 1`, "on", true},
		{`UPDATE attestation SET content = jsonb_set(content, '{Child,Number}', '"eA=="') WHERE number = 1`, "on", true},
		{`UPDATE attestation SET content = jsonb_set(content, '{Child,Number}', '"eA=="') WHERE number = 1`, "", false},
		{`UPDATE attestation SET content = jsonb_set(content, '{Child,Number}', '"eA=="') WHERE number = 2`, "on", false}, // none was there
		{`UPDATE attestation SET content = content #- '{Child,Number}' WHERE number = 1`, "on", false},
		{`UPDATE attestation SET content = jsonb_set(content, '{Child,Number}', '12') WHERE number = 1`, "on", false},
		{`UPDATE attestation SET content = jsonb_set(content, '{Reference}', '"ATT-2027-00002"') WHERE number = 1`, "on", false},
		{`UPDATE attestation SET total_cents = 1 WHERE number = 1`, "on", false},
		{`DELETE FROM attestation WHERE number = 2`, "on", false},
		{`UPDATE attestation_file SET sealed = 'x'`, "on", true},
		{`UPDATE attestation_file SET sealed = 'x', sha256 = 'y'`, "on", false},
		{`UPDATE belcotax_file SET sealed = 'x'`, "on", true},
		{`UPDATE belcotax_file SET sealed = 'x', total_cents = 0`, "on", false},
		{`UPDATE belcotax_file SET sealed = NULL`, "on", false},
		{`UPDATE audit SET actor_id = 'x'`, "on", false},
		{`DELETE FROM audit`, "on", false},
	} {
		undo := errors.New("undo")
		err := h.DB.InTx(t.Context(), func(ctx context.Context, tx db.Tx) error {
			if _, err := tx.Exec(ctx, `SELECT set_config('ribambelle.reseal', $1, true)`, tt.on); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, tt.sql); err != nil {
				return err
			}
			return undo
		})
		if done := errors.Is(err, undo); done != tt.want {
			t.Errorf("%s with %q: done %v, want %v (%v)", tt.sql, tt.on, done, tt.want, err)
		}
	}
	// The setting ends with its transaction.
	if _, err := h.DB.Exec(t.Context(), `UPDATE medical_sheet SET sealed = 'x'`); err == nil {
		t.Error("the exception outlives its transaction")
	}
}

// TestColumnsAreAll fails when a column of bytes is new: it is sealed and stands in Columns, or it is named here.
func TestColumnsAreAll(t *testing.T) {
	t.Parallel()
	readable := map[string]bool{}
	for name := range strings.FieldsSeq(`
		user_session.token_hash sign_in_failure.key_hash family_code_try.key_hash odoo_link.digest odoo_cursor.digest
		bank_import.sha256 bank_statement.hash bank_entry.key sepa_file.content sepa_file.sha256
		attestation_file.sha256 belcotax_file.sha256 fund_form.pdf fund_form.sha256
		invoice_file.pdf invoice_file.sha256 credit_note_file.pdf credit_note_file.sha256
	`) {
		readable[name] = true
	}
	for _, c := range reseal.Columns() {
		readable[c.Name] = true
	}
	d := dbtest.New(t)
	rows, err := d.Query(t.Context(), `
		SELECT table_name || '.' || column_name
		FROM information_schema.columns
		WHERE table_schema = 'public'
		  AND data_type = 'bytea'
		  AND table_name NOT LIKE 'river%'
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		if !readable[name] {
			t.Errorf("%s holds bytes: are they sealed?", name)
		}
		delete(readable, name)
	}
	delete(readable, "attestation.content") // sealed in JSON
	for name := range readable {
		t.Errorf("%s holds no bytes", name)
	}
}

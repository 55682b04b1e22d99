package ledger

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/problem"
)

// told is a fiche as Belcotax sees it: the number that it knows, what is done, and with which reference.
type told struct {
	Number, Treatment int
	Reference         string
}

func (b *fiscalBundle) declared(year int) (list []told, d Declaration) {
	b.t.Helper()
	d, err := b.store.Declaration(b.t.Context(), year)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range d.Fiches {
		list = append(list, told{f.Number, f.Treatment, f.Attestation.Content.Reference})
	}
	return list, d
}

// keep makes a file of what is declared, a minute later.
func (b *fiscalBundle) keep(d Declaration, test bool) uuid.UUID {
	b.t.Helper()
	b.now = b.now.Add(time.Minute)
	id, err := b.store.KeepBelcotax(b.t.Context(), tester, d, test, []byte("<xml>85073003328</xml>"))
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// TestDeclarationFollowsWhatWasSent walks through a year at Belcotax: everything first, corrections and withdrawals under
// the number that was sent, additions under their own, and nothing when all was told.
func TestDeclarationFollowsWhatWasSent(t *testing.T) {
	t.Parallel()
	b := setupFiscal(t)
	anne, leo, registration, _ := b.family()
	zoe := b.child(anne, "Zoé", civil.NewDate(2018, 3, 31), numberZoe)
	second, due := b.registration(b.camp, zoe, anne, campPrice(5000))
	b.line(due, Payment, 5000, civil.NewDate(2025, 5, 3))
	b.came(second, "PPPPP")
	b.issue(2025)
	numberOf := func(child uuid.UUID) int {
		for _, a := range b.all(2025) {
			if a.ChildID == child {
				return a.Number
			}
		}
		return 0
	}
	// A correction before anything was sent goes out as an original, under its own number.
	b.came(registration, "PPPPP")
	b.issue(2025)
	z := numberOf(zoe)
	want := []told{{z, 0, "ATT-2025-0000" + string(rune('0'+z))}, {3, 0, "ATT-2025-00003"}}
	got, d := b.declared(2025)
	if diff := cmp.Diff(want, got); diff != "" || d.Corrects {
		t.Fatalf("the first file (-want +got):\n%s", diff)
	}
	if d.Sender.Body.BCE != "0207354920" || d.Sender.Body.Postcode != "4999" || d.Sender.Body.City != "Valmont" {
		t.Errorf("the sender is %+v", d.Sender)
	}
	trial, file := b.keep(d, true), b.keep(d, false)
	if err := b.store.MarkSent(t.Context(), tester, trial, "R1"); !problem.Is(err, problem.KindInvalid) {
		t.Errorf("a trial was sent: %v", err)
	}
	if err := b.store.MarkSent(t.Context(), tester, file, "too long"); !problem.Is(err, problem.KindInvalid) {
		t.Errorf("a long reference: %v", err)
	}
	if err := b.store.MarkSent(t.Context(), tester, file, "R12345"); err != nil {
		t.Fatal(err)
	}
	if err := b.store.MarkSent(t.Context(), tester, file, "R12345"); !problem.Is(err, problem.KindInvalid) {
		t.Errorf("sent twice: %v", err)
	}
	if got, _ := b.declared(2025); len(got) != 0 {
		t.Errorf("nothing has changed, and %v is to be sent", got)
	}

	// Léo changes twice, Zoé loses hers, Max is new.
	b.came(registration, "PPPPA")
	b.issue(2025)
	b.came(registration, "PPPAA")
	b.line(due, Refund, 5000, civil.NewDate(2025, 12, 1))
	b.line(due, Reduction, 5000, civil.NewDate(2025, 12, 1))
	maxime := b.child(anne, "Maxime", civil.NewDate(2016, 1, 2), numberLeo)
	third, dueMax := b.registration(b.camp, maxime, anne, campPrice(7000))
	b.line(dueMax, Payment, 7000, civil.NewDate(2025, 5, 3))
	b.came(third, "PPPPP")
	b.now = b.now.Add(time.Hour)
	b.issue(2025)
	got, d = b.declared(2025)
	byTreatment := map[int]told{}
	for _, v := range got {
		byTreatment[v.Treatment] = v
	}
	if len(got) != 3 || byTreatment[TreatmentChange].Number != 3 || byTreatment[TreatmentCancel].Number != z || byTreatment[TreatmentAddition].Number < 5 {
		t.Errorf("corrections are %+v", got)
	}
	if !d.Corrects || d.Reference != "R12345" {
		t.Errorf("it corrects %v %q", d.Corrects, d.Reference)
	}
	if byTreatment[TreatmentCancel].Reference != want[0].Reference {
		t.Errorf("the cancellation tells of %q", byTreatment[TreatmentCancel].Reference)
	}
	next := b.keep(d, false)
	if err := b.store.MarkSent(t.Context(), tester, next, "R2"); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.declared(2025); len(got) != 0 {
		t.Errorf("after the corrections %v is to be sent", got)
	}
	// Again Léo: still under the number of the first file, and the first reference.
	b.exec(`UPDATE child SET first_name = 'Léon' WHERE id = @id`, pgx.NamedArgs{"id": leo})
	b.issue(2025)
	if got, d = b.declared(2025); len(got) != 1 || got[0].Number != 3 || got[0].Treatment != TreatmentChange || d.Reference != "R12345" {
		t.Errorf("the next correction is %+v of %q", got, d.Reference)
	}

	files, err := b.store.BelcotaxFiles(t.Context(), 2025)
	if err != nil || len(files) != 3 || files[0].Fiches != 3 || !files[0].Corrects || files[0].Reference != "R2" || !files[2].Test || files[2].SentAt != nil {
		t.Errorf("files %+v (%v)", files, err)
	}
	body, year, err := b.store.BelcotaxBody(t.Context(), tester, file)
	if err != nil || year != 2025 || string(body) != "<xml>85073003328</xml>" {
		t.Errorf("the kept file is %q of %d (%v)", body, year, err)
	}
	var sealed []byte
	if err := b.db.QueryRow(t.Context(), `SELECT sealed FROM belcotax_file LIMIT 1`).Scan(&sealed); err != nil || bytes.Contains(sealed, []byte("85073003328")) {
		t.Errorf("the number stands readable in the file (%v)", err)
	}
	if _, err := b.db.Exec(t.Context(), `UPDATE belcotax_file SET year = 2024`); err == nil {
		t.Error("a file could be changed")
	}
}

package notice

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/account"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/enrol/enroltest"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/mail"
	"ribambelle/internal/mail/maildrop"
	"ribambelle/internal/mail/maildrop/maildroptest"
	"ribambelle/internal/medical"
	"ribambelle/reports"
)

// bundle is a commune that writes mails to a real SMTP server.
type bundle struct {
	*enroltest.World
	*Store
	drop *maildroptest.Drop
}

func setup(t *testing.T) *bundle {
	t.Helper()
	w := enroltest.New(t)
	drop := maildroptest.Start(t)
	sender, err := mail.NewSender(drop.SMTP, "Commune de Testville <stages@testville.example>")
	if err != nil {
		t.Fatal(err)
	}
	s := New(w.DB, w.Now, w.Jobs, sender, account.New(w.DB, w.Now, w.Box, w.Jobs), reports.New(w.DB, w.Now, w.Medical),
		"https://stages.testville.example/", slog.New(slog.DiscardHandler))
	b := &bundle{World: w, Store: s, drop: drop}
	for key, value := range map[string]string{
		"commune.name": "Commune de Testville", "commune.iban": "BE15091000000130", "commune.email": "stages@testville.example",
		"commune.street": "Place communale 1", "commune.city": "7180 Testville", "commune.phone": "+3264123456",
	} {
		if err := camp.SetSetting(t.Context(), w.DB, enroltest.Actor, key, value); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// now is the clock of both embedded.
func (b *bundle) now() time.Time { return b.World.Now() }

// sql runs a statement of a test.
func (b *bundle) sql(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := b.World.DB.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// count returns the one number that a query gives.
func (b *bundle) count(t *testing.T, query string, args ...any) int {
	t.Helper()
	var n int
	if err := b.World.DB.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// until moves the clock to a day at an hour in Brussels.
func (b *bundle) until(day civil.Date, hour int) {
	b.Pass(day.At(hour*60, civil.Brussels).Sub(b.now()))
}

// tell runs the jobs that changes of registrations, payers and refunds have enqueued, as a worker would.
func (b *bundle) tell(t *testing.T) {
	t.Helper()
	rows, err := b.World.DB.Query(t.Context(), `
		UPDATE river_job
		SET state = 'completed', finalized_at = now()
		WHERE kind IN ('registration_changed', 'invoice_issued', 'refund_changed', 'payment_asked')
		  AND state = 'available'
		RETURNING kind, args`)
	if err != nil {
		t.Fatal(err)
	}
	type one struct {
		Kind string
		Args []byte
	}
	jobs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[one])
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		if err := b.run(t, j.Kind, j.Args); err != nil {
			t.Fatal(err)
		}
	}
}

// run does one job.
func (b *bundle) run(t *testing.T, kind string, args []byte) error {
	t.Helper()
	read := func(into any) {
		t.Helper()
		if err := json.Unmarshal(args, into); err != nil {
			t.Fatal(err)
		}
	}
	switch kind {
	case "invoice_issued":
		var a job.InvoiceIssued
		read(&a)
		return b.invoiceIssued(t.Context(), uuid.MustParse(a.InvoiceID))
	case "refund_changed":
		var a job.RefundChanged
		read(&a)
		return b.refundChanged(t.Context(), a)
	case "payment_asked":
		var a job.PaymentAsked
		read(&a)
		return b.paymentAsked(t.Context(), a)
	}
	var a job.RegistrationChanged
	read(&a)
	return b.registrationChanged(t.Context(), a.EventID)
}

// unsent returns the messages that wait.
func (b *bundle) unsent(t *testing.T) []uuid.UUID {
	t.Helper()
	rows, err := b.World.DB.Query(t.Context(), `
		SELECT id
		FROM message
		WHERE sent_at IS NULL
		  AND dropped_at IS NULL
		  AND failed_at IS NULL
		ORDER BY created_at, template, recipient`)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// send sends every message that waits, and returns the mails that then arrived, oldest first.
func (b *bundle) send(t *testing.T) []maildrop.Mail {
	t.Helper()
	before := len(b.drop.To(""))
	for _, id := range b.unsent(t) {
		if err := b.Send(t.Context(), id, false); err != nil {
			t.Fatal(err)
		}
	}
	mails := b.drop.To("")
	mails = mails[:len(mails)-before]
	for i, j := 0, len(mails)-1; i < j; i, j = i+1, j-1 {
		mails[i], mails[j] = mails[j], mails[i]
	}
	for _, m := range mails {
		if all := m.Subject + m.Text; strings.Contains(all, "notice.") || strings.Contains(all, "%!") || strings.Contains(all, "%[") || m.Fault != "" {
			t.Errorf("a mail is not well written: %q\n%s\n%s", m.Subject, m.Text, m.Fault)
		}
	}
	return mails
}

// enqueueDue enqueues what is due now.
func (b *bundle) enqueueDue(t *testing.T) int {
	t.Helper()
	n, err := b.EnqueueDue(t.Context(), b.now())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// ladder lets the days pass at nine and returns those on which something was enqueued.
func (b *bundle) ladder(t *testing.T, from, to civil.Date) []string {
	t.Helper()
	var days []string
	for day := from; !day.After(to); day = day.AddDays(1) {
		b.until(day, 9)
		for range b.enqueueDue(t) {
			days = append(days, day.String())
		}
	}
	return days
}

// only switches off every rule but one.
func (b *bundle) only(t *testing.T, code string) {
	t.Helper()
	b.sql(t, `UPDATE reminder_rule SET enabled = code = $1`, code)
}

// fresh saves a child's complete medical sheet, which confirms it.
func (b *bundle) fresh(t *testing.T, f enroltest.Family, child int) {
	t.Helper()
	if err := b.Medical.Save(t.Context(), f.Account, f.Guardian.ID, f.Children[child].ID, medical.Sheet{
		HasAllergies: medical.No, HasDiseases: medical.No, TakesMedication: medical.No, HasDiet: medical.No, AllowCare: medical.Yes,
		Doctor: medical.Doctor{Name: "Dr Maes", Phone: "+3267551234"}, Remarks: "hypersensible-au-latex",
	}); err != nil {
		t.Fatal(err)
	}
}

// pay books what a registration owes.
func (b *bundle) pay(t *testing.T, f enroltest.Family, r enrol.Registration) {
	t.Helper()
	d, err := ledger.DueOf(t.Context(), b.World.DB, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	balance, err := ledger.BalanceOf(t.Context(), b.World.DB, d.ID, civil.DateOf(b.World.Now(), civil.Brussels))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Enrol.RecordPayment(t.Context(), f.Account, d.ID, balance.Owed(), "bank", uuid.New()); err != nil {
		t.Fatal(err)
	}
}

// join gives another family's guardian rights on a child.
func (b *bundle) join(t *testing.T, other enroltest.Family, f enroltest.Family, child int, rights ...household.Right) {
	t.Helper()
	err := b.Households.Grant(t.Context(), enroltest.Actor, other.Guardian.ID, f.Children[child].ID,
		household.Grant{Basis: household.BasisParentalAuthority, Rights: rights})
	if err != nil {
		t.Fatal(err)
	}
}

// tasks returns how many tasks of a kind are open.
func (b *bundle) tasks(t *testing.T, kind string) int {
	t.Helper()
	return b.count(t, `SELECT count(*) FROM task WHERE kind = $1 AND done_at IS NULL`, kind)
}

// firstDay is the first day of enroltest's camps.
var firstDay = civil.NewDate(2027, 7, 5)

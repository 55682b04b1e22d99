package notice

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/mail"
	"ribambelle/internal/pay/transfer"
	"ribambelle/internal/problem"
)

// errNoPart is returned for a payer of whom nothing is asked: others pay it all.
var errNoPart = fmt.Errorf("no part of the price: %w", errDrop)

// payersOf returns the families that pay a part of a registration today.
func payersOf(ctx context.Context, q db.Querier, registrationID uuid.UUID) ([]uuid.UUID, error) {
	rows, err := q.Query(ctx, `
		SELECT payer_id
		FROM due
		WHERE registration_id = @id
		  AND kind = 'family'
		  AND ended_at IS NULL
		ORDER BY payer_id`,
		pgx.NamedArgs{"id": registrationID})
	if err != nil {
		return nil, fmt.Errorf("reading who pays for registration %s: %w", registrationID, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("reading who pays for registration %s: %w", registrationID, err)
	}
	return ids, nil
}

// paysFor reports whether a guardian pays for a registration, all of it or a part.
func paysFor(ctx context.Context, q db.Querier, p place, guardianID uuid.UUID) (bool, error) {
	if guardianID == p.PayerID {
		return true, nil
	}
	_, err := ledger.DueFor(ctx, q, p.ID, guardianID)
	if problem.Is(err, problem.KindNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s *Store) today() civil.Date { return civil.DateOf(s.Now(), civil.Brussels) }

// billNow is the bill of a payment that is awaited, until the family's deadline; errDrop after it, errNoPart for who has
// nothing to pay in it.
func (s *Store) billNow(ctx context.Context, tx db.Tx, p place, payer uuid.UUID, loc *locale.Locale) ([]mail.Fact, error) {
	if p.DueAt == nil || !s.Now().Before(*p.DueAt) {
		return nil, errDrop
	}
	return s.bill(ctx, tx, p, payer, s.today(), loc.Deadline(*p.DueAt), loc)
}

// bill says how much a payer owes by a day, until when, and how to transfer it; errDrop when that is nothing.
func (s *Store) bill(ctx context.Context, tx db.Tx, p place, payer uuid.UUID, on civil.Date, until string, loc *locale.Locale) ([]mail.Fact, error) {
	d, err := ledger.DueFor(ctx, tx, p.ID, payer)
	if problem.Is(err, problem.KindNotFound) {
		return nil, errDrop
	}
	if err != nil {
		return nil, err
	}
	b, err := ledger.BalanceOf(ctx, tx, d.ID, on)
	if err != nil {
		return nil, err
	}
	if b.OwedNow() <= 0 {
		if b.Charged == 0 && b.Paid == 0 {
			return nil, errNoPart
		}
		return nil, errDrop
	}
	facts := []mail.Fact{{Label: loc.T("notice.fact.amount"), Value: loc.Euros(b.OwedNow())}}
	if until != "" {
		facts = append(facts, mail.Fact{Label: loc.T("notice.fact.deadline"), Value: until})
	}
	how, err := howToPay(ctx, tx, d, loc)
	if err != nil {
		return nil, err
	}
	later, err := laterParts(ctx, tx, d, b, on, loc)
	return append(append(facts, how...), later...), err
}

// howToPay says to which account, and under which communication.
func howToPay(ctx context.Context, q db.Querier, d ledger.Due, loc *locale.Locale) ([]mail.Fact, error) {
	settings, err := camp.AllSettings(ctx, q)
	if err != nil {
		return nil, err
	}
	communication, err := transfer.Parse(d.Communication)
	if err != nil {
		return nil, fmt.Errorf("reading the communication of due %s: %w", d.ID, err)
	}
	var facts []mail.Fact
	if iban := settings["commune.iban"]; iban != "" {
		facts = append(facts,
			mail.Fact{Label: loc.T("notice.fact.iban"), Value: grouped(iban)},
			mail.Fact{Label: loc.T("notice.fact.beneficiary"), Value: settings["commune.name"]})
	}
	return append(facts, mail.Fact{Label: loc.T("notice.fact.communication"), Value: communication.String()}), nil
}

// laterParts says what is to be paid after a day.
func laterParts(ctx context.Context, q db.Querier, d ledger.Due, b ledger.Balance, on civil.Date, loc *locale.Locale) ([]mail.Fact, error) {
	plan, err := ledger.InstalmentsOf(ctx, q, d.ID)
	if err != nil {
		return nil, err
	}
	var facts []mail.Fact
	for _, part := range ledger.Left(plan, b.Owed(), on) {
		facts = append(facts, mail.Fact{
			Label: loc.T("notice.fact.then"), Value: loc.T("notice.instalment", loc.Euros(part.Cents), loc.Day(part.DueOn)),
		})
	}
	return facts, nil
}

// afterExit tells a payer what becomes of money that is here, or what is still to be paid.
func (s *Store) afterExit(ctx context.Context, tx db.Tx, p place, payer uuid.UUID, loc *locale.Locale) ([]string, error) {
	d, err := ledger.DueFor(ctx, tx, p.ID, payer)
	if problem.Is(err, problem.KindNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := ledger.BalanceOf(ctx, tx, d.ID, s.today())
	switch {
	case err != nil || b.Owed() == 0:
		return nil, err
	case b.Owed() > 0:
		return []string{loc.T("notice.exit.owed", loc.Euros(b.Owed()))}, nil
	}
	return []string{loc.T("notice.exit.paid", loc.Euros(-b.Owed()))}, nil
}

// paymentAsked keeps the message that asks somebody for the part that it was given of a price.
func (s *Store) paymentAsked(ctx context.Context, a job.PaymentAsked) error {
	id, err := uuid.Parse(a.DueID)
	if err != nil {
		return job.Permanent(fmt.Errorf("reading the id of a due: %w", err))
	}
	d, err := ledger.ReadDue(ctx, s.DB, id)
	if problem.Is(err, problem.KindNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		return s.put(ctx, tx, templatePaymentAsked, d.ID.String(), a.At, nil, toGuardian(d.PayerID))
	})
}

// askedLetter asks for a part of a price, as long as something of it is to be paid.
func (s *Store) askedLetter(ctx context.Context, tx db.Tx, m message, to person, loc *locale.Locale) (letter, error) {
	id, err := uuid.Parse(m.SubjectID)
	if err != nil {
		return letter{}, fmt.Errorf("message %s is about the due %q", m.ID, m.SubjectID)
	}
	d, err := ledger.ReadDue(ctx, tx, id)
	if err != nil {
		return letter{}, err
	}
	if err := s.notBlocked(ctx, tx, to.GuardianID, d.RegistrationID); err != nil {
		return letter{}, err
	}
	p, err := readPlace(ctx, tx, d.RegistrationID)
	if err != nil {
		return letter{}, err
	}
	until := ""
	if p.DueAt != nil {
		until = loc.Deadline(*p.DueAt)
	}
	bill, err := s.bill(ctx, tx, p, to.GuardianID, s.today(), until, loc)
	if err != nil {
		return letter{}, err
	}
	return letter{key: m.Template, args: p.args(loc), facts: append(p.facts(loc), bill...), button: pathPay(p.ID)}, nil
}

// instalmentOn returns the next day on which something is to be paid of a due that was covered; errDrop without one.
func (s *Store) instalmentOn(ctx context.Context, tx db.Tx, registrationID, payer uuid.UUID, after time.Time) (civil.Date, error) {
	d, err := ledger.DueFor(ctx, tx, registrationID, payer)
	if problem.Is(err, problem.KindNotFound) {
		return civil.Date{}, errDrop
	}
	if err != nil {
		return civil.Date{}, err
	}
	day := civil.DateOf(after, civil.Brussels)
	b, err := ledger.BalanceOf(ctx, tx, d.ID, day)
	if err != nil {
		return civil.Date{}, err
	}
	plan, err := ledger.InstalmentsOf(ctx, tx, d.ID)
	if err != nil {
		return civil.Date{}, err
	}
	left := ledger.Left(plan, b.Owed(), day)
	if len(left) == 0 {
		return civil.Date{}, errDrop
	}
	return left[0].DueOn, nil
}

// grouped writes an account number by four: BE15 0910 0000 0130.
func grouped(iban string) string {
	var b strings.Builder
	for i, r := range strings.ReplaceAll(iban, " ", "") {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

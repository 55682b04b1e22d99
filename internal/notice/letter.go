package notice

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/mail"
	"ribambelle/internal/problem"
)

// accountLetter brings a mailed code to the address that it is to prove.
func (s *Store) accountLetter(ctx context.Context, m message) (person, letter, error) {
	id, err := uuid.Parse(m.SubjectID)
	if err != nil {
		return person{}, letter{}, fmt.Errorf("message %s is about the code %q", m.ID, m.SubjectID)
	}
	purpose, email, name, token, language, err := s.Accounts.CodeMail(ctx, id)
	if problem.Is(err, problem.KindGone) || problem.Is(err, problem.KindNotFound) {
		return person{}, letter{}, errDrop
	}
	if err != nil {
		return person{}, letter{}, err
	}
	p := person{Name: name, Email: email, Channel: "email", Locale: language}
	l := letter{key: m.Template, button: pathSignIn}
	switch purpose {
	case account.PurposeConfirm:
		l.button = withCode(pathConfirm, token)
	case account.PurposeReset:
		l.button = withCode(pathReset, token)
	}
	l.after = []string{locale.For(language).T("notice." + m.Template + ".after")}
	return p, l, nil
}

// invoiceLetter brings an invoice to its payer, as the PDF that is kept: whatever right on the child is left, but not
// against a block, since it names the child.
func (s *Store) invoiceLetter(ctx context.Context, tx db.Tx, m message, to person, loc *locale.Locale) (letter, error) {
	id, err := uuid.Parse(m.SubjectID)
	if err != nil {
		return letter{}, fmt.Errorf("message %s is about the invoice %q", m.ID, m.SubjectID)
	}
	inv, err := s.Ledger.Invoice(ctx, id)
	if err != nil {
		return letter{}, err
	}
	if err := s.notBlocked(ctx, tx, to.GuardianID, inv.RegistrationID); err != nil {
		return letter{}, err
	}
	file, err := s.Reports.Invoice(ctx, id, audit.Job(job.MessageSend{}.Kind()))
	if err != nil {
		return letter{}, err
	}
	c := inv.Content
	l := letter{
		key: m.Template, args: []any{c.Number, c.Camp}, button: pathInvoice(id),
		facts: []mail.Fact{
			{Label: loc.T("notice.fact.number"), Value: c.Number},
			{Label: loc.T("notice.fact.amount"), Value: loc.Euros(c.Total)},
			{Label: loc.T("notice.fact.child"), Value: c.Child},
			{Label: loc.T("notice.fact.camp"), Value: c.Camp},
		},
		files: []mail.Attachment{{Name: file.Name, Type: file.ContentType, Data: file.Body}},
	}
	if c.Group() {
		l.key, l.args = templateGroup, []any{c.Number, loc.Month(c.Month.Month), c.Month.Year}
		l.facts = l.facts[:2] // the children stand in the document alone
		return l, nil
	}
	if c.Called == ledger.CalledInvitation {
		l.key = templateInvitation
	}
	if !c.PaidOn.IsZero() {
		l.facts = append(l.facts, mail.Fact{Label: loc.T("notice.fact.paid_on"), Value: loc.Day(c.PaidOn)})
	}
	return l, nil
}

package notice

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/locale"
	"ribambelle/internal/mail"
)

// templateInvitation has the words for an invoice of a commune that calls it an invitation to pay.
const templateInvitation = "invitation"

// templateGroup has the words for the invoice of a month that an organisation pays.
const templateGroup = "invoice_group"

// pathCredit is the page of a credit note, which says what the PDF says.
func pathCredit(id uuid.UUID) string { return "/mon-espace/notes-de-credit/" + id.String() }

// creditIssued draws a credit note, keeps the drawing, and keeps the message that brings it to its payer.
func (s *Store) creditIssued(ctx context.Context, id uuid.UUID) error {
	note, err := s.Ledger.CreditNote(ctx, id)
	if err != nil {
		return err
	}
	if _, err := s.Reports.CreditNote(ctx, id, audit.Job(job.CreditNoteIssued{}.Kind())); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		return s.put(ctx, tx, templateCredit, id.String(), note.IssuedAt, nil, toGuardian(note.PayerID))
	})
}

// creditLetter brings a credit note to its payer, as the PDF that is kept, on the terms of an invoice.
func (s *Store) creditLetter(ctx context.Context, tx db.Tx, m message, to person, loc *locale.Locale) (letter, error) {
	id, err := uuid.Parse(m.SubjectID)
	if err != nil {
		return letter{}, fmt.Errorf("message %s is about the credit note %q", m.ID, m.SubjectID)
	}
	note, err := s.Ledger.CreditNote(ctx, id)
	if err != nil {
		return letter{}, err
	}
	if err := s.notBlocked(ctx, tx, to.GuardianID, note.RegistrationID); err != nil {
		return letter{}, err
	}
	file, err := s.Reports.CreditNote(ctx, id, audit.Job(job.MessageSend{}.Kind()))
	if err != nil {
		return letter{}, err
	}
	c := note.Content
	return letter{
		key: m.Template, args: []any{c.Number, c.Credits}, button: pathCredit(id),
		facts: []mail.Fact{
			{Label: loc.T("notice.fact.number"), Value: c.Number},
			{Label: loc.T("notice.fact.amount"), Value: loc.Euros(c.Total)},
			{Label: loc.T("notice.fact.child"), Value: c.Child},
			{Label: loc.T("notice.fact.camp"), Value: c.Camp},
		},
		files: []mail.Attachment{{Name: file.Name, Type: file.ContentType, Data: file.Body}},
	}, nil
}

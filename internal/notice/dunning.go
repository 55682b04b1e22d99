package notice

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"ribambelle/internal/db"
	"ribambelle/internal/dunning"
	"ribambelle/internal/locale"
	"ribambelle/internal/mail"
	"ribambelle/reports"
)

// The templates of reminders of what is owed; a step's is templateDunning and its name.
const (
	templateDunning  = "dunning_"
	templateAnswered = "complaint_answered"
)

// pathDunning is the page of a reminder, which says what the PDF says.
func pathDunning(id uuid.UUID) string { return "/mon-espace/rappels/" + id.String() }

func (s *Store) dunning() *dunning.Store { return dunning.New(s.DB, s.Now, s.Jobs) }

// dunningSent keeps the message that brings a decided step to its payer.
func (s *Store) dunningSent(ctx context.Context, id uuid.UUID) error {
	r, err := s.dunning().Read(ctx, id)
	if err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		return s.put(ctx, tx, templateDunning+string(r.Step), id.String(), r.At, nil, toGuardian(r.PayerID))
	})
}

// complaintAnswered keeps the message that brings the answer to a complaint.
func (s *Store) complaintAnswered(ctx context.Context, id uuid.UUID) error {
	c, err := s.dunning().Complaint(ctx, id)
	if err != nil {
		return err
	}
	if c.AnsweredAt == nil {
		return nil
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		return s.put(ctx, tx, templateAnswered, id.String(), *c.AnsweredAt, nil, toGuardian(c.PayerID))
	})
}

// dunningLetter brings a step to its payer, as its PDF.
func (s *Store) dunningLetter(ctx context.Context, m message, loc *locale.Locale) (letter, error) {
	id, err := uuid.Parse(m.SubjectID)
	if err != nil {
		return letter{}, fmt.Errorf("message %s is about the reminder %q", m.ID, m.SubjectID)
	}
	r, err := s.dunning().Read(ctx, id)
	if err != nil {
		return letter{}, err
	}
	file, err := reports.Letter(r)
	if err != nil {
		return letter{}, err
	}
	c := r.Content
	return letter{
		key: m.Template, args: []any{c.Camp}, button: pathDunning(id),
		facts: []mail.Fact{
			{Label: loc.T("notice.fact.amount"), Value: loc.Euros(c.Total)},
			{Label: loc.T("notice.fact.deadline"), Value: loc.Day(c.PayBy)},
			{Label: loc.T("notice.fact.iban"), Value: grouped(c.IBAN)},
			{Label: loc.T("notice.fact.communication"), Value: c.Communication},
			{Label: loc.T("notice.fact.child"), Value: c.Child},
			{Label: loc.T("notice.fact.camp"), Value: c.Camp},
		},
		files: []mail.Attachment{{Name: file.Name, Type: file.ContentType, Data: file.Body}},
	}, nil
}

// answeredLetter brings the answer to a complaint to its payer.
func (s *Store) answeredLetter(ctx context.Context, m message, loc *locale.Locale) (letter, error) {
	id, err := uuid.Parse(m.SubjectID)
	if err != nil {
		return letter{}, fmt.Errorf("message %s is about the complaint %q", m.ID, m.SubjectID)
	}
	c, err := s.dunning().Complaint(ctx, id)
	if err != nil {
		return letter{}, err
	}
	if c.Open() {
		return letter{}, errDrop
	}
	return letter{
		key: m.Template, button: "/mon-espace/contester/" + c.DueID.String(),
		facts: []mail.Fact{
			{Label: loc.T("notice.fact.outcome"), Value: loc.T("dunning.outcome." + c.Outcome)},
			{Label: loc.T("notice.fact.answer"), Value: c.Answer},
		},
	}, nil
}

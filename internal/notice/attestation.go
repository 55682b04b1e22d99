package notice

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/job"
	"ribambelle/internal/locale"
	"ribambelle/internal/mail"
	"ribambelle/reports"
)

// attestationIssued draws an attestation, keeps the drawing, and keeps the message that tells its debtor.
func (s *Store) attestationIssued(ctx context.Context, raw string) error {
	id, err := uuid.Parse(raw)
	if err != nil {
		return job.Permanent(fmt.Errorf("reading the id of an attestation: %w", err))
	}
	a, err := s.Attestations.Attestation(ctx, id)
	if err != nil {
		return err
	}
	if _, err := reports.Attestation(ctx, s.Attestations, id, audit.Job(job.AttestationIssued{}.Kind())); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		return s.put(ctx, tx, templateAttestation, raw, a.IssuedAt, nil, toGuardian(a.DebtorID))
	})
}

// attestationLetter says that an attestation can be downloaded, or that one was withdrawn. The document stays on the
// portal, as it shows national numbers, and so do the amounts.
func (s *Store) attestationLetter(ctx context.Context, tx db.Tx, m message, to person, loc *locale.Locale) (letter, error) {
	id, err := uuid.Parse(m.SubjectID)
	if err != nil {
		return letter{}, fmt.Errorf("message %s is about the attestation %q", m.ID, m.SubjectID)
	}
	a, err := s.Attestations.Attestation(ctx, id)
	if err != nil {
		return letter{}, err
	}
	var hidden bool
	err = tx.QueryRow(ctx, `SELECT `+household.BlockedSQL("@guardian::uuid", "@child::uuid", "@today::date"),
		pgx.NamedArgs{"guardian": to.GuardianID, "child": a.ChildID, "today": civil.DateOf(s.Now(), civil.Brussels)}).Scan(&hidden)
	if err != nil {
		return letter{}, fmt.Errorf("reading what hides a child from guardian %s: %w", to.GuardianID, err)
	}
	if hidden || a.Replaced {
		return letter{}, errDrop
	}
	l := letter{key: templateAttestation, args: []any{fmt.Sprint(a.Year), a.Content.Child.FirstName}, button: pathAttestations}
	if a.Content.Replaces != "" {
		l.key += ".corrected"
	}
	if a.Void() {
		l.key = templateAttestation + ".withdrawn"
	}
	l.facts = []mail.Fact{
		{Label: loc.T("notice.fact.number"), Value: a.Content.Reference},
		{Label: loc.T("notice.fact.child"), Value: a.Content.Child.FirstName},
	}
	if a.Content.Replaces != "" {
		l.facts = append(l.facts, mail.Fact{Label: loc.T("notice.attestation.replaces"), Value: a.Content.Replaces})
	}
	return l, nil
}

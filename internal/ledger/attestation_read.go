package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

const attestationColumns = `a.id, a.series, a.year, a.number, a.debtor_id, a.child_id, a.registration_id, a.treatment, a.replaces, a.issued_at,
	a.issued_by, a.total_cents, a.content, EXISTS (SELECT 1 FROM attestation x WHERE x.replaces = a.id) AS replaced`

// Attestation returns an attestation by id, NotFound without; the caller has checked who asks.
func (s *Attestations) Attestation(ctx context.Context, id uuid.UUID) (Attestation, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT `+attestationColumns+`
		FROM attestation a
		WHERE a.id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return Attestation{}, fmt.Errorf("reading attestation %s: %w", id, err)
	}
	a, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Attestation])
	if errors.Is(err, pgx.ErrNoRows) {
		return a, problem.NotFound("attestation.not_found")
	}
	if err != nil {
		return a, fmt.Errorf("reading attestation %s: %w", id, err)
	}
	return a, nil
}

// OfDebtor returns the attestations of a debtor, the newest year first. The caller leaves out children who are hidden
// from it.
func (s *Attestations) OfDebtor(ctx context.Context, debtor uuid.UUID) ([]Attestation, error) {
	return listAttestations(ctx, s.DB, `a.debtor_id = @debtor`, pgx.NamedArgs{"debtor": debtor, "limit": 1000, "skip": 0})
}

// OfYear returns the attestations of a series and year, the newest first, from one on and at most so many.
func (s *Attestations) OfYear(ctx context.Context, series string, year, skip, limit int) ([]Attestation, error) {
	return listAttestations(ctx, s.DB, `a.series = @series AND a.year = @year`,
		pgx.NamedArgs{"series": series, "year": year, "limit": limit, "skip": skip})
}

func listAttestations(ctx context.Context, q db.Querier, where string, args pgx.NamedArgs) ([]Attestation, error) {
	rows, err := q.Query(ctx, `
		SELECT `+attestationColumns+`
		FROM attestation a
		WHERE `+where+`
		ORDER BY a.year DESC, a.series, a.number DESC
		LIMIT @limit
		OFFSET @skip`, args)
	if err != nil {
		return nil, fmt.Errorf("reading attestations: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Attestation])
	if err != nil {
		return nil, fmt.Errorf("reading attestations: %w", err)
	}
	return all, nil
}

func fileSealedAt(id uuid.UUID) string { return "attestation_file.sealed:" + id.String() }

// File returns the drawn document of an attestation; NotFound until it was drawn.
func (s *Attestations) File(ctx context.Context, id uuid.UUID) ([]byte, error) {
	var sealed, sum []byte
	err := s.DB.QueryRow(ctx, `
		SELECT sealed, sha256
		FROM attestation_file
		WHERE attestation_id = @id`,
		pgx.NamedArgs{"id": id}).Scan(&sealed, &sum)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, problem.NotFound("attestation.not_drawn")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the file of attestation %s: %w", id, err)
	}
	pdf, err := s.Box.Open(sealed, fileSealedAt(id))
	if err != nil {
		return nil, fmt.Errorf("opening the file of attestation %s: %w", id, err)
	}
	if got := sha256.Sum256(pdf); !bytes.Equal(got[:], sum) {
		return nil, fmt.Errorf("the file of attestation %s does not match its hash", id)
	}
	return pdf, nil
}

// KeepFile stores the drawn document once, sealed, and returns the one that is kept: the first drawing wins.
func (s *Attestations) KeepFile(ctx context.Context, actor audit.Actor, id uuid.UUID, pdf []byte) ([]byte, error) {
	sealed, err := s.Box.Seal(pdf, fileSealedAt(id))
	if err != nil {
		return nil, fmt.Errorf("sealing the file of attestation %s: %w", id, err)
	}
	sum := sha256.Sum256(pdf)
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO attestation_file (attestation_id, sealed, sha256, created_at)
			VALUES (@id, @sealed, @sum, @now)
			ON CONFLICT (attestation_id) DO NOTHING`,
			pgx.NamedArgs{"id": id, "sealed": sealed, "sum": sum[:], "now": s.Now()})
		if err != nil {
			return fmt.Errorf("keeping the file of attestation %s: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
		return audit.Record(ctx, tx, actor, "attestation.drawn", "attestation", id.String(), map[string]any{"bytes": len(pdf)})
	})
	if err != nil {
		return nil, err
	}
	return s.File(ctx, id)
}

// Maximum is what the tax reduction counts at most per day and child in a year.
type Maximum struct {
	Year  int
	Cents civil.Cents
}

// Maxima returns the maxima that are known, the newest first.
func Maxima(ctx context.Context, q db.Querier) ([]Maximum, error) {
	rows, err := q.Query(ctx, `
		SELECT year, cents
		FROM fiscal_maximum
		ORDER BY year DESC`)
	if err != nil {
		return nil, fmt.Errorf("reading the daily maxima: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Maximum])
	if err != nil {
		return nil, fmt.Errorf("reading the daily maxima: %w", err)
	}
	return all, nil
}

// mostDaily is a bound against a slip of the keyboard: 100,00 € a day.
const mostDaily = 10_000

// SetMaximum stores the maximum of a year; Invalid with every faulty input.
func (s *Attestations) SetMaximum(ctx context.Context, actor audit.Actor, m Maximum) error {
	var p problem.Fields
	if m.Year < 2000 || m.Year > s.today().Year+1 {
		p.Add("year", "attestation.year_out_of_range", 2000, s.today().Year+1)
	}
	if m.Cents <= 0 || m.Cents > mostDaily {
		p.Add("maximum", "attestation.maximum_out_of_range")
	}
	if err := p.Err(); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO fiscal_maximum (year, cents)
			VALUES (@year, @cents)
			ON CONFLICT (year) DO UPDATE
			SET cents = excluded.cents`,
			pgx.NamedArgs{"year": m.Year, "cents": m.Cents})
		if err != nil {
			return fmt.Errorf("keeping the daily maximum of %d: %w", m.Year, err)
		}
		return audit.Record(ctx, tx, actor, "attestation.maximum", "fiscal_maximum", fmt.Sprint(m.Year), map[string]any{"cents": m.Cents})
	})
}

func fiscalMaximum(ctx context.Context, q db.Querier, year int) (civil.Cents, error) {
	var c civil.Cents
	err := q.QueryRow(ctx, `
		SELECT cents
		FROM fiscal_maximum
		WHERE year = @year`,
		pgx.NamedArgs{"year": year}).Scan(&c)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the daily maximum of %d: %w", year, err)
	}
	return c, nil
}

package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// FundForm is the own form of a health fund: a PDF with fields, and which of our values goes into which of them.
type FundForm struct {
	ID        uuid.UUID
	Name      string // of the fund
	Fields    map[string]string
	CreatedAt time.Time
}

// maxFundName is how long the name of a fund may be.
const maxFundName = 80

// mostFunds bounds the forms in use: there are some forty funds in Belgium.
const mostFunds = 60

// AddFundForm keeps a form; the caller has read its fields. Invalid without a name or with too many forms.
func (s *Attestations) AddFundForm(ctx context.Context, actor audit.Actor, name string, pdf []byte) (uuid.UUID, error) {
	name = strings.Join(strings.Fields(name), " ")
	var p problem.Fields
	if name == "" || utf8.RuneCountInString(name) > maxFundName {
		p.Add("name", "fund.name_bad", maxFundName)
		return uuid.Nil, p.Err()
	}
	id := uuid.New()
	sum := sha256.Sum256(pdf)
	return id, s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		// The same form again, by a double click, is the one that is there.
		err := tx.QueryRow(ctx, `
			SELECT id
			FROM fund_form
			WHERE name = @name
			  AND sha256 = @sum
			  AND retired_at IS NULL`,
			pgx.NamedArgs{"name": name, "sum": sum[:]}).Scan(&id)
		if err == nil || !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO fund_form (id, name, pdf, sha256, actor, created_at)
			SELECT @id, @name, @pdf, @sum, @actor, @now
			WHERE (SELECT count(*) FROM fund_form WHERE retired_at IS NULL) < @most`,
			pgx.NamedArgs{"id": id, "name": name, "pdf": pdf, "sum": sum[:], "actor": actor.String(), "now": s.Now(), "most": mostFunds})
		if err != nil {
			return fmt.Errorf("keeping a form: %w", err)
		}
		if tag.RowsAffected() == 0 {
			p.Add("name", "fund.too_many", mostFunds)
			return p.Err()
		}
		return audit.Record(ctx, tx, actor, "fund_form.added", "fund_form", id.String(), map[string]any{"bytes": len(pdf)})
	})
}

// FundForms returns the forms in use, by name. mapped leaves out those whose fields nobody has matched yet.
func (s *Attestations) FundForms(ctx context.Context, mapped bool) ([]FundForm, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT id, name, fields, created_at
		FROM fund_form
		WHERE retired_at IS NULL
		  AND (NOT @mapped OR fields <> '{}')
		ORDER BY name, created_at, id`,
		pgx.NamedArgs{"mapped": mapped})
	if err != nil {
		return nil, fmt.Errorf("reading the forms of funds: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[FundForm])
	if err != nil {
		return nil, fmt.Errorf("reading the forms of funds: %w", err)
	}
	return all, nil
}

// FundForm returns a form in use with its PDF; NotFound without.
func (s *Attestations) FundForm(ctx context.Context, id uuid.UUID) (FundForm, []byte, error) {
	var f FundForm
	var pdf []byte
	err := s.DB.QueryRow(ctx, `
		SELECT id, name, fields, created_at, pdf
		FROM fund_form
		WHERE id = @id
		  AND retired_at IS NULL`,
		pgx.NamedArgs{"id": id}).Scan(&f.ID, &f.Name, &f.Fields, &f.CreatedAt, &pdf)
	if errors.Is(err, pgx.ErrNoRows) {
		return f, nil, problem.NotFound("fund.not_found")
	}
	if err != nil {
		return f, nil, fmt.Errorf("reading form %s: %w", id, err)
	}
	return f, pdf, nil
}

// MatchFundForm keeps which value goes into which field of a form; the caller has checked both names. NotFound without
// the form.
func (s *Attestations) MatchFundForm(ctx context.Context, actor audit.Actor, id uuid.UUID, fields map[string]string) error {
	if fields == nil {
		fields = map[string]string{}
	}
	return s.changeFundForm(ctx, actor, "fund_form.matched", id, `
		UPDATE fund_form
		SET fields = @fields
		WHERE id = @id
		  AND retired_at IS NULL`, pgx.NamedArgs{"id": id, "fields": fields})
}

// RetireFundForm takes a form out of use.
func (s *Attestations) RetireFundForm(ctx context.Context, actor audit.Actor, id uuid.UUID) error {
	return s.changeFundForm(ctx, actor, "fund_form.retired", id, `
		UPDATE fund_form
		SET retired_at = @now
		WHERE id = @id
		  AND retired_at IS NULL`, pgx.NamedArgs{"id": id, "now": s.Now()})
}

func (s *Attestations) changeFundForm(ctx context.Context, actor audit.Actor, action string, id uuid.UUID, sql string, args pgx.NamedArgs) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		tag, err := tx.Exec(ctx, sql, args)
		if err != nil {
			return fmt.Errorf("changing form %s: %w", id, err)
		}
		if tag.RowsAffected() == 0 {
			return problem.NotFound("fund.not_found")
		}
		return audit.Record(ctx, tx, actor, action, "fund_form", id.String(), nil)
	})
}

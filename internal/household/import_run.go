package household

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// importKept is how long the files of an import are kept: long enough to look back, no longer.
const importKept = 30 * 24 * time.Hour

// ImportRun is a file that staff sent in, with what came of it.
type ImportRun struct {
	ID        uuid.UUID
	Kind      string // "families" or "register"
	FileName  string
	AsOf      civil.Date // the day for which the file speaks
	Dry       bool       // nothing was written yet
	Counts    map[string]int
	CreatedAt time.Time
	Source    []byte `db:"-"` // the file as it came
	Result    []byte `db:"-"` // the workbook that goes back
}

// KeepImport keeps a run with its files sealed, removes those that are too old, and returns its id.
func (s *Store) KeepImport(ctx context.Context, accountID uuid.UUID, v ImportRun) (uuid.UUID, error) {
	id := uuid.New()
	source, err := s.Box.Seal(v.Source, "family_import.source:"+id.String())
	if err != nil {
		return id, fmt.Errorf("sealing a file: %w", err)
	}
	result, err := s.Box.Seal(v.Result, "family_import.result:"+id.String())
	if err != nil {
		return id, fmt.Errorf("sealing a file: %w", err)
	}
	return id, s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `
			WITH old AS (
				DELETE FROM family_import
				WHERE created_at < @before
			)
			INSERT INTO family_import (id, kind, file_name, as_of, account_id, dry, counts, source, result, created_at)
			VALUES (@id, @kind, @file_name, @as_of, @account_id, @dry, @counts, @source, @result, @now)`,
			pgx.NamedArgs{
				"id": id, "kind": v.Kind, "file_name": v.FileName, "as_of": v.AsOf, "account_id": accountID, "dry": v.Dry, "counts": v.Counts,
				"source": source, "result": result, "now": s.Now(), "before": s.Now().Add(-importKept),
			})
		if err != nil {
			return fmt.Errorf("keeping an import: %w", err)
		}
		return audit.Record(ctx, tx, audit.Account(accountID), "import.run", "import", id.String(), map[string]any{"kind": v.Kind, "dry": v.Dry, "counts": v.Counts})
	})
}

// ImportRun returns a run with its files opened, or NotFound.
func (s *Store) ImportRun(ctx context.Context, id uuid.UUID) (ImportRun, error) {
	var v ImportRun
	var source, result []byte
	err := s.DB.QueryRow(ctx, `
		SELECT id, kind, file_name, as_of, dry, counts, created_at, source, result
		FROM family_import
		WHERE id = @id`,
		pgx.NamedArgs{"id": id}).Scan(&v.ID, &v.Kind, &v.FileName, &v.AsOf, &v.Dry, &v.Counts, &v.CreatedAt, &source, &result)
	if errors.Is(err, pgx.ErrNoRows) {
		return v, problem.NotFound("household.import_not_found")
	}
	if err != nil {
		return v, fmt.Errorf("reading import %s: %w", id, err)
	}
	if v.Source, err = s.Box.Open(source, "family_import.source:"+id.String()); err != nil {
		return v, fmt.Errorf("opening the file of import %s: %w", id, err)
	}
	if v.Result, err = s.Box.Open(result, "family_import.result:"+id.String()); err != nil {
		return v, fmt.Errorf("opening the result of import %s: %w", id, err)
	}
	return v, nil
}

// SaveSettings stores the postcodes of the commune, separated by blanks or commas, and whether the other guardian must
// consent to a registration. It returns Invalid on "postcodes" for what is no Belgian postcode.
func (s *Store) SaveSettings(ctx context.Context, actor audit.Actor, postcodes string, consent bool) error {
	var p problem.Fields
	postcodes = text(&p, "postcodes", postcodes, 300, false)
	for _, c := range splitPostcodes(postcodes) {
		if !ValidPostcode(c) {
			p.Add("postcodes", "household.postcode_invalid")
			break
		}
	}
	if err := p.Err(); err != nil {
		return err
	}
	asked := "no"
	if consent {
		asked = "yes"
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		for key, value := range map[string]string{SettingPostcodes: postcodes, SettingConsent: asked} {
			_, err := tx.Exec(ctx, `
				INSERT INTO setting (key, value)
				VALUES (@key, @value)
				ON CONFLICT (key) DO UPDATE
				SET value = excluded.value,
				    updated_at = now()`,
				pgx.NamedArgs{"key": key, "value": value})
			if err != nil {
				return fmt.Errorf("storing setting %s: %w", key, err)
			}
			if err := audit.Record(ctx, tx, actor, "setting.changed", "setting", key, map[string]any{"value": value}); err != nil {
				return err
			}
		}
		return nil
	})
}

// ConsentAsked reports whether the commune asks for the other guardian's consent.
func ConsentAsked(ctx context.Context, q db.Querier) (bool, error) {
	v, err := setting(ctx, q, SettingConsent)
	return v == "yes", err
}

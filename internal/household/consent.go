package household

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
)

// The settings of the commune that this room reads.
const (
	// SettingConsent is "yes" where a registration needs the other guardian's consent.
	SettingConsent = "family.consent"
	// SettingPostcodes lists the postcodes of the commune, separated by commas or blanks.
	SettingPostcodes = "commune.postcodes"
)

func setting(ctx context.Context, q db.Querier, key string) (string, error) {
	var v string
	err := q.QueryRow(ctx, `SELECT value FROM setting WHERE key = @key`, pgx.NamedArgs{"key": key}).Scan(&v)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("reading setting %s: %w", key, err)
	}
	return v, nil
}

// Consenters returns who else must consent to what a guardian asks for a child on a day, where the commune asks for
// consent; none where it does not. Parents decide on daily life each alone, and a third party in good faith may presume
// the other's consent (old Civil Code, art. 373): so only others with parental authority who may register count,
// never one who is blocked, and a placement or a foster carer asks nobody.
func (s *Store) Consenters(ctx context.Context, q db.Querier, askerID, childID uuid.UUID, on civil.Date) ([]uuid.UUID, error) {
	asked, err := setting(ctx, q, SettingConsent)
	if err != nil || asked != "yes" {
		return nil, err
	}
	rows, err := q.Query(ctx, `
		SELECT h.guardian_id
		FROM (`+held+`) AS h
		WHERE h.child_id = @child_id
		  AND h.basis = 'parental_authority'
		GROUP BY h.guardian_id
		HAVING bool_or(h.held_right = 'see')
		   AND bool_or(h.held_right = 'register')
		ORDER BY h.guardian_id`,
		pgx.NamedArgs{"child_id": childID, "on": on})
	if err != nil {
		return nil, fmt.Errorf("reading who consents for child %s: %w", childID, err)
	}
	parents, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("reading who consents for child %s: %w", childID, err)
	}
	if !slices.Contains(parents, askerID) {
		return nil, nil
	}
	return slices.DeleteFunc(parents, func(id uuid.UUID) bool { return id == askerID }), nil
}

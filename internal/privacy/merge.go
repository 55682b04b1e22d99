package privacy

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// ObstaclesToChildren returns why two children cannot be merged as they are.
func (s *Store) ObstaclesToChildren(ctx context.Context, q db.Querier, aID, bID uuid.UUID) ([]Obstacle, error) {
	var found []Obstacle
	rows, err := q.Query(ctx, `
		SELECT DISTINCT c.name
		FROM registration AS a
		JOIN registration AS b ON b.camp_id = a.camp_id AND b.child_id = @b
		JOIN camp AS c ON c.id = a.camp_id
		WHERE a.child_id = @a
		  AND a.state NOT IN `+overActive+`
		  AND b.state NOT IN `+overActive+`
		ORDER BY c.name`,
		pgx.NamedArgs{"a": aID, "b": bID})
	if err != nil {
		return nil, fmt.Errorf("reading the camps of both: %w", err)
	}
	camps, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("reading the camps of both: %w", err)
	}
	for _, name := range camps {
		found = append(found, Obstacle{Code: "privacy.merge_same_camp", Args: []any{name}})
	}
	a, err := links(ctx, q, "child_id", aID)
	if err != nil {
		return nil, err
	}
	b, err := links(ctx, q, "child_id", bID)
	if err != nil {
		return nil, err
	}
	if rightsDiffer(a, b, func(l link) uuid.UUID { return l.GuardianID }, s.today()) {
		found = append(found, Obstacle{Code: "privacy.merge_rights_differ"})
	}
	return found, nil
}

func conflict(found []Obstacle) error {
	if len(found) == 0 {
		return nil
	}
	return problem.Conflict(found[0].Code, found[0].Args...)
}

// mergeChildren moves everything of the other child to the survivor and returns what the other had.
func (s *Store) mergeChildren(ctx context.Context, tx db.Tx, survivor, other uuid.UUID) (map[string]any, error) {
	if err := lock(ctx, tx, "child", survivor, other); err != nil {
		return nil, err
	}
	found, err := s.ObstaclesToChildren(ctx, tx, survivor, other)
	if err == nil {
		err = conflict(found)
	}
	if err != nil {
		return nil, err
	}
	args := pgx.NamedArgs{"survivor": survivor, "other": other, "now": s.Now()}
	before := map[string]any{}
	if before["guardianships"], err = links(ctx, tx, "child_id", other); err != nil {
		return nil, err
	}
	for name, sql := range map[string]string{
		"registrations": `SELECT id FROM registration WHERE child_id = @other ORDER BY id`,
		"blocks":        `SELECT id FROM guardianship_block WHERE child_id = @other ORDER BY id`,
		"households":    `SELECT household_id FROM household_child WHERE child_id = @other ORDER BY household_id`,
		"addresses":     `SELECT id FROM child_address WHERE child_id = @other ORDER BY id`,
		"sheets":        `SELECT id FROM medical_sheet WHERE child_id = @other ORDER BY id`, // they stay where they are
	} {
		if before[name], err = ids(ctx, tx, sql, args); err != nil {
			return nil, err
		}
	}
	var levels []byte
	err = tx.QueryRow(ctx, `
		SELECT coalesce(jsonb_object_agg(school_year, jsonb_build_array(level, source)), '{}')
		FROM child_level
		WHERE child_id = @other`, args).Scan(&levels)
	if err != nil {
		return nil, fmt.Errorf("reading levels: %w", err)
	}
	before["levels"] = string(levels)
	err = run(ctx, tx, args,
		`
		UPDATE registration
		SET child_id = @survivor,
		    version = version + 1,
		    updated_at = @now
		WHERE child_id = @other`,
		// The same guardian on both has the same rights on both: the survivor's link is enough.
		`
		DELETE FROM guardianship AS o
		WHERE o.child_id = @other
		  AND EXISTS (
			SELECT 1
			FROM guardianship AS mine
			WHERE mine.child_id = @survivor
			  AND mine.guardian_id = o.guardian_id
		  )`,
		`
		UPDATE guardianship
		SET child_id = @survivor
		WHERE child_id = @other`,
		// A block outlives the double: what is open on the one is open on the survivor, until the later end.
		`
		UPDATE guardianship_block AS mine
		SET valid_from = LEAST(mine.valid_from, o.valid_from),
		    decided_until = GREATEST(mine.decided_until, o.decided_until)
		FROM guardianship_block AS o
		WHERE mine.child_id = @survivor
		  AND o.child_id = @other
		  AND o.guardian_id = mine.guardian_id
		  AND mine.lifted_on IS NULL
		  AND o.lifted_on IS NULL`,
		`
		UPDATE guardianship_block AS o
		SET child_id = @survivor
		WHERE o.child_id = @other
		  AND NOT (o.lifted_on IS NULL AND EXISTS (
			SELECT 1
			FROM guardianship_block AS mine
			WHERE mine.child_id = @survivor
			  AND mine.guardian_id = o.guardian_id
			  AND mine.lifted_on IS NULL
		  ))`,
		`
		INSERT INTO child_level AS mine (child_id, school_year, level, source, recorded_at, proof, seen_on)
		SELECT @survivor, school_year, level, source, recorded_at, proof, seen_on
		FROM child_level
		WHERE child_id = @other
		ON CONFLICT (child_id, school_year) DO UPDATE
		SET level = excluded.level,
		    source = excluded.source,
		    recorded_at = excluded.recorded_at,
		    proof = excluded.proof,
		    seen_on = excluded.seen_on
		WHERE mine.source = 'declared'
		  AND excluded.source = 'verified'`,
		`
		DELETE FROM child_level
		WHERE child_id = @other`,
		`
		INSERT INTO household_child (household_id, child_id)
		SELECT household_id, @survivor
		FROM household_child
		WHERE child_id = @other
		ON CONFLICT DO NOTHING`,
		`
		DELETE FROM household_child
		WHERE child_id = @other`,
		// The register knows a child once: its word on the double counts while it said nothing on the survivor.
		`
		UPDATE child_address
		SET child_id = @survivor
		WHERE child_id = @other
		  AND NOT EXISTS (SELECT 1 FROM child_address WHERE child_id = @survivor)`,
		`
		UPDATE accorded_tariff
		SET child_id = @survivor
		WHERE child_id = @other`,
		`
		UPDATE family_code
		SET child_ids = CASE
		  WHEN @survivor = ANY(child_ids) THEN array_remove(child_ids, @other)
		  ELSE array_replace(child_ids, @other, @survivor)
		END
		WHERE @other = ANY(child_ids)`,
		`
		UPDATE child AS mine
		SET interests = mine.interests || ARRAY(SELECT i FROM unnest(o.interests) AS i WHERE i <> ALL(mine.interests)),
		    updated_at = @now
		FROM child AS o
		WHERE mine.id = @survivor
		  AND o.id = @other`,
	)
	if err != nil {
		return nil, err
	}
	if err := s.Households.AdoptNumber(ctx, tx, survivor, other); err != nil {
		return nil, err
	}
	return before, run(ctx, tx, args, `
		UPDATE child
		SET merged_into = @survivor,
		    updated_at = @now
		WHERE id = @other`)
}

// ObstaclesToGuardians returns why two guardians cannot be merged with the first as survivor.
func (s *Store) ObstaclesToGuardians(ctx context.Context, q db.Querier, survivor, other uuid.UUID) ([]Obstacle, error) {
	var found []Obstacle
	var kinds, accounts, money bool
	err := q.QueryRow(ctx, `
		SELECT a.kind <> b.kind, a.account_id IS NOT NULL AND b.account_id IS NOT NULL,
		  EXISTS (SELECT 1 FROM due WHERE b.id IN (payer_id, debtor_id))
		  OR EXISTS (SELECT 1 FROM ledger_line WHERE payer_id = b.id)
		  OR EXISTS (SELECT 1 FROM ledger_line WHERE debtor_id = b.id)
		  OR EXISTS (SELECT 1 FROM invoice WHERE payer_id = b.id)
		FROM guardian AS a
		JOIN guardian AS b ON b.id = @other
		WHERE a.id = @survivor`,
		pgx.NamedArgs{"survivor": survivor, "other": other}).Scan(&kinds, &accounts, &money)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, problem.NotFound("household.double_not_found")
	}
	if err != nil {
		return nil, fmt.Errorf("comparing two guardians: %w", err)
	}
	if kinds {
		found = append(found, Obstacle{Code: "privacy.merge_kinds_differ"})
	}
	if accounts {
		found = append(found, Obstacle{Code: "privacy.merge_two_accounts"})
	}
	if money { // the ledger and invoices are never changed
		found = append(found, Obstacle{Code: "privacy.merge_has_money"})
	}
	a, err := links(ctx, q, "guardian_id", survivor)
	if err != nil {
		return nil, err
	}
	b, err := links(ctx, q, "guardian_id", other)
	if err != nil {
		return nil, err
	}
	if rightsDiffer(a, b, func(l link) uuid.UUID { return l.ChildID }, s.today()) {
		found = append(found, Obstacle{Code: "privacy.merge_rights_differ"})
	}
	return found, nil
}

// mergeGuardians moves everything of the other guardian to the survivor and returns what the other had.
func (s *Store) mergeGuardians(ctx context.Context, tx db.Tx, survivor, other uuid.UUID) (map[string]any, error) {
	if err := lock(ctx, tx, "guardian", survivor, other); err != nil {
		return nil, err
	}
	found, err := s.ObstaclesToGuardians(ctx, tx, survivor, other)
	if err == nil {
		err = conflict(found)
	}
	if err != nil {
		return nil, err
	}
	args := pgx.NamedArgs{"survivor": survivor, "other": other, "now": s.Now()}
	before := map[string]any{}
	if before["guardianships"], err = links(ctx, tx, "guardian_id", other); err != nil {
		return nil, err
	}
	for name, sql := range map[string]string{
		"registrant": `SELECT id FROM registration WHERE registrant_id = @other ORDER BY id`,
		"payer":      `SELECT id FROM registration WHERE payer_id = @other ORDER BY id`,
		"debtor":     `SELECT id FROM registration WHERE debtor_id = @other ORDER BY id`,
		"blocks":     `SELECT id FROM guardianship_block WHERE guardian_id = @other ORDER BY id`,
		"codes":      `SELECT id FROM family_code WHERE guardian_id = @other ORDER BY id`,
	} {
		if before[name], err = ids(ctx, tx, sql, args); err != nil {
			return nil, err
		}
	}
	account, err := ids(ctx, tx, `SELECT account_id FROM guardian WHERE id = @other AND account_id IS NOT NULL`, args)
	if err != nil {
		return nil, err
	}
	before["account"], args["account"] = account, nil
	if len(account) == 1 {
		args["account"] = account[0] // one account signs in for one guardian: it moves last
	}
	return before, run(ctx, tx, args,
		`
		UPDATE registration
		SET registrant_id = CASE WHEN registrant_id = @other THEN @survivor ELSE registrant_id END,
		    payer_id = CASE WHEN payer_id = @other THEN @survivor ELSE payer_id END,
		    debtor_id = CASE WHEN debtor_id = @other THEN @survivor ELSE debtor_id END,
		    version = version + 1,
		    updated_at = @now
		WHERE @other IN (registrant_id, payer_id, debtor_id)`,
		`
		DELETE FROM guardianship AS o
		WHERE o.guardian_id = @other
		  AND EXISTS (
			SELECT 1
			FROM guardianship AS mine
			WHERE mine.guardian_id = @survivor
			  AND mine.child_id = o.child_id
		  )`,
		`
		UPDATE guardianship
		SET guardian_id = @survivor
		WHERE guardian_id = @other`,
		`
		UPDATE guardianship_block AS mine
		SET valid_from = LEAST(mine.valid_from, o.valid_from),
		    decided_until = GREATEST(mine.decided_until, o.decided_until)
		FROM guardianship_block AS o
		WHERE mine.guardian_id = @survivor
		  AND o.guardian_id = @other
		  AND o.child_id = mine.child_id
		  AND mine.lifted_on IS NULL
		  AND o.lifted_on IS NULL`,
		`
		UPDATE guardianship_block AS o
		SET guardian_id = @survivor
		WHERE o.guardian_id = @other
		  AND NOT (o.lifted_on IS NULL AND EXISTS (
			SELECT 1
			FROM guardianship_block AS mine
			WHERE mine.guardian_id = @survivor
			  AND mine.child_id = o.child_id
			  AND mine.lifted_on IS NULL
		  ))`,
		`
		INSERT INTO household_child (household_id, child_id)
		SELECT mine.household_id, hc.child_id
		FROM guardian AS mine
		JOIN guardian AS o ON o.id = @other
		JOIN household_child AS hc ON hc.household_id = o.household_id
		WHERE mine.id = @survivor
		  AND EXISTS (SELECT 1 FROM guardianship AS gs WHERE gs.guardian_id = @survivor AND gs.child_id = hc.child_id)
		ON CONFLICT DO NOTHING`,
		`
		UPDATE guardian_member AS o
		SET guardian_id = @survivor
		WHERE o.guardian_id = @other
		  AND NOT EXISTS (
			SELECT 1
			FROM guardian_member AS mine
			WHERE mine.guardian_id = @survivor
			  AND mine.account_id = o.account_id
		  )`,
		`
		UPDATE guardian_audience AS o
		SET guardian_id = @survivor
		WHERE o.guardian_id = @other
		  AND NOT (o.ended_at IS NULL AND EXISTS (
			SELECT 1
			FROM guardian_audience AS mine
			WHERE mine.guardian_id = @survivor
			  AND mine.audience = o.audience
			  AND mine.ended_at IS NULL
		  ))`,
		// What was accorded to a family whose only adult this was goes with the adult.
		`
		UPDATE accorded_tariff AS a
		SET household_id = mine.household_id
		FROM guardian AS mine, guardian AS o
		WHERE mine.id = @survivor
		  AND o.id = @other
		  AND a.household_id = o.household_id
		  AND NOT EXISTS (
			SELECT 1
			FROM guardian AS rest
			WHERE rest.household_id = o.household_id
			  AND rest.id NOT IN (mine.id, o.id)
			  AND rest.merged_into IS NULL
		  )`,
		// Open codes name who gives them; a paper letter to the double has done its work.
		`
		UPDATE family_code
		SET cancelled_at = @now
		WHERE guardian_id IN (@other, @survivor)
		  AND kind = 'claim'
		  AND used_at IS NULL
		  AND cancelled_at IS NULL
		  AND EXISTS (SELECT 1 FROM guardian WHERE id IN (@other, @survivor) AND account_id IS NOT NULL)`,
		`
		UPDATE family_code
		SET guardian_id = @survivor
		WHERE guardian_id = @other`,
		`
		UPDATE guardian AS mine
		SET email = CASE WHEN mine.email = '' THEN o.email ELSE mine.email END,
		    phone = CASE WHEN mine.phone = '' THEN o.phone ELSE mine.phone END,
		    version = mine.version + 1,
		    updated_at = @now
		FROM guardian AS o
		WHERE mine.id = @survivor
		  AND o.id = @other`,
		`
		UPDATE guardian
		SET account_id = NULL,
		    merged_into = @survivor,
		    updated_at = @now
		WHERE id = @other`,
		`
		UPDATE guardian
		SET account_id = coalesce(account_id, @account::uuid)
		WHERE id = @survivor`,
	)
}

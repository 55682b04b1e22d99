package mirror

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// The causes of a difference, as far as they are known; "drift.cause.<cause>" is the message key.
const (
	CauseOdoo    = "odoo"    // changed there by someone else
	CauseRefused = "refused" // Odoo does not take ours
	CauseDeleted = "deleted" // deleted there
	CauseLost    = "lost"    // an answer or a change was missed
	CauseWaiting = "waiting" // on its way: no matter yet
	CauseUnknown = "unknown"
)

// The sides that may follow the other.
const (
	FixOdoo = "odoo" // Odoo becomes as we are
	FixHere = "here" // we become as Odoo is
)

// ModelComparison is the row of the cursors that says when both sides were last compared.
const ModelComparison = "comparison"

// Drift is one difference between both sides.
type Drift struct {
	ID      uuid.UUID
	Kind    string // Registration, Camp or Guardian
	Aspect  string // "drift.<aspect>" is the message key
	LocalID *uuid.UUID
	OdooID  *int64
	Here    string
	There   string
	Cause   string
	FoundAt time.Time
	Fix     *string
	Failure string
}

// CanFollow reports whether a side can be made to follow the other by one click. Odoo owns camps, so they follow it
// alone; of a registration, what the portal decides can only be ended as Odoo ended it.
func (d Drift) CanFollow(side string) bool {
	switch side {
	case FixOdoo:
		return d.Kind != Camp && d.Aspect != "outside" && d.Aspect != "outside_gone"
	case FixHere:
		switch d.Aspect {
		case "state":
			return d.There == "cancel"
		case "missing":
			return d.Kind == Registration && d.Cause == CauseDeleted
		case "archived", "name", "email", "phone", "outside", "outside_gone", "dates", "places", "offer", "gone", "external":
			return true
		}
	}
	return false
}

const driftColumns = `id, kind, aspect, local_id, odoo_id, here, there, cause, found_at, fix, failure`

// KeepDrift stores what a comparison found: a difference that was known keeps its age, one that is not found any more
// is solved.
func KeepDrift(ctx context.Context, tx db.Tx, all []Drift, at time.Time) error {
	var kinds, aspects, heres, theres, causes []string
	var locals []*uuid.UUID
	var odoos []*int64
	for _, d := range all {
		kinds, aspects, causes = append(kinds, d.Kind), append(aspects, d.Aspect), append(causes, d.Cause)
		heres, theres = append(heres, d.Here), append(theres, d.There)
		locals, odoos = append(locals, d.LocalID), append(odoos, d.OdooID)
	}
	args := pgx.NamedArgs{"kinds": kinds, "aspects": aspects, "locals": locals, "odoos": odoos, "heres": heres, "theres": theres, "causes": causes, "at": at}
	for _, sql := range []string{`
		UPDATE odoo_drift d
		SET solved_at = @at
		WHERE d.solved_at IS NULL
		  AND NOT EXISTS (
		    SELECT 1
		    FROM unnest(@kinds::text[], @aspects::text[], @locals::uuid[], @odoos::bigint[]) AS w (k, a, l, o)
		    WHERE (k, a) = (d.kind, d.aspect)
		      AND l IS NOT DISTINCT FROM d.local_id
		      AND o IS NOT DISTINCT FROM d.odoo_id)`, `
		INSERT INTO odoo_drift (kind, aspect, local_id, odoo_id, here, there, cause, found_at)
		SELECT k, a, l, o, h, t, c, @at
		FROM unnest(@kinds::text[], @aspects::text[], @locals::uuid[], @odoos::bigint[], @heres::text[], @theres::text[], @causes::text[])
		  AS w (k, a, l, o, h, t, c)
		ON CONFLICT (kind, aspect, local_id, odoo_id) WHERE solved_at IS NULL
		DO UPDATE SET here = EXCLUDED.here, there = EXCLUDED.there, cause = EXCLUDED.cause`} {
		if _, err := tx.Exec(ctx, sql, args); err != nil {
			return fmt.Errorf("keeping %d differences with Odoo: %w", len(all), err)
		}
	}
	return Swept(ctx, tx, ModelComparison, at)
}

// OpenDrift returns the differences that are not solved, oldest first, at most limit.
func OpenDrift(ctx context.Context, q db.Querier, limit int) ([]Drift, error) {
	return drifts(ctx, q, `solved_at IS NULL
		ORDER BY found_at, kind, aspect, id
		LIMIT @limit`, pgx.NamedArgs{"limit": limit})
}

// DriftToFix returns the differences that staff asked to fix.
func DriftToFix(ctx context.Context, q db.Querier) ([]Drift, error) {
	return drifts(ctx, q, `solved_at IS NULL
		  AND fix IS NOT NULL
		  AND failure = ''
		ORDER BY found_at, id`, nil)
}

func drifts(ctx context.Context, q db.Querier, where string, args pgx.NamedArgs) ([]Drift, error) {
	rows, err := q.Query(ctx, `
		SELECT `+driftColumns+`
		FROM odoo_drift
		WHERE `+where, args)
	if err != nil {
		return nil, fmt.Errorf("reading the differences with Odoo: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Drift])
}

// CountDrift counts the differences that are not solved, by kind.
func CountDrift(ctx context.Context, q db.Querier) (map[string]int, error) {
	rows, err := q.Query(ctx, `
		SELECT kind, count(*)
		FROM odoo_drift
		WHERE solved_at IS NULL
		GROUP BY kind`)
	if err != nil {
		return nil, fmt.Errorf("counting the differences with Odoo: %w", err)
	}
	counts := map[string]int{}
	var kind string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&kind, &n}, func() error {
		counts[kind] = n
		return nil
	})
	return counts, err
}

// AskFix notes which side shall follow the other in a difference. It returns NotFound for one that is solved, and
// Invalid where that side cannot follow by a click.
func AskFix(ctx context.Context, tx db.Tx, id uuid.UUID, side string, accountID uuid.UUID) error {
	all, err := drifts(ctx, tx, `id = @id
		  AND solved_at IS NULL
		FOR UPDATE`, pgx.NamedArgs{"id": id})
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return problem.NotFound("drift.gone")
	}
	if !all[0].CanFollow(side) {
		return problem.Invalid("drift.by_hand")
	}
	_, err = tx.Exec(ctx, `
		UPDATE odoo_drift
		SET fix = @fix, fix_by = @by, failure = ''
		WHERE id = @id`,
		pgx.NamedArgs{"id": id, "fix": side, "by": accountID})
	if err != nil {
		return fmt.Errorf("asking to fix a difference with Odoo: %w", err)
	}
	return nil
}

// FixedBy returns who asked for the fix of a difference.
func FixedBy(ctx context.Context, q db.Querier, id uuid.UUID) (account uuid.UUID, err error) {
	err = q.QueryRow(ctx, `
		SELECT fix_by
		FROM odoo_drift
		WHERE id = @id`,
		pgx.NamedArgs{"id": id}).Scan(&account)
	if err != nil {
		return account, fmt.Errorf("reading who fixes a difference with Odoo: %w", err)
	}
	return account, nil
}

// Fixed notes that a fix was carried out, or that it failed and why (a message key).
func Fixed(ctx context.Context, q db.Querier, id uuid.UUID, failure string, at time.Time) error {
	_, err := q.Exec(ctx, `
		UPDATE odoo_drift
		SET failure = @failure, solved_at = CASE WHEN @failure = '' THEN @at::timestamptz END
		WHERE id = @id`,
		pgx.NamedArgs{"id": id, "failure": failure, "at": at})
	if err != nil {
		return fmt.Errorf("noting the fix of a difference with Odoo: %w", err)
	}
	return nil
}

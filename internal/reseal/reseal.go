// Package reseal seals what the database keeps sealed again with the newest key, so that a former one can be given up.
package reseal

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/medical"
	"ribambelle/internal/seal"
)

// How many values are sealed in one transaction, and of those that are whole files.
const (
	batchSize = 200
	fileBatch = 5
)

// ErrStays says that values are left that no key of the keyset opens: the former keys must not be given up.
var ErrStays = errors.New("some values do not open with this keyset")

// Columns are all places where sealed values stand.
func Columns() []seal.Column {
	return slices.Concat(household.SealedColumns(), medical.SealedColumns(), ledger.SealedColumns())
}

// Count is what came of one column.
type Count struct {
	Name   string `json:"column"`
	Sealed int    `json:"sealed"` // again, with the newest key
	Stays  int    `json:"stays"`  // does not open: neither changed nor lost
}

// Runner seals again. What was done stays done when it is stopped: the next run goes on with the rest, and one that finds
// nothing left changes nothing. Several may run at once, beside servers that have the same keyset.
type Runner struct {
	DB    *db.DB
	Box   *seal.Box
	Batch int               // values in one transaction; 0 takes the usual
	Tell  func(Count) error // after each transaction, with the counts of the column so far; an error stops the run
}

// Run seals every value again that a former key had sealed, column by column, the proof of the keys last. It returns the
// counts, with ErrStays when something does not open: then the proof stays under its former key too, so that a keyset
// without it is refused.
func (r *Runner) Run(ctx context.Context, actor audit.Actor) ([]Count, error) {
	var all []Count
	stays, changed := 0, 0
	for _, c := range Columns() {
		n, err := r.column(ctx, c)
		all = append(all, n)
		if err != nil {
			return all, err
		}
		stays += n.Stays
		changed += n.Sealed
	}
	if stays > 0 {
		return all, ErrStays
	}
	n, err := r.proof(ctx)
	if err != nil {
		return all, err
	}
	all = append(all, n)
	if changed += n.Sealed; changed == 0 {
		return all, nil
	}
	return all, audit.Record(ctx, r.DB, actor, "keys.rotated", "setting", seal.ProofSetting, map[string]any{"sealed": changed})
}

// Left counts the values that a former key has sealed.
func (r *Runner) Left(ctx context.Context) (left int, err error) {
	for _, c := range Columns() {
		var n int
		err := r.DB.QueryRow(ctx, `
			SELECT count(*)::int
			FROM `+c.Table+`
			WHERE `+stale(c), pgx.NamedArgs{"prefix": r.Box.Prefix()}).Scan(&n)
		if err != nil {
			return 0, fmt.Errorf("counting what is sealed in %s: %w", c.Name, err)
		}
		left += n
	}
	kept, err := readProof(ctx, r.DB, "")
	if err == nil && kept != nil && !r.Box.Fresh(kept) {
		left++
	}
	return left, err
}

// stale holds for the rows whose value begins otherwise than what the key in use seals.
func stale(c seal.Column) string {
	return `substring(` + c.Value + ` FROM 1 FOR length(@prefix::bytea)) <> @prefix::bytea`
}

func (r *Runner) column(ctx context.Context, c seal.Column) (Count, error) {
	n := Count{Name: c.Name}
	size := batchSize
	if c.Files {
		size = fileBatch
	}
	size = cmp.Or(r.Batch, size)
	var after uuid.UUID
	for {
		before := n
		var seen int
		err := r.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) (err error) {
			n = before // the transaction may run again
			var last uuid.UUID
			if last, seen, err = r.batch(ctx, tx, c, after, size, &n); err == nil {
				after = last
			}
			return err
		})
		if err != nil {
			return before, err
		}
		if seen == 0 {
			return n, nil
		}
		if r.Tell != nil {
			if err := r.Tell(n); err != nil {
				return n, err
			}
		}
	}
}

// value is one that a former key has sealed.
type value struct {
	ID     uuid.UUID
	Row    string
	Sealed []byte
}

// batch seals the next values after a key again. It locks them: a save at the same time comes before or after.
func (r *Runner) batch(ctx context.Context, tx db.Tx, c seal.Column, after uuid.UUID, size int, n *Count) (last uuid.UUID, seen int, err error) {
	if _, err := tx.Exec(ctx, `SELECT set_config('ribambelle.reseal', 'on', true)`); err != nil {
		return after, 0, fmt.Errorf("opening %s: %w", c.Name, err)
	}
	rows, err := tx.Query(ctx, `
		SELECT `+c.ID+` AS id, `+c.Row+` AS row, `+c.Value+` AS sealed
		FROM `+c.Table+`
		WHERE `+c.ID+` > @after
		  AND `+stale(c)+`
		ORDER BY `+c.ID+`
		LIMIT @size
		FOR UPDATE`,
		pgx.NamedArgs{"after": after, "size": size, "prefix": r.Box.Prefix()})
	if err != nil {
		return after, 0, fmt.Errorf("reading what is sealed in %s: %w", c.Name, err)
	}
	values, err := pgx.CollectRows(rows, pgx.RowToStructByName[value])
	if err != nil {
		return after, 0, fmt.Errorf("reading what is sealed in %s: %w", c.Name, err)
	}
	if len(values) == 0 {
		return after, 0, nil
	}
	var ids []uuid.UUID
	var fresh [][]byte
	for _, v := range values {
		plain, err := r.Box.Open(v.Sealed, c.Place(v.Row))
		if err != nil {
			n.Stays++
			continue
		}
		sealed, err := r.Box.Seal(plain, c.Place(v.Row))
		if err != nil {
			return after, 0, err
		}
		ids, fresh = append(ids, v.ID), append(fresh, sealed)
	}
	_, err = tx.Exec(ctx, `
		UPDATE `+c.Table+`
		SET `+c.Set+`
		FROM unnest(@ids::uuid[], @sealed::bytea[]) AS fresh (fresh_id, sealed)
		WHERE `+c.Table+`.`+c.ID+` = fresh.fresh_id`,
		pgx.NamedArgs{"ids": ids, "sealed": fresh})
	if err != nil {
		return after, 0, fmt.Errorf("sealing %s again: %w", c.Name, err)
	}
	n.Sealed += len(ids)
	return values[len(values)-1].ID, len(values), nil
}

// readProof returns the sealed word that proves the keys, nil before a first start. lock is empty or a locking clause.
func readProof(ctx context.Context, q db.Querier, lock string) ([]byte, error) {
	var text string
	err := q.QueryRow(ctx, `
		SELECT value
		FROM setting
		WHERE key = @key
		`+lock, pgx.NamedArgs{"key": seal.ProofSetting}).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the proof of the keys: %w", err)
	}
	kept, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("reading the proof of the keys: %w", err)
	}
	return kept, nil
}

// proof seals the proof of the keys again.
func (r *Runner) proof(ctx context.Context) (n Count, err error) {
	n.Name = seal.ProofSetting
	err = r.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		n.Sealed = 0
		kept, err := readProof(ctx, tx, "FOR UPDATE")
		if err != nil || kept == nil || r.Box.Fresh(kept) {
			return err
		}
		word, err := r.Box.Open(kept, seal.ProofSetting)
		if err != nil {
			return fmt.Errorf("opening the proof of the keys: %w", err)
		}
		sealed, err := r.Box.Seal(word, seal.ProofSetting)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE setting
			SET value = @value
			WHERE key = @key`,
			pgx.NamedArgs{"key": seal.ProofSetting, "value": base64.StdEncoding.EncodeToString(sealed)})
		if err != nil {
			return fmt.Errorf("sealing the proof of the keys again: %w", err)
		}
		n.Sealed = 1
		return nil
	})
	return n, err
}

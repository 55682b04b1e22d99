package bank

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/pay/statement"
	"ribambelle/internal/problem"
)

// Read is what came of one statement of a file.
type Read struct {
	ID       *uuid.UUID          `json:"id,omitempty"` // nil when it was known
	File     string              `json:"file"`
	Account  string              `json:"account"`
	Number   string              `json:"number"`
	Day      civil.Date          `json:"day"`
	Opening  civil.Cents         `json:"opening_cents"`
	Closing  civil.Cents         `json:"closing_cents"`
	Entries  int                 `json:"entries"` // in the file
	New      int                 `json:"new"`     // of them not seen before
	Known    bool                `json:"known"`   // the whole statement was taken in before
	Warnings []statement.Warning `json:"warnings"`
}

// Refused is a file that was not read, with the message key of why.
type Refused struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// Result is what came of a file.
type Result struct {
	Statements []Read    `json:"statements"`
	Refused    []Refused `json:"refused"`
	New        int       `json:"new"`     // movements
	Known      int       `json:"known"`   // movements that were there before
	Matched    int       `json:"matched"` // of the new ones
	Queued     int       `json:"queued"`
	Aside      int       `json:"aside"`
}

// Import is a file that was brought, with what came of it.
type Import struct {
	ID       uuid.UUID
	FileName string
	Actor    string
	At       time.Time
	Result   Result
}

// Import takes in a CODA or CAMT.053 file, or a ZIP of them, and matches what is new. Each statement is taken in once,
// each movement is booked once, whoever brings the file again and at the same time: then nothing changes. Invalid when
// there is no statement in the file at all. What was broken off is ended by the next import.
func (s *Store) Import(ctx context.Context, actor audit.Actor, fileName string, raw []byte) (Import, error) {
	out := Import{FileName: cleaned(fileName), Actor: actor.String(), At: s.Now(), Result: Result{Statements: []Read{}, Refused: []Refused{}}}
	var ids []uuid.UUID
	for _, p := range unpack(fileName, raw) {
		if p.refused != "" {
			out.Result.Refused = append(out.Result.Refused, Refused{File: p.name, Reason: p.refused})
			continue
		}
		for _, st := range p.statements {
			one, err := s.keep(ctx, actor, st)
			if err != nil {
				return out, err
			}
			one.File = p.name
			out.Result.Statements = append(out.Result.Statements, one)
			out.Result.New += one.New
			out.Result.Known += one.Entries - one.New
			if one.ID != nil {
				ids = append(ids, *one.ID)
			}
		}
	}
	if len(out.Result.Statements) == 0 {
		return out, problem.Invalid(out.Result.Refused[0].Reason)
	}
	if err := s.MatchNew(ctx, actor); err != nil {
		return out, err
	}
	return out, s.note(ctx, actor, &out, ids, raw)
}

// note counts what became of the new entries, and keeps the import.
func (s *Store) note(ctx context.Context, actor audit.Actor, out *Import, ids []uuid.UUID, raw []byte) error {
	err := s.DB.QueryRow(ctx, `
		SELECT count(*) FILTER (WHERE state = 'matched')::int, count(*) FILTER (WHERE state IN ('new', 'queued'))::int, count(*) FILTER (WHERE state = 'aside')::int
		FROM bank_entry
		WHERE statement_id = ANY(@ids)`,
		pgx.NamedArgs{"ids": ids}).Scan(&out.Result.Matched, &out.Result.Queued, &out.Result.Aside)
	if err != nil {
		return fmt.Errorf("counting what was imported: %w", err)
	}
	sum := sha256.Sum256(raw)
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		err := tx.QueryRow(ctx, `
			INSERT INTO bank_import (file_name, sha256, actor, at, result)
			VALUES (@name, @sum, @actor, @at, @result)
			RETURNING id`,
			pgx.NamedArgs{"name": out.FileName, "sum": sum[:], "actor": out.Actor, "at": out.At, "result": out.Result}).Scan(&out.ID)
		if err != nil {
			return fmt.Errorf("keeping an import: %w", err)
		}
		return audit.Record(ctx, tx, actor, "bank.imported", "bank_import", out.ID.String(), map[string]any{
			"statements": len(out.Result.Statements), "new": out.Result.New, "known": out.Result.Known, "matched": out.Result.Matched,
		})
	})
}

// keep stores a statement and those of its entries that no other brought before, all or nothing.
func (s *Store) keep(ctx context.Context, actor audit.Actor, st statement.Statement) (out Read, err error) {
	hash, err := hashOf(st)
	if err != nil {
		return out, err
	}
	if st.Warnings == nil {
		st.Warnings = []statement.Warning{}
	}
	out = Read{Account: st.Account, Number: st.Number, Day: st.Date, Opening: st.Opening, Closing: st.Closing, Entries: len(st.Entries), Warnings: st.Warnings}
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		out.ID, out.New, out.Known = nil, 0, false
		var id uuid.UUID
		err := tx.QueryRow(ctx, `
			INSERT INTO bank_statement (account, number, currency, day, opening_cents, closing_cents, hash, warnings, actor, at)
			VALUES (@account, @number, @currency, @day, @opening, @closing, @hash, @warnings, @actor, @at)
			ON CONFLICT (account, number, hash) DO NOTHING
			RETURNING id`,
			pgx.NamedArgs{
				"account": st.Account, "number": st.Number, "currency": st.Currency, "day": st.Date, "opening": st.Opening, "closing": st.Closing,
				"hash": hash, "warnings": st.Warnings, "actor": actor.String(), "at": s.Now(),
			}).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			out.Known = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("keeping statement %s of an account: %w", st.Number, err)
		}
		out.ID = &id
		twin, err := twinOf(ctx, tx, id)
		if err != nil {
			return err
		}
		out.New, err = keepEntries(ctx, tx, id, st, twin)
		return err
	})
	return out, err
}

// twinOf reports whether another file told of the same statement in other words: then nothing of it is booked without
// a person, whatever the bank calls the movements there.
func twinOf(ctx context.Context, tx db.Tx, id uuid.UUID) (twin bool, err error) {
	err = tx.QueryRow(ctx, `
		SELECT EXISTS (
		  SELECT 1
		  FROM bank_statement s
		  JOIN bank_statement o ON o.account = s.account AND o.number = s.number AND o.day IS NOT DISTINCT FROM s.day AND o.id <> s.id
		  WHERE s.id = @id)`,
		pgx.NamedArgs{"id": id}).Scan(&twin)
	if err != nil {
		return false, fmt.Errorf("looking for the same statement: %w", err)
	}
	return twin, nil
}

func keepEntries(ctx context.Context, tx db.Tx, id uuid.UUID, st statement.Statement, twin bool) (added int, err error) {
	state, reason := StateNew, ""
	if twin {
		state, reason = StateQueued, "bank.reason.twin"
	}
	batch := &pgx.Batch{}
	seen := map[[sha256.Size]byte]int{}
	for i, e := range st.Entries {
		key := keyOf(st, e, 0)
		n := seen[key]
		seen[key]++
		key = keyOf(st, e, n)
		batch.Queue(`
			INSERT INTO bank_entry (statement_id, position, key, day, value_day, cents, communication, free_text,
			  counterparty_name, counterparty_iban, bank_ref, kind, end_to_end, returned, state, reason)
			VALUES (@statement, @position, @key, @day, @value_day, @cents, @communication, @free_text,
			  @name, @iban, @ref, @kind, @end_to_end, @returned, @state, @reason)
			ON CONFLICT (key) DO NOTHING`,
			pgx.NamedArgs{
				"statement": id, "position": i, "key": key[:], "day": e.Date, "value_day": e.ValueDate, "cents": e.Cents,
				"communication": e.Communication, "free_text": e.FreeText, "name": e.CounterpartyName, "iban": e.CounterpartyIBAN,
				"ref": e.BankRef, "kind": e.Kind, "end_to_end": e.EndToEnd, "returned": e.Returned, "state": state, "reason": reason,
			}).Exec(func(tag pgconn.CommandTag) error {
			added += int(tag.RowsAffected())
			return nil
		})
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return 0, fmt.Errorf("keeping the entries of a statement: %w", err)
	}
	return added, nil
}

// hashOf is the hash of all that a statement says.
func hashOf(st statement.Statement) ([]byte, error) {
	st.Warnings = nil // ours, not the bank's
	b, err := json.Marshal(st)
	if err != nil {
		return nil, fmt.Errorf("hashing a statement: %w", err)
	}
	sum := sha256.Sum256(b)
	return sum[:], nil
}

// keyOf names a movement: by the bank's reference, whatever the file and its format; without one by everything that is
// known of it within its statement. n counts movements of a statement that are otherwise equal.
func keyOf(st statement.Statement, e statement.Entry, n int) [sha256.Size]byte {
	parts := []any{st.Account, e.Date.String(), e.Cents, n, e.BankRef}
	if e.BankRef == "" {
		parts = append(parts, st.Number, st.Date.String(), e.Communication, e.FreeText, e.CounterpartyName, e.CounterpartyIBAN, e.Kind)
	}
	b, err := json.Marshal(parts)
	if err != nil {
		panic("bank: " + err.Error()) // texts and numbers
	}
	return sha256.Sum256(b)
}

// Imports returns the newest files that were brought, at most limit.
func (s *Store) Imports(ctx context.Context, limit int) ([]Import, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT id, file_name, actor, at, result
		FROM bank_import
		ORDER BY at DESC, id
		LIMIT @limit`,
		pgx.NamedArgs{"limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading the imports: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Import])
	if err != nil {
		return nil, fmt.Errorf("reading the imports: %w", err)
	}
	return list, nil
}

// ReadImport returns one by its id.
func (s *Store) ReadImport(ctx context.Context, id uuid.UUID) (Import, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT id, file_name, actor, at, result
		FROM bank_import
		WHERE id = @id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return Import{}, fmt.Errorf("reading an import: %w", err)
	}
	one, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Import])
	if errors.Is(err, pgx.ErrNoRows) {
		return one, problem.NotFound("bank.import_not_found")
	}
	if err != nil {
		return one, fmt.Errorf("reading an import: %w", err)
	}
	return one, nil
}

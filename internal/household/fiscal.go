package household

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// What the 281.86 needs of a family beside what is known of it: the national number of who bears the cost, and whether
// a severe handicap moves the age limit from 14 to 21 (article 145/35 CIR 92). Both are sealed.

// guardianSealedAt names the place of a guardian's sealed national number.
func guardianSealedAt(id uuid.UUID) string { return "guardian.national_number:" + id.String() }

// SaveOwnNumber keeps the national number of a guardian, typed by itself; empty forgets it. Invalid for what is no
// number, under the input national_number.
func (s *Store) SaveOwnNumber(ctx context.Context, guardianID uuid.UUID, raw string) error {
	var sealed []byte
	if strings.TrimSpace(raw) != "" {
		n, err := ParseNationalNumber(raw)
		if err != nil {
			var p problem.Fields
			p.Add("national_number", "household.national_number_invalid")
			return p.Err()
		}
		if sealed, err = s.Box.Seal([]byte(n.Digits()), guardianSealedAt(guardianID)); err != nil {
			return fmt.Errorf("sealing the number of guardian %s: %w", guardianID, err)
		}
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		g, err := guardian(ctx, tx, `id = @id`, guardianID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE guardian
			SET national_number = @sealed,
			    updated_at = @now
			WHERE id = @id`,
			pgx.NamedArgs{"id": guardianID, "sealed": sealed, "now": s.Now()})
		if err != nil {
			return fmt.Errorf("keeping the number of guardian %s: %w", guardianID, err)
		}
		return audit.Record(ctx, tx, actorOf(ctx, g), "guardian.number", "guardian", guardianID.String(), map[string]any{"known": sealed != nil})
	})
}

// OwnNumber returns the national number of a guardian, zero while it is not known.
func (s *Store) OwnNumber(ctx context.Context, guardianID uuid.UUID) (NationalNumber, error) {
	all, err := s.GuardianNumbers(ctx, s.DB, []uuid.UUID{guardianID})
	return all[guardianID], err
}

// GuardianNumbers returns the national numbers that are known of guardians, in clear: for the 281.86 alone.
func (s *Store) GuardianNumbers(ctx context.Context, q db.Querier, ids []uuid.UUID) (map[uuid.UUID]NationalNumber, error) {
	return s.numbers(ctx, q, `
		SELECT id, national_number
		FROM guardian
		WHERE id = ANY(@ids)
		  AND national_number IS NOT NULL`, ids, guardianSealedAt)
}

// ChildNumbers returns the national numbers that are known of children, in clear: for the 281.86 alone.
func (s *Store) ChildNumbers(ctx context.Context, q db.Querier, ids []uuid.UUID) (map[uuid.UUID]NationalNumber, error) {
	return s.numbers(ctx, q, `
		SELECT id, national_number
		FROM child
		WHERE id = ANY(@ids)
		  AND national_number IS NOT NULL`, ids, sealedAt)
}

func (s *Store) numbers(ctx context.Context, q db.Querier, sql string, ids []uuid.UUID, place func(uuid.UUID) string) (map[uuid.UUID]NationalNumber, error) {
	rows, err := q.Query(ctx, sql, pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("reading national numbers: %w", err)
	}
	all := make(map[uuid.UUID]NationalNumber)
	var id uuid.UUID
	var sealed []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &sealed}, func() error {
		digits, err := s.Box.Open(sealed, place(id))
		if err != nil {
			return fmt.Errorf("opening the number of %s: %w", id, err)
		}
		n, err := ParseNationalNumber(string(digits))
		all[id] = n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading national numbers: %w", err)
	}
	return all, nil
}

// What is known of a severe handicap; "household.handicap.<state>" is the key of its name.
const (
	HandicapNone     = ""         // nobody said anything, or it was taken back
	HandicapDeclared = "declared" // a guardian said so
	HandicapVerified = "verified" // staff saw the proof: the limit is 21
	HandicapRefused  = "refused"  // staff saw none
)

// Handicap is whether a child has a severe handicap in the sense of article 145/35 CIR 92: nothing medical, and yet
// nobody's business but of the guardian who declares it and of who makes the attestations.
type Handicap struct {
	State string
	Proof string // what staff saw, by its kind and date
}

func handicapSealedAt(childID uuid.UUID) string { return "child_handicap.sealed:" + childID.String() }

// Handicaps returns what is known of children; the caller has checked who asks.
func (s *Store) Handicaps(ctx context.Context, q db.Querier, ids []uuid.UUID) (map[uuid.UUID]Handicap, error) {
	rows, err := q.Query(ctx, `
		SELECT child_id, sealed
		FROM child_handicap
		WHERE child_id = ANY(@ids)`,
		pgx.NamedArgs{"ids": ids})
	if err != nil {
		return nil, fmt.Errorf("reading what moves age limits: %w", err)
	}
	all := make(map[uuid.UUID]Handicap)
	var id uuid.UUID
	var sealed []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &sealed}, func() error {
		plain, err := s.Box.Open(sealed, handicapSealedAt(id))
		if err != nil {
			return fmt.Errorf("opening what child %s declared: %w", id, err)
		}
		var h Handicap
		err = json.Unmarshal(plain, &h)
		all[id] = h
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading what moves age limits: %w", err)
	}
	return all, nil
}

// DeclareHandicap lets a guardian with RightMedical declare or take back that a child has a severe handicap. What
// staff verified stays verified when it is declared again. It answers NotFound and Forbidden as Right does.
func (s *Store) DeclareHandicap(ctx context.Context, guardianID, childID uuid.UUID, has bool) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if err := s.Right(ctx, tx, guardianID, childID, RightMedical, s.today()); err != nil {
			return err
		}
		g, err := guardian(ctx, tx, `id = @id`, guardianID)
		if err != nil {
			return err
		}
		known, err := s.Handicaps(ctx, tx, []uuid.UUID{childID})
		if err != nil {
			return err
		}
		h := known[childID]
		switch {
		case !has:
			h = Handicap{}
		case h.State == HandicapNone:
			h.State = HandicapDeclared
		}
		if h == known[childID] {
			return nil
		}
		return s.keepHandicap(ctx, tx, actorOf(ctx, g), "child.limit_declared", childID, h)
	})
}

// VerifyHandicap keeps what staff decided about a declaration: that they saw the proof, or that there is none. The
// proof is needed for a yes: Invalid under the input proof.
func (s *Store) VerifyHandicap(ctx context.Context, actor audit.Actor, childID uuid.UUID, has bool, proof string) error {
	h := Handicap{State: HandicapRefused}
	if has {
		var p problem.Fields
		h = Handicap{State: HandicapVerified, Proof: text(&p, "proof", proof, MaxStreet, true)}
		if err := p.Err(); err != nil {
			return err
		}
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		return s.keepHandicap(ctx, tx, actor, "child.limit_decided", childID, h)
	})
}

func (s *Store) keepHandicap(ctx context.Context, tx db.Tx, actor audit.Actor, action string, childID uuid.UUID, h Handicap) error {
	if err := s.writeHandicap(ctx, tx, childID, h); err != nil {
		return err
	}
	return audit.Record(ctx, tx, actor, action, "child", childID.String(), nil)
}

func (s *Store) writeHandicap(ctx context.Context, tx db.Tx, childID uuid.UUID, h Handicap) error {
	plain, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("writing what child %s declared: %w", childID, err)
	}
	sealed, err := s.Box.Seal(plain, handicapSealedAt(childID))
	if err != nil {
		return fmt.Errorf("sealing what child %s declared: %w", childID, err)
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO child_handicap (child_id, sealed, updated_at)
		SELECT id, @sealed, @now
		FROM child
		WHERE id = @id
		ON CONFLICT (child_id) DO UPDATE
		SET sealed = excluded.sealed,
		    updated_at = excluded.updated_at`,
		pgx.NamedArgs{"id": childID, "sealed": sealed, "now": s.Now()})
	if err != nil {
		return fmt.Errorf("keeping what child %s declared: %w", childID, err)
	}
	if tag.RowsAffected() == 0 {
		return problem.NotFound("household.child_not_found")
	}
	return nil
}

// AdoptFiscal gives the survivor of a merge what it does not know itself of the other: its national number, and for a
// child what moves the age limit. A child's number is AdoptNumber's. It takes part in the merge's transaction.
func (s *Store) AdoptFiscal(ctx context.Context, tx db.Tx, kind string, survivorID, otherID uuid.UUID) error {
	both := []uuid.UUID{survivorID, otherID}
	if kind == KindChild {
		known, err := s.Handicaps(ctx, tx, both)
		if err != nil {
			return err
		}
		if known[otherID].State == HandicapNone || known[survivorID].State == HandicapVerified {
			return nil
		}
		return s.writeHandicap(ctx, tx, survivorID, known[otherID])
	}
	known, err := s.GuardianNumbers(ctx, tx, both)
	if err != nil || known[otherID].IsZero() || !known[survivorID].IsZero() {
		return err
	}
	sealed, err := s.Box.Seal([]byte(known[otherID].Digits()), guardianSealedAt(survivorID))
	if err != nil {
		return fmt.Errorf("sealing the number of guardian %s: %w", survivorID, err)
	}
	_, err = tx.Exec(ctx, `
		UPDATE guardian
		SET national_number = @sealed
		WHERE id = @id`,
		pgx.NamedArgs{"id": survivorID, "sealed": sealed})
	if err != nil {
		return fmt.Errorf("keeping the number of guardian %s: %w", survivorID, err)
	}
	return nil
}

// DeclaredHandicaps returns the children whose declaration waits for staff, with those already decided; the page of the
// finance officer shows them.
func (s *Store) DeclaredHandicaps(ctx context.Context) (map[uuid.UUID]Handicap, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT child_id
		FROM child_handicap
		ORDER BY updated_at DESC
		LIMIT 500`)
	if err != nil {
		return nil, fmt.Errorf("reading who declared: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("reading who declared: %w", err)
	}
	return s.Handicaps(ctx, s.DB, ids)
}

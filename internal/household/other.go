package household

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
)

// ShareContact says whether the other guardians of a child may see the e-mail address and telephone of a guardian. It
// returns NotFound when the guardian may not see the child.
func (s *Store) ShareContact(ctx context.Context, guardianID, childID uuid.UUID, shares bool) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if err := s.Right(ctx, tx, guardianID, childID, RightSee, s.today()); err != nil {
			return err
		}
		g, err := guardian(ctx, tx, `id = @id`, guardianID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE guardianship
			SET shares_contact = @shares
			WHERE guardian_id = @guardian_id
			  AND child_id = @child_id`,
			pgx.NamedArgs{"guardian_id": guardianID, "child_id": childID, "shares": shares})
		if err != nil {
			return fmt.Errorf("sharing the contact of guardian %s: %w", guardianID, err)
		}
		return audit.Record(ctx, tx, actorOf(ctx, g), "guardianship.contact_shared", "child", childID.String(),
			map[string]any{"guardian": guardianID, "shares": shares})
	})
}

// OtherGuardian is what one guardian of a child may know of another: who it is and on what basis, and how to reach it
// only where the other shares that.
type OtherGuardian struct {
	ChildID   uuid.UUID
	FirstName string
	LastName  string
	Basis     Basis
	PickUp    bool   // may fetch the child
	Email     string // empty unless shared
	Phone     string // empty unless shared; E.164
}

// Name returns the first and last name.
func (o OtherGuardian) Name() string { return strings.TrimSpace(o.FirstName + " " + o.LastName) }

// OtherGuardians returns who else sees the guardian's children today, for those that it may register: who only helps
// out, a step-parent or a neighbour, learns of nobody. Never an address, a tariff or a payment.
func (s *Store) OtherGuardians(ctx context.Context, guardianID uuid.UUID) ([]OtherGuardian, error) {
	mine, err := s.ChildIDs(ctx, s.DB, guardianID, RightRegister, s.today())
	if err != nil {
		return nil, err
	}
	rows, err := s.DB.Query(ctx, `
		SELECT h.child_id, g.first_name, g.last_name, h.basis, h.pick_up,
		  CASE WHEN h.shares THEN g.email ELSE '' END AS email,
		  CASE WHEN h.shares THEN g.phone ELSE '' END AS phone
		FROM (
			SELECT e.guardian_id, e.child_id, min(e.basis) AS basis, bool_or(e.held_right = 'pick_up') AS pick_up,
			  EXISTS (
				SELECT 1
				FROM guardianship AS gs
				WHERE gs.guardian_id = e.guardian_id
				  AND gs.child_id = e.child_id
				  AND gs.shares_contact
			  ) AS shares
			FROM (`+held+`) AS e
			WHERE e.child_id = ANY(@mine)
			  AND e.guardian_id <> @guardian_id
			GROUP BY e.guardian_id, e.child_id
			HAVING bool_or(e.held_right = 'see')
		) AS h
		JOIN guardian AS g ON g.id = h.guardian_id
		ORDER BY h.child_id, g.last_name, g.first_name, g.id`,
		pgx.NamedArgs{"mine": mine, "guardian_id": guardianID, "on": s.today()})
	if err != nil {
		return nil, fmt.Errorf("reading the other guardians: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[OtherGuardian])
}

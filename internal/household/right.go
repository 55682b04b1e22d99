package household

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Right is one thing that a guardian may do for a child; "household.right.<right>" is the key of its name.
type Right string

// The rights. Without RightSee the guardian may not even learn that the child is known here, whatever else is granted.
const (
	RightSee       Right = "see"
	RightRegister  Right = "register"
	RightPay       Right = "pay"
	RightCancel    Right = "cancel"
	RightRefund    Right = "refund"
	RightMedical   Right = "medical"
	RightDocuments Right = "documents"
	RightPickUp    Right = "pick_up"
	RightMessages  Right = "messages"
)

// Rights lists every right in the order in which screens show them.
var Rights = []Right{
	RightSee, RightRegister, RightPay, RightCancel, RightRefund, RightMedical, RightDocuments, RightPickUp, RightMessages,
}

// Basis is why a guardian has rights on a child; "household.basis.<basis>" is the key of its name.
type Basis string

// The bases.
const (
	BasisParentalAuthority Basis = "parental_authority"
	BasisCourtOrder        Basis = "court_order"
	BasisPlacement         Basis = "placement"
	BasisFosterCare        Basis = "foster_care"
	BasisStepParent        Basis = "step_parent"
	BasisOther             Basis = "other"
)

// Bases lists every basis in the order in which screens show them.
var Bases = []Basis{
	BasisParentalAuthority, BasisCourtOrder, BasisPlacement, BasisFosterCare, BasisStepParent, BasisOther,
}

// OwnBases are the bases on which someone may add a child alone, without another guardian or staff.
var OwnBases = []Basis{BasisParentalAuthority, BasisPlacement, BasisFosterCare}

// Preset returns the rights that a basis gives unless staff choose others.
//
// Parents with authority, foster carers (law of 19 March 2017) and the institution of a placement decide on daily life:
// everything. A court order says itself what it allows, so its preset is the least that makes sense: to see and to hear.
// A step-parent lives with the child, but does not decide: no registration, cancellation, health or refund.
func Preset(b Basis) []Right {
	switch b {
	case BasisParentalAuthority, BasisPlacement, BasisFosterCare:
		return slices.Clone(Rights)
	case BasisCourtOrder:
		return []Right{RightSee, RightMessages}
	case BasisStepParent:
		return []Right{RightSee, RightPay, RightPickUp, RightMessages}
	case BasisOther:
		return []Right{RightSee, RightPickUp}
	}
	return nil
}

// held gives one row for each right that a guardian holds on the day @on; a block takes them all. Everything that asks for a right reads it
// here, so that a rule about rights is written once.
const held = `
	SELECT gs.guardian_id, gs.child_id, gs.basis, r.name AS held_right
	FROM guardianship AS gs
	CROSS JOIN LATERAL unnest(gs.rights) AS r (name)
	WHERE gs.valid_from <= @on
	  AND (gs.valid_until IS NULL OR gs.valid_until >= @on)
	  AND NOT EXISTS (
		SELECT 1
		FROM guardianship_block AS gb
		WHERE gb.guardian_id = gs.guardian_id
		  AND gb.child_id = gs.child_id
		  AND gb.valid_from <= @on
		  AND (gb.lifted_on IS NULL OR gb.lifted_on > @on)
	  )`

// Right is the gate before every act of a guardian for a child on a day. It returns nil when the guardian holds right,
// NotFound when the guardian may not know the child (as for a child that does not exist), and Forbidden when the child
// may be seen but not this.
func (s *Store) Right(ctx context.Context, q db.Querier, guardianID, childID uuid.UUID, right Right, on civil.Date) error {
	var sees, holds bool
	err := q.QueryRow(ctx, `
		SELECT coalesce(bool_or(h.held_right = 'see'), false), coalesce(bool_or(h.held_right = @right), false)
		FROM (`+held+`) AS h
		WHERE h.guardian_id = @guardian_id
		  AND h.child_id = @child_id`,
		pgx.NamedArgs{"guardian_id": guardianID, "child_id": childID, "right": right, "on": on},
	).Scan(&sees, &holds)
	switch {
	case err != nil:
		return fmt.Errorf("reading the rights of guardian %s: %w", guardianID, err)
	case !sees:
		return problem.NotFound("household.child_not_found")
	case !holds:
		return problem.Forbidden("household.right_missing")
	}
	return nil
}

// ChildIDs returns the children for whom the guardian holds right on a day, in no particular order. A page that joins
// tables of several rooms filters by it (child_id = ANY(…)) instead of reading guardianships itself.
func (s *Store) ChildIDs(ctx context.Context, q db.Querier, guardianID uuid.UUID, right Right, on civil.Date) ([]uuid.UUID, error) {
	rows, err := q.Query(ctx, `
		SELECT h.child_id
		FROM (`+held+`) AS h
		WHERE h.guardian_id = @guardian_id
		GROUP BY h.child_id
		HAVING bool_or(h.held_right = 'see')
		   AND bool_or(h.held_right = @right)`,
		pgx.NamedArgs{"guardian_id": guardianID, "right": right, "on": on})
	if err != nil {
		return nil, fmt.Errorf("reading the children of guardian %s: %w", guardianID, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// Holders returns the guardians who hold right for the child on a day: whom to write to, who may fetch.
func (s *Store) Holders(ctx context.Context, q db.Querier, childID uuid.UUID, right Right, on civil.Date) ([]uuid.UUID, error) {
	rows, err := q.Query(ctx, `
		SELECT h.guardian_id
		FROM (`+held+`) AS h
		WHERE h.child_id = @child_id
		GROUP BY h.guardian_id
		HAVING bool_or(h.held_right = 'see')
		   AND bool_or(h.held_right = @right)
		ORDER BY h.guardian_id`,
		pgx.NamedArgs{"child_id": childID, "right": right, "on": on})
	if err != nil {
		return nil, fmt.Errorf("reading the guardians of child %s: %w", childID, err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// HoldersSQL is a SELECT of guardian_id and child_id: who holds every one of the rights, and may see the child, on a day.
// It is for one statement over many children, where Holders would ask for each. The day is a SQL expression (date),
// written in the program and never from outside, as are the rights.
func HoldersSQL(day string, rights ...Right) string {
	sql := `
		SELECT h.guardian_id, h.child_id
		FROM (` + strings.ReplaceAll(held, "@on", "("+day+")") + `) AS h
		GROUP BY h.guardian_id, h.child_id
		HAVING bool_or(h.held_right = 'see')`
	for _, r := range rights {
		sql += `
		   AND bool_or(h.held_right = '` + string(r) + `')`
	}
	return sql
}

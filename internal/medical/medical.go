// Package medical keeps the medical sheets: sealed, versioned, confirmed by a guardian, and every reading logged.
package medical

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
	"ribambelle/internal/seal"
)

// Store reads and writes medical sheets. It is safe for concurrent use.
type Store struct {
	DB     *db.DB
	Now    civil.Clock
	Box    *seal.Box
	Family *household.Store // whose Right guards what guardians do
}

// New returns a store on d.
func New(d *db.DB, now civil.Clock, box *seal.Box, family *household.Store) *Store {
	return &Store{DB: d, Now: now, Box: box, Family: family}
}

// The purposes of reading a sheet; "medical.purpose.<purpose>" is the key of a name. The list of purposes and roles is
// what the controller keeps at the disposal of the data protection authority (law of 30 July 2018, article 9).
const (
	PurposeGuardian = "guardian" // a guardian looks at or changes it
	PurposeLeader   = "leader"   // a leader cares for the child during a camp
	PurposeRegister = "register" // a register is printed for a camp
	PurposeStaff    = "staff"    // staff prepare a camp or answer the family
)

// Purposes lists them.
var Purposes = []string{PurposeGuardian, PurposeLeader, PurposeRegister, PurposeStaff}

// Status is what may be known of a sheet without reading it.
type Status struct {
	Version     int        // 0: no sheet yet
	SavedAt     *time.Time // of that version
	ConfirmedAt *time.Time // of its last confirmation, nil for none; saving a complete version is one
}

// FreshOn reports whether the sheet counts for a camp that begins on a day: its newest version was confirmed at most
// sheetDays days before.
func (v Status) FreshOn(campBegin civil.Date, sheetDays int) bool {
	return v.ConfirmedAt != nil && !civil.DateOf(*v.ConfirmedAt, civil.Brussels).Before(campBegin.AddDays(-sheetDays))
}

// sealedAt names the place of one sealed version.
func sealedAt(childID uuid.UUID, version int) string {
	return fmt.Sprintf("medical_sheet.sealed:%s:%d", childID, version)
}

// Save keeps the sheet as the child's newest version and, when no answer is Missing, confirms it; an incomplete one is
// kept for the family to go on with, and counts for nothing. The guardian needs RightMedical: NotFound and Forbidden
// come as household gives them. It returns Invalid with every faulty input, and Conflict when a newer version than
// sheet.Version was saved meanwhile. The same content again makes no new version: it confirms.
func (s *Store) Save(ctx context.Context, accountID, guardianID, childID uuid.UUID, sheet Sheet) error {
	invalid := sheet.validate(civil.DateOf(s.Now(), civil.Brussels))
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if err := s.guard(ctx, tx, guardianID, childID); err != nil {
			return err
		}
		if invalid != nil {
			return invalid
		}
		current, err := s.lock(ctx, tx, childID)
		if err != nil {
			return err
		}
		body, err := json.Marshal(sheet)
		if err != nil {
			return fmt.Errorf("writing the sheet of child %s as JSON: %w", childID, err)
		}
		if current.Version > 0 {
			same, err := s.same(childID, current, body)
			if err != nil {
				return err
			}
			if same {
				return s.settle(ctx, tx, accountID, childID, current, sheet)
			}
		}
		if sheet.Version != current.Version {
			return problem.Conflict("medical.changed_meanwhile")
		}
		next := row{Version: current.Version + 1}
		sealed, err := s.Box.Seal(body, sealedAt(childID, next.Version))
		if err != nil {
			return fmt.Errorf("sealing the sheet of child %s: %w", childID, err)
		}
		err = tx.QueryRow(ctx, `
			INSERT INTO medical_sheet (child_id, version, sealed, account_id, created_at)
			VALUES (@child_id, @version, @sealed, @account_id, @now)
			RETURNING id`,
			pgx.NamedArgs{"child_id": childID, "version": next.Version, "sealed": sealed, "account_id": accountID, "now": s.Now()},
		).Scan(&next.ID)
		if err != nil {
			return fmt.Errorf("saving the sheet of child %s: %w", childID, err)
		}
		return s.settle(ctx, tx, accountID, childID, next, sheet)
	})
}

// settle confirms what was just saved if it is complete, and otherwise only notes that it was saved.
func (s *Store) settle(ctx context.Context, tx db.Tx, accountID, childID uuid.UUID, r row, sheet Sheet) error {
	if len(sheet.Missing()) == 0 {
		return s.confirm(ctx, tx, accountID, childID, r)
	}
	return audit.Record(ctx, tx, audit.Account(accountID), "medical.kept", "child", childID.String(),
		map[string]any{"version": r.Version})
}

// Confirm says that nothing has changed since version, the one that the guardian has seen. It needs RightMedical. It
// returns NotFound when there is no sheet, Conflict when a newer version was saved meanwhile, and Invalid with every
// missing answer when the sheet is not complete.
func (s *Store) Confirm(ctx context.Context, accountID, guardianID, childID uuid.UUID, version int) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if err := s.guard(ctx, tx, guardianID, childID); err != nil {
			return err
		}
		current, err := s.lock(ctx, tx, childID)
		switch {
		case err != nil:
			return err
		case current.Version == 0:
			return problem.NotFound("medical.no_sheet")
		case current.Version != version:
			return problem.Conflict("medical.changed_meanwhile")
		}
		sheet, err := s.open(childID, current)
		if err != nil {
			return err
		}
		if err := sheet.incomplete(); err != nil {
			return err
		}
		return s.confirm(ctx, tx, accountID, childID, current)
	})
}

func (s *Store) guard(ctx context.Context, q db.Querier, guardianID, childID uuid.UUID) error {
	return s.Family.Right(ctx, q, guardianID, childID, household.RightMedical, civil.DateOf(s.Now(), civil.Brussels))
}

// row is the newest stored version of a child; Version 0 is none.
type row struct {
	ID      uuid.UUID
	Version int
	Sealed  []byte
}

// lock keeps other changes of the child's sheet out of this transaction and returns the newest version.
func (s *Store) lock(ctx context.Context, tx db.Tx, childID uuid.UUID) (row, error) {
	var r row
	if _, err := tx.Exec(ctx, `SELECT FROM child WHERE id = @id FOR NO KEY UPDATE`, pgx.NamedArgs{"id": childID}); err != nil {
		return r, fmt.Errorf("locking child %s: %w", childID, err)
	}
	err := tx.QueryRow(ctx, `
		SELECT id, version, sealed
		FROM medical_sheet
		WHERE child_id = @child_id
		ORDER BY version DESC
		LIMIT 1`,
		pgx.NamedArgs{"child_id": childID}).Scan(&r.ID, &r.Version, &r.Sealed)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return r, fmt.Errorf("reading the sheet of child %s: %w", childID, err)
	}
	return r, nil
}

// same reports whether body is what the stored version holds.
func (s *Store) same(childID uuid.UUID, r row, body []byte) (bool, error) {
	stored, err := s.open(childID, r)
	if err != nil {
		return false, err
	}
	again, err := json.Marshal(stored)
	if err != nil {
		return false, fmt.Errorf("writing the sheet of child %s as JSON: %w", childID, err)
	}
	return slices.Equal(again, body), nil
}

// open unseals a version. Its errors carry no value: those of the JSON decoder would quote it.
func (s *Store) open(childID uuid.UUID, r row) (Sheet, error) {
	plain, err := s.Box.Open(r.Sealed, sealedAt(childID, r.Version))
	if err != nil {
		return Sheet{}, fmt.Errorf("opening the sheet of child %s: %w", childID, err)
	}
	var v Sheet
	if json.Unmarshal(plain, &v) != nil {
		return Sheet{}, fmt.Errorf("version %d of the sheet of child %s is not readable", r.Version, childID)
	}
	v.Version = r.Version
	return v, nil
}

func (s *Store) confirm(ctx context.Context, tx db.Tx, accountID, childID uuid.UUID, r row) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO medical_confirmation (child_id, sheet_id, account_id, at)
		VALUES (@child_id, @sheet_id, @account_id, @now)`,
		pgx.NamedArgs{"child_id": childID, "sheet_id": r.ID, "account_id": accountID, "now": s.Now()})
	if err != nil {
		return fmt.Errorf("confirming the sheet of child %s: %w", childID, err)
	}
	return audit.Record(ctx, tx, audit.Account(accountID), "medical.confirmed", "child", childID.String(),
		map[string]any{"version": r.Version})
}

// ReadAsGuardian returns the sheet to a guardian with RightMedical and logs the reading. Without a sheet it returns an
// empty one and Status.Version 0.
func (s *Store) ReadAsGuardian(ctx context.Context, accountID, guardianID, childID uuid.UUID) (Sheet, Status, error) {
	if err := s.guard(ctx, s.DB, guardianID, childID); err != nil {
		return Sheet{}, Status{}, err
	}
	return s.Read(ctx, audit.Account(accountID), childID, PurposeGuardian)
}

// Read returns a child's newest sheet and logs the reading before it returns, or fails without a value. The caller has
// checked that the actor may read it for this purpose, one of Purposes. Without a sheet it returns an empty one and
// Status.Version 0.
func (s *Store) Read(ctx context.Context, actor audit.Actor, childID uuid.UUID, purpose string) (Sheet, Status, error) {
	var v Sheet
	var status Status
	err := s.each(ctx, actor, []uuid.UUID{childID}, purpose, func(_ uuid.UUID, sheet Sheet, st Status) { v, status = sheet, st })
	return v, status, err
}

// Alerts returns the headline of each child's newest sheet and logs one reading a child. The caller has checked that
// the actor may read them for this purpose, one of Purposes. A child without a sheet has the zero Alert.
func (s *Store) Alerts(ctx context.Context, actor audit.Actor, childIDs []uuid.UUID, purpose string) (map[uuid.UUID]Alert, error) {
	alerts := make(map[uuid.UUID]Alert, len(childIDs))
	for _, id := range childIDs {
		alerts[id] = Alert{}
	}
	err := s.each(ctx, actor, childIDs, purpose, func(id uuid.UUID, sheet Sheet, _ Status) { alerts[id] = sheet.alert() })
	if err != nil {
		return nil, err
	}
	return alerts, nil
}

// stored is a newest version with its dates.
type stored struct {
	ChildID     uuid.UUID
	ID          uuid.UUID
	Version     int
	Sealed      []byte
	CreatedAt   time.Time
	ConfirmedAt *time.Time
}

// each opens the newest sheets of the children, with a line in the access log for each, in one transaction: a value
// that could not be logged is never shown.
func (s *Store) each(ctx context.Context, actor audit.Actor, childIDs []uuid.UUID, purpose string, show func(uuid.UUID, Sheet, Status)) error {
	if !slices.Contains(Purposes, purpose) {
		return fmt.Errorf("reading medical sheets for the unknown purpose %q", purpose)
	}
	var all []stored
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		rows, err := tx.Query(ctx, `
			WITH newest AS (
				SELECT DISTINCT ON (child_id) child_id, id, version, sealed, created_at
				FROM medical_sheet
				WHERE child_id = ANY(@ids)
				ORDER BY child_id, version DESC
			), logged AS (
				INSERT INTO medical_access (child_id, actor, purpose, at)
				SELECT child_id, @actor, @purpose, @now
				FROM newest
			)
			SELECT n.child_id, n.id, n.version, n.sealed, n.created_at, c.at AS confirmed_at
			FROM newest AS n
			LEFT JOIN LATERAL (
				SELECT max(at) AS at
				FROM medical_confirmation
				WHERE child_id = n.child_id
				  AND sheet_id = n.id
			) AS c ON true`,
			pgx.NamedArgs{"ids": childIDs, "actor": actor.String(), "purpose": purpose, "now": s.Now()})
		if err != nil {
			return fmt.Errorf("reading medical sheets: %w", err)
		}
		if all, err = pgx.CollectRows(rows, pgx.RowToStructByName[stored]); err != nil {
			return fmt.Errorf("reading medical sheets: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	opened := make([]Sheet, len(all))
	for i, r := range all {
		if opened[i], err = s.open(r.ChildID, row{ID: r.ID, Version: r.Version, Sealed: r.Sealed}); err != nil {
			return err
		}
	}
	for i, r := range all {
		show(r.ChildID, opened[i], Status{Version: r.Version, SavedAt: &r.CreatedAt, ConfirmedAt: r.ConfirmedAt})
	}
	return nil
}

package camp

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// The window in which a leader sees the children of the own camp: from some days before the first session until
// some days after the last.
const (
	leaderBefore = 14
	leaderAfter  = 7
)

// AddLeader lets an account lead a camp; again changes whether it coordinates.
func (s *Store) AddLeader(ctx context.Context, actor audit.Actor, campID, accountID uuid.UUID, coordinator bool) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO camp_leader (camp_id, account_id, coordinator)
			VALUES (@camp, @account, @coordinator)
			ON CONFLICT (camp_id, account_id)
			DO UPDATE SET coordinator = EXCLUDED.coordinator`,
			pgx.NamedArgs{"camp": campID, "account": accountID, "coordinator": coordinator})
		if err != nil {
			return fmt.Errorf("adding a leader to camp %s: %w", campID, err)
		}
		return audit.Record(ctx, tx, actor, "camp.leader_added", "camp", campID.String(), map[string]any{"account": accountID, "coordinator": coordinator})
	})
}

// RemoveLeader takes the camp away from an account.
func (s *Store) RemoveLeader(ctx context.Context, actor audit.Actor, campID, accountID uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `
			DELETE FROM camp_leader
			WHERE camp_id = @camp
			  AND account_id = @account`,
			pgx.NamedArgs{"camp": campID, "account": accountID})
		if err != nil {
			return fmt.Errorf("removing a leader of camp %s: %w", campID, err)
		}
		return audit.Record(ctx, tx, actor, "camp.leader_removed", "camp", campID.String(), map[string]any{"account": accountID})
	})
}

// Leads returns nil when the account leads the camp and today lies in its window; NotFound for a stranger,
// Forbidden outside the window.
func Leads(ctx context.Context, q db.Querier, accountID, campID uuid.UUID, today civil.Date) error {
	var first, last civil.Date
	err := q.QueryRow(ctx, `
		SELECT min(s.day), max(s.day)
		FROM camp_leader l
		LEFT JOIN camp_session s ON s.camp_id = l.camp_id
		WHERE l.camp_id = @camp
		  AND l.account_id = @account
		GROUP BY l.camp_id`,
		pgx.NamedArgs{"camp": campID, "account": accountID}).Scan(&first, &last)
	if errors.Is(err, pgx.ErrNoRows) {
		return problem.NotFound("camp.not_found")
	}
	if err != nil {
		return fmt.Errorf("reading the leaders of camp %s: %w", campID, err)
	}
	if first.IsZero() || today.Before(first.AddDays(-leaderBefore)) || today.After(last.AddDays(leaderAfter)) {
		return problem.Forbidden("camp.leader_window", leaderBefore, leaderAfter)
	}
	return nil
}

// MarkAttendance notes that a child was present at a session, or absent; the latest mark counts, and nil takes the mark
// back. The registration must be one of the session's camp, or NotFound; a session of a later day than today is a
// Conflict. The caller has checked that the account leads the camp.
func (s *Store) MarkAttendance(ctx context.Context, accountID, registrationID, sessionID uuid.UUID, present *bool) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var day civil.Date
		err := tx.QueryRow(ctx, `
			SELECT s.day
			FROM registration r
			JOIN camp_session s ON s.camp_id = r.camp_id
			WHERE r.id = @registration
			  AND s.id = @session
			  AND s.state <> 'cancelled'
			  AND r.state IN ('confirmed', 'completed')`,
			pgx.NamedArgs{"registration": registrationID, "session": sessionID}).Scan(&day)
		if errors.Is(err, pgx.ErrNoRows) {
			return problem.NotFound("attendance.not_found")
		}
		if err != nil {
			return fmt.Errorf("reading session %s: %w", sessionID, err)
		}
		if day.After(civil.DateOf(s.Now(), civil.Brussels)) {
			return problem.Conflict("attendance.future")
		}
		if present == nil {
			_, err = tx.Exec(ctx, `
				DELETE FROM attendance
				WHERE registration_id = @registration
				  AND session_id = @session`,
				pgx.NamedArgs{"registration": registrationID, "session": sessionID})
		} else {
			_, err = tx.Exec(ctx, `
				INSERT INTO attendance (registration_id, session_id, present, marked_by, marked_at)
				VALUES (@registration, @session, @present, @account, @now)
				ON CONFLICT (registration_id, session_id)
				DO UPDATE SET present = EXCLUDED.present, marked_by = EXCLUDED.marked_by, marked_at = EXCLUDED.marked_at`,
				pgx.NamedArgs{"registration": registrationID, "session": sessionID, "present": *present, "account": accountID, "now": s.Now()})
		}
		if err != nil {
			return fmt.Errorf("marking registration %s: %w", registrationID, err)
		}
		return audit.Record(ctx, tx, audit.Account(accountID), "attendance.marked", "registration", registrationID.String(),
			map[string]any{"session": sessionID, "present": present})
	})
}

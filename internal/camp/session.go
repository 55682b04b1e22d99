package camp

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/db"
)

// Session is a camp's dated unit. Bus, attendance, overlap and price use this list, never the event's two instants.
type Session struct {
	ID      uuid.UUID
	CampID  uuid.UUID
	Day     civil.Date
	Starts  int // minutes after midnight, wall clock of the camp
	Ends    int // minutes after midnight, after Starts
	State   string
	Reason  string
	ByStaff bool
}

// dayEnds bounds a session whose event ends earlier in the day than it begins (a stay of several nights).
const dayEnds = 23*60 + 59

// Sessions derives a camp's sessions from the event's begin and end: one a day at the hours of the first and last
// instant, without weekends and public holidays. A camp that has no other day keeps them all.
func Sessions(begins, ends time.Time, zone *time.Location) []Session {
	b, e := begins.In(zone), ends.In(zone)
	starts, until := b.Hour()*60+b.Minute(), e.Hour()*60+e.Minute()
	if until <= starts {
		until = dayEnds
	}
	first, last := civil.DateOf(b, zone), civil.DateOf(e, zone)
	if last.After(first) && e.Hour() == 0 && e.Minute() == 0 {
		last = last.AddDays(-1) // midnight closes the day before
	}
	var working, all []Session
	for day := first; !day.After(last); day = day.AddDays(1) {
		s := Session{Day: day, Starts: starts, Ends: until, State: "planned"}
		all = append(all, s)
		if civil.WorkingDay(day) {
			working = append(working, s)
		}
		if len(all) == maxDays {
			break
		}
	}
	if len(working) == 0 {
		return all
	}
	return working
}

// maxDays bounds the sessions of one camp; a longer event is a mistake in Odoo.
const maxDays = 120

// SessionsOf returns the sessions of a camp in order, cancelled ones included.
func SessionsOf(ctx context.Context, q db.Querier, campID uuid.UUID) ([]Session, error) {
	all, err := SessionsOfAll(ctx, q, []uuid.UUID{campID})
	return all[campID], err
}

// SessionsOfAll returns the sessions of several camps, each in order, cancelled ones included.
func SessionsOfAll(ctx context.Context, q db.Querier, campIDs []uuid.UUID) (map[uuid.UUID][]Session, error) {
	rows, err := q.Query(ctx, `
		SELECT id, camp_id, day,
		  (EXTRACT(EPOCH FROM starts) / 60)::int AS starts,
		  (EXTRACT(EPOCH FROM ends) / 60)::int AS ends,
		  state, reason, by_staff
		FROM camp_session
		WHERE camp_id = ANY(@camps)
		ORDER BY day, starts`,
		pgx.NamedArgs{"camps": campIDs})
	if err != nil {
		return nil, fmt.Errorf("reading the sessions of camps: %w", err)
	}
	sessions, err := pgx.CollectRows(rows, pgx.RowToStructByName[Session])
	if err != nil {
		return nil, fmt.Errorf("reading the sessions of camps: %w", err)
	}
	all := make(map[uuid.UUID][]Session, len(campIDs))
	for _, s := range sessions {
		all[s.CampID] = append(all[s.CampID], s)
	}
	return all, nil
}

// replaceSessions makes the derived sessions those of the camp: it adds and removes, and leaves what staff added,
// held, shortened or cancelled, and what has attendance. It reports whether anything changed.
func replaceSessions(ctx context.Context, tx db.Tx, campID uuid.UUID, want []Session) (changed bool, err error) {
	days := make([]civil.Date, len(want))
	starts, ends := make([]string, len(want)), make([]string, len(want))
	for i, s := range want {
		days[i], starts[i], ends[i] = s.Day, clock(s.Starts), clock(s.Ends)
	}
	args := pgx.NamedArgs{"camp": campID, "days": days, "starts": starts, "ends": ends}
	gone, err := tx.Exec(ctx, `
		DELETE FROM camp_session s
		WHERE s.camp_id = @camp
		  AND NOT s.by_staff
		  AND s.state = 'planned'
		  AND NOT EXISTS (SELECT 1 FROM attendance a WHERE a.session_id = s.id)
		  AND (s.day, s.starts) NOT IN (SELECT d, t FROM unnest(@days::date[], @starts::time[]) AS w (d, t))`, args)
	if err != nil {
		return false, fmt.Errorf("removing sessions of camp %s: %w", campID, err)
	}
	made, err := tx.Exec(ctx, `
		INSERT INTO camp_session AS s (camp_id, day, starts, ends)
		SELECT @camp, d, t, e
		FROM unnest(@days::date[], @starts::time[], @ends::time[]) AS w (d, t, e)
		ON CONFLICT (camp_id, day, starts)
		DO UPDATE SET ends = EXCLUDED.ends
		WHERE s.ends <> EXCLUDED.ends
		  AND s.state = 'planned'
		  AND NOT s.by_staff`, args)
	if err != nil {
		return false, fmt.Errorf("adding sessions of camp %s: %w", campID, err)
	}
	return gone.RowsAffected()+made.RowsAffected() > 0, nil
}

func clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

// CancelSessions cancels planned sessions of a camp in the caller's transaction, with a reason that families read, and
// returns how many: what is cancelled, held or of another camp is left out.
func CancelSessions(ctx context.Context, tx db.Tx, campID uuid.UUID, ids []uuid.UUID, reason string) (int, error) {
	tag, err := tx.Exec(ctx, `
		UPDATE camp_session
		SET state = 'cancelled', reason = @reason
		WHERE camp_id = @camp
		  AND id = ANY(@ids)
		  AND state IN ('planned', 'shortened')`,
		pgx.NamedArgs{"camp": campID, "ids": ids, "reason": reason})
	if err != nil {
		return 0, fmt.Errorf("cancelling sessions of camp %s: %w", campID, err)
	}
	return int(tag.RowsAffected()), nil
}

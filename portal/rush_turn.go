package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// The clock of turns.
const (
	// turnAlive is how long after its last look a turn still counts for those behind it. A phone that was locked longer
	// keeps its place all the same: its turn is as old as it was.
	turnAlive = 45 * time.Second
	// turnLasts is how long a called turn may be used.
	turnLasts = 10 * time.Minute
	// turnAgain is how long a used turn still opens: a double click, or a second try after a lost connection.
	turnAgain = time.Minute
	// turnBusy is how long a called turn that is not used yet counts as being served, while this instance is at work; when
	// it has room to spare, those who take their time hold up nobody.
	turnBusy     = 15 * time.Second
	turnBusyIdle = 2 * time.Second
	// turnKept is how long an unseen turn is remembered; its cookie lasts as long.
	turnKept = time.Hour
	// turnWindow is how many slots' worth of turns are called at once, since people take a moment to tap.
	turnWindow = 3
	turnCookie = "file"
)

// turn is a place in the queue, as the signed cookie holds it: should the row be lost, it is made again from it.
type turn struct {
	id      uuid.UUID
	arrived time.Time
}

func newTurn(now time.Time) turn {
	return turn{id: uuid.New(), arrived: now.UTC().Truncate(time.Microsecond)}
}

// stamp is what is signed: the turn and when it came.
func (t turn) stamp() string {
	return t.id.String() + "." + strconv.FormatInt(t.arrived.UnixMicro(), 10)
}

// giveTurn sets the cookie of a turn.
func (s *server) giveTurn(w http.ResponseWriter, t turn) {
	http.SetCookie(w, s.cookie(turnCookie, t.stamp()+"."+s.Box.MAC("turn", t.stamp()), int(turnKept/time.Second)))
}

// turnOf returns the turn of a browser; false for none, or one that we did not sign.
func (s *server) turnOf(r *http.Request) (turn, bool) {
	c, err := r.Cookie(turnCookie)
	if err != nil {
		return turn{}, false
	}
	part := strings.SplitN(c.Value, ".", 3)
	if len(part) != 3 || !s.Box.CheckMAC("turn", part[0]+"."+part[1], part[2]) {
		return turn{}, false
	}
	id, err := uuid.Parse(part[0])
	micros, err2 := strconv.ParseInt(part[1], 10, 64)
	if errors.Join(err, err2) != nil {
		return turn{}, false
	}
	t := turn{id: id, arrived: time.UnixMicro(micros).UTC()}
	return t, s.Now().Sub(t.arrived) < 3*turnKept
}

// turnView is what a look at the queue tells.
type turnView struct {
	Served *time.Time // when the turn was called
	Done   *time.Time // when it was used
	Ahead  int        // turns that wait before it
	Calls  int        // in the last minute
	First  *time.Time // the first of these calls
}

func (v turnView) called() bool { return v.Served != nil }

// over reports whether a turn was used up, or called so long ago that it lapsed.
func (v turnView) over(now time.Time) bool {
	return v.Done != nil && now.Sub(*v.Done) > turnAgain || v.Served != nil && now.Sub(*v.Served) > turnLasts
}

// seeTurn looks at the queue for a turn and calls it when it is near enough to the front: one statement. fresh makes
// its row first.
func (s *server) seeTurn(ctx context.Context, t turn, fresh bool) (turnView, error) {
	now := s.Now()
	if fresh {
		if err := s.addTurn(ctx, t, now); err != nil {
			return turnView{}, err
		}
	}
	v, err := s.lookAtTurn(ctx, t, now)
	if errors.Is(err, pgx.ErrNoRows) { // the rows do not survive a crash of the database; the cookie does
		if err = s.addTurn(ctx, t, now); err == nil {
			v, err = s.lookAtTurn(ctx, t, now)
		}
	}
	if err != nil {
		return v, fmt.Errorf("looking at the queue: %w", err)
	}
	if v.Ahead > 0 || !v.called() {
		s.gate.stir(now)
	}
	return v, nil
}

func (s *server) lookAtTurn(ctx context.Context, t turn, now time.Time) (turnView, error) {
	busy := turnBusy
	if 2*len(s.gate.slots) <= cap(s.gate.slots) {
		busy = turnBusyIdle
	}
	rows, err := s.DB.Query(ctx, `
		UPDATE waiting_turn w
		SET seen_at = @now,
		    served_at = COALESCE(w.served_at, CASE WHEN q.ahead + q.busy < @window THEN @now::timestamptz END)
		FROM (
		  SELECT
		    (SELECT count(*)::int
		     FROM waiting_turn
		     WHERE served_at IS NULL
		       AND seen_at > @alive
		       AND (arrived_at, id) < (@arrived, @id)) AS ahead,
		    (SELECT count(*)::int
		     FROM waiting_turn
		     WHERE served_at > @busy
		       AND done_at IS NULL) AS busy,
		    c.calls, c.first
		  FROM (
		    SELECT count(*)::int AS calls, min(served_at) AS first
		    FROM waiting_turn
		    WHERE served_at > @minute) c) q
		WHERE w.id = @id
		RETURNING w.served_at AS served, w.done_at AS done, q.ahead, q.calls, q.first`,
		pgx.NamedArgs{
			"id": t.id, "arrived": t.arrived, "now": now, "alive": now.Add(-turnAlive), "busy": now.Add(-busy),
			"minute": now.Add(-time.Minute), "window": turnWindow * cap(s.gate.slots),
		})
	if err != nil {
		return turnView{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[turnView])
}

func (s *server) addTurn(ctx context.Context, t turn, now time.Time) error {
	s.sweepTurns(ctx, now)
	_, err := s.DB.Exec(ctx, `
		INSERT INTO waiting_turn (id, arrived_at, seen_at)
		VALUES (@id, @arrived, @now)
		ON CONFLICT (id) DO NOTHING`,
		pgx.NamedArgs{"id": t.id, "arrived": t.arrived, "now": now})
	if err != nil {
		return fmt.Errorf("joining the queue: %w", err)
	}
	return nil
}

// sweepTurns removes turns that nobody looked at for long, now and then.
func (s *server) sweepTurns(ctx context.Context, now time.Time) {
	last := s.gate.swept.Load()
	if now.UnixNano()-last < int64(10*time.Minute) || !s.gate.swept.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	_, err := s.DB.Exec(ctx, `
		DELETE FROM waiting_turn
		WHERE seen_at < @before`,
		pgx.NamedArgs{"before": now.Add(-turnKept)})
	if err != nil {
		s.log.WarnContext(ctx, "sweeping the queue", "error", err.Error())
	}
}

// turnDone notes that a called turn was used. Failing to is no failure of what it was used for.
func (s *server) turnDone(ctx context.Context, t turn) {
	_, err := s.DB.Exec(ctx, `
		UPDATE waiting_turn
		SET done_at = COALESCE(done_at, @now)
		WHERE id = @id`,
		pgx.NamedArgs{"id": t.id, "now": s.Now()})
	if err != nil {
		s.log.WarnContext(ctx, "ending a turn", "error", err.Error())
	}
}

package portal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
)

// lineWords is a basket line as people read it.
type lineWords struct {
	ID         uuid.UUID
	ChildName  string // first name
	CampName   string
	FirstDay   civil.Date // zero when no session is left
	LastDay    civil.Date
	Days       int
	Formula    string
	StopOut    string
	StopOutAt  *int // minutes after midnight
	StopBack   string
	StopBackAt *int
	Options    []string
	Clash      []string // camps of the same child in the same basket at the same time
}

// lineWords returns the words of every line in the guardian's basket, by the line's id.
func (s *server) lineWords(ctx context.Context, guardianID uuid.UUID) (map[uuid.UUID]lineWords, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT l.id, k.first_name AS child_name, c.name AS camp_name, w.first_day, w.last_day, w.days, COALESCE(t.name, '') AS formula,
		  COALESCE(o.name, '') AS stop_out, (EXTRACT(EPOCH FROM o.out_at) / 60)::int AS stop_out_at,
		  COALESCE(b.name, '') AS stop_back, (EXTRACT(EPOCH FROM b.back_at) / 60)::int AS stop_back_at,
		  ARRAY(SELECT x.name FROM camp_option x WHERE x.id = ANY(l.options) ORDER BY x.position, x.name) AS options,
		  ARRAY(
		    SELECT DISTINCT oc.name
		    FROM basket_line other
		    JOIN camp oc ON oc.id = other.camp_id
		    JOIN camp_session mine ON mine.camp_id = l.camp_id AND mine.state <> 'cancelled'
		    JOIN camp_session theirs ON theirs.camp_id = other.camp_id AND theirs.state <> 'cancelled'
		    WHERE other.guardian_id = l.guardian_id
		      AND other.child_id = l.child_id
		      AND other.id <> l.id
		      AND theirs.day = mine.day
		      AND theirs.starts < mine.ends
		      AND mine.starts < theirs.ends) AS clash
		FROM basket_line l
		JOIN child k ON k.id = l.child_id
		JOIN camp c ON c.id = l.camp_id
		LEFT JOIN ticket t ON t.id = l.ticket_id AND (SELECT count(*) FROM ticket a WHERE a.camp_id = c.id) > 1
		LEFT JOIN bus_stop o ON o.id = l.stop_out_id
		LEFT JOIN bus_stop b ON b.id = l.stop_back_id
		CROSS JOIN LATERAL (
		  SELECT min(day) AS first_day, max(day) AS last_day, count(DISTINCT day)::int AS days
		  FROM camp_session
		  WHERE camp_id = c.id
		    AND state <> 'cancelled') w
		WHERE l.guardian_id = @guardian`,
		pgx.NamedArgs{"guardian": guardianID})
	if err != nil {
		return nil, fmt.Errorf("reading the basket of guardian %s: %w", guardianID, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[lineWords])
	if err != nil {
		return nil, fmt.Errorf("reading the basket of guardian %s: %w", guardianID, err)
	}
	words := make(map[uuid.UUID]lineWords, len(list))
	for _, w := range list {
		words[w.ID] = w
	}
	return words, nil
}

// basketCard is one line of the basket, checked now.
type basketCard struct {
	lineWords
	Request enrol.Request
	When    string
	Quote   enrol.Quote
	Opens   *time.Time     // when the line may be sent; nil is now
	OpensAt string         // Opens in words
	Bars    []enrol.Reason // what stops it, the clock apart
	ToDo    []enrol.Reason
	Trouble string // why it cannot even be priced: a formula or an option that is gone
	MayAsk  bool   // an exception to every bar may be asked
	Asked   bool   // and was
	Full    bool   // only the waiting list is left
	BusFull bool   // the camp has a place, the bus has not
	Once    bool   // the child has a place or waits already
}

// URL is the line's own page.
func (c basketCard) URL() string { return "/mon-espace/demandes/" + c.Request.Key.String() }

// Stopped reports whether something other than the clock keeps the line from being sent.
func (c basketCard) Stopped() bool { return c.Trouble != "" || len(c.Bars) > 0 && !c.Asked }

// Ready reports whether the line goes through when it is sent now.
func (c basketCard) Ready() bool { return c.Opens == nil && !c.Stopped() }

// basket returns the lines that the guardian may still see, each priced and checked. A line about a child whom the
// guardian may no longer know is left out, as if it were not there.
func (s *server) basket(ctx context.Context, l *locale.Locale, g parent) ([]basketCard, error) {
	lines, err := s.Enrol.Basket(ctx, g.guardian.ID)
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	words, err := s.lineWords(ctx, g.guardian.ID)
	if err != nil {
		return nil, err
	}
	var cards []basketCard
	for _, line := range lines {
		c := basketCard{lineWords: words[line.Key], Request: line}
		if c.ID == uuid.Nil {
			continue // sent or dropped meanwhile
		}
		switch err := s.checkLine(ctx, l, g, &c); {
		case problem.Is(err, problem.KindNotFound):
			continue
		case err != nil:
			return nil, err
		}
		cards = append(cards, c)
	}
	return cards, nil
}

// checkLine prices a line and sorts what stands against it.
func (s *server) checkLine(ctx context.Context, l *locale.Locale, g parent, c *basketCard) error {
	if !c.FirstDay.IsZero() {
		c.When = when(l, offer{FirstDay: c.FirstDay, LastDay: c.LastDay, Days: c.Days})
	}
	q, err := s.Enrol.Quote(ctx, g.guardian.ID, c.Request)
	switch p := problem.As(err); {
	case problem.Is(err, problem.KindInvalid) && len(p.Fields) > 0:
		c.Trouble = told(l, p.Fields[0].Code, p.Fields[0].Args)
		return nil
	case problem.Is(err, problem.KindInvalid), problem.Is(err, problem.KindForbidden):
		c.Trouble = told(l, p.Code, p.Args)
		return nil
	case err != nil:
		return err
	}
	c.Quote = q
	c.Opens, c.Bars, c.ToDo = sortReasons(q.Reasons)
	if c.Opens != nil {
		c.OpensAt = l.Deadline(*c.Opens)
	}
	c.Once = slices.ContainsFunc(c.Bars, func(r enrol.Reason) bool { return r.Rule == "once" })
	c.MayAsk = len(c.Bars) > 0 && enrol.Derogable(c.Bars)
	c.Asked = c.MayAsk && c.Request.Derogation != ""
	c.Full = q.Free != nil && *q.Free == 0
	c.BusFull = !c.Full && q.BusFree != nil && *q.BusFree == 0
	return nil
}

// sortReasons splits reasons into the latest opening that is still to come, the other bars, and what is to do.
func sortReasons(reasons []enrol.Reason) (opens *time.Time, bars, todo []enrol.Reason) {
	for _, r := range reasons {
		if !r.Bar {
			todo = append(todo, r)
			continue
		}
		at, later := opening(r)
		if !later {
			bars = append(bars, r)
		} else if opens == nil || at.After(*opens) {
			opens = &at
		}
	}
	return opens, bars, todo
}

// opening returns when a bar that is only too early falls by itself.
func opening(r enrol.Reason) (at time.Time, later bool) {
	switch r.Code {
	case "eligible.opens_later", "eligible.opens_later_others", "eligible.formula_later":
		at, later = r.Args[len(r.Args)-1].(time.Time)
	}
	return at, later
}

// busHabit is the names of the stops that a family took last, "" for none.
type busHabit struct{ Out, Back string }

// busHabit returns where the family took the bus last time, to propose it again.
func (s *server) busHabit(ctx context.Context, guardianID uuid.UUID) (h busHabit, err error) {
	err = s.DB.QueryRow(ctx, `
		SELECT COALESCE(o.name, ''), COALESCE(b.name, '')
		FROM (
		  (SELECT stop_out_id, stop_back_id, created_at
		   FROM registration
		   WHERE registrant_id = @guardian
		   ORDER BY created_at DESC
		   LIMIT 1)
		  UNION ALL
		  (SELECT stop_out_id, stop_back_id, created_at
		   FROM basket_line
		   WHERE guardian_id = @guardian
		   ORDER BY created_at DESC
		   LIMIT 1)
		) r
		LEFT JOIN bus_stop o ON o.id = r.stop_out_id
		LEFT JOIN bus_stop b ON b.id = r.stop_back_id
		ORDER BY r.created_at DESC
		LIMIT 1`,
		pgx.NamedArgs{"guardian": guardianID}).Scan(&h.Out, &h.Back)
	if errors.Is(err, pgx.ErrNoRows) {
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("reading where guardian %s took the bus: %w", guardianID, err)
	}
	return h, nil
}

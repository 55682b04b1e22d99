package privacy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/household"
)

// Preview is a pair side by side, with what a merge would do.
type Preview struct {
	Double    household.Double
	A, B      Side
	IntoA     []Obstacle // to a merge with A as survivor; none when it can be done
	IntoB     []Obstacle
	Obstacles bool // to both
}

// Side is one of a pair, with what staff need to tell one person from two. Medical values are not among it.
type Side struct {
	ID            uuid.UUID
	Name          string
	BirthDate     civil.Date // of a child
	Phone         string     // of a guardian; E.164
	Email         string     // of a guardian
	Address       string     // of a guardian
	SignsIn       bool       // a guardian with an account
	CreatedAt     time.Time
	People        []string // of a child its guardians, of a guardian its children, by name
	Registrations []Line
	Sheets        int // versions of the medical sheet of a child
}

// Line is a registration in a preview.
type Line struct {
	Camp  string
	Child string
	Day   civil.Date // first day of the camp
	State string
}

// Preview returns a pair side by side, or NotFound.
func (s *Store) Preview(ctx context.Context, doubleID uuid.UUID) (Preview, error) {
	d, err := s.Households.Double(ctx, doubleID)
	if err != nil {
		return Preview{}, err
	}
	p, err := s.sides(ctx, d)
	if err != nil || d.State != household.DoubleOpen {
		return p, err
	}
	if d.Kind == household.KindGuardian {
		if p.IntoA, err = s.ObstaclesToGuardians(ctx, s.DB, d.AID, d.BID); err != nil {
			return p, err
		}
		p.IntoB, err = s.ObstaclesToGuardians(ctx, s.DB, d.BID, d.AID)
	} else {
		p.IntoA, err = s.ObstaclesToChildren(ctx, s.DB, d.AID, d.BID)
		p.IntoB = p.IntoA
	}
	p.Obstacles = len(p.IntoA) > 0 && len(p.IntoB) > 0
	return p, err
}

// sides returns a pair with the two sides but without what stands against a merge.
func (s *Store) sides(ctx context.Context, d household.Double) (p Preview, err error) {
	p.Double = d
	side := s.childSide
	if d.Kind == household.KindGuardian {
		side = s.guardianSide
	}
	if p.A, err = side(ctx, d.AID); err != nil {
		return p, err
	}
	p.B, err = side(ctx, d.BID)
	return p, err
}

// List returns at most limit open pairs, the likeliest first, each side by its name alone.
func (s *Store) List(ctx context.Context, limit int) ([]Preview, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT d.id, d.kind, d.a_id, d.b_id, d.score, d.reasons, d.state, d.found_at, n.a, n.b
		FROM (
		  SELECT id, kind, a_id, b_id, score, reasons, state, found_at
		  FROM duplicate
		  WHERE state = 'open'
		  ORDER BY score DESC, found_at, id
		  LIMIT @limit
		) AS d
		CROSS JOIN LATERAL (
		  SELECT trim(a.first_name || ' ' || a.last_name) AS a, trim(b.first_name || ' ' || b.last_name) AS b
		  FROM child AS a, child AS b
		  WHERE d.kind = 'child'
		    AND a.id = d.a_id
		    AND b.id = d.b_id
		  UNION ALL
		  SELECT trim(a.first_name || ' ' || a.last_name), trim(b.first_name || ' ' || b.last_name)
		  FROM guardian AS a, guardian AS b
		  WHERE d.kind = 'guardian'
		    AND a.id = d.a_id
		    AND b.id = d.b_id
		) AS n
		ORDER BY d.score DESC, d.found_at, d.id`,
		pgx.NamedArgs{"limit": limit})
	if err != nil {
		return nil, fmt.Errorf("reading the pairs that look alike: %w", err)
	}
	var list []Preview
	var p Preview
	d := &p.Double
	_, err = pgx.ForEachRow(rows, []any{&d.ID, &d.Kind, &d.AID, &d.BID, &d.Score, &d.Reasons, &d.State, &d.FoundAt, &p.A.Name, &p.B.Name}, func() error {
		p.A.ID, p.B.ID = d.AID, d.BID
		one := p
		one.Double.Reasons = slices.Clone(d.Reasons)
		list = append(list, one)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the pairs that look alike: %w", err)
	}
	return list, nil
}

func (s *Store) childSide(ctx context.Context, id uuid.UUID) (Side, error) {
	v := Side{ID: id}
	err := s.DB.QueryRow(ctx, `
		SELECT trim(c.first_name || ' ' || c.last_name), c.birth_date, c.created_at,
		  ARRAY(
			SELECT DISTINCT trim(g.first_name || ' ' || g.last_name)
			FROM guardianship AS gs
			JOIN guardian AS g ON g.id = gs.guardian_id
			WHERE gs.child_id = c.id
			  AND (gs.valid_until IS NULL OR gs.valid_until >= @on)
			ORDER BY 1
		  ),
		  (SELECT count(*)::int FROM medical_sheet WHERE child_id = c.id)
		FROM child AS c
		WHERE c.id = @id`,
		pgx.NamedArgs{"id": id, "on": s.today()}).Scan(&v.Name, &v.BirthDate, &v.CreatedAt, &v.People, &v.Sheets)
	if err != nil {
		return v, fmt.Errorf("reading child %s: %w", id, err)
	}
	v.Registrations, err = s.lines(ctx, `r.child_id = @id`, id)
	return v, err
}

func (s *Store) guardianSide(ctx context.Context, id uuid.UUID) (Side, error) {
	v := Side{ID: id}
	err := s.DB.QueryRow(ctx, `
		SELECT trim(g.first_name || ' ' || g.last_name), g.phone, g.email, trim(both ', ' FROM g.street || ', ' || g.postcode || ' ' || g.city),
		  g.account_id IS NOT NULL, g.created_at,
		  ARRAY(
			SELECT DISTINCT trim(c.first_name || ' ' || c.last_name)
			FROM guardianship AS gs
			JOIN child AS c ON c.id = gs.child_id
			WHERE gs.guardian_id = g.id
			  AND (gs.valid_until IS NULL OR gs.valid_until >= @on)
			ORDER BY 1
		  )
		FROM guardian AS g
		WHERE g.id = @id`,
		pgx.NamedArgs{"id": id, "on": s.today()}).Scan(&v.Name, &v.Phone, &v.Email, &v.Address, &v.SignsIn, &v.CreatedAt, &v.People)
	if err != nil {
		return v, fmt.Errorf("reading guardian %s: %w", id, err)
	}
	v.Registrations, err = s.lines(ctx, `@id IN (r.registrant_id, r.payer_id)`, id)
	return v, err
}

func (s *Store) lines(ctx context.Context, where string, id uuid.UUID) ([]Line, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT c.name AS camp, k.first_name AS child, (c.begins_at AT TIME ZONE 'Europe/Brussels')::date AS day, r.state
		FROM registration AS r
		JOIN camp AS c ON c.id = r.camp_id
		JOIN child AS k ON k.id = r.child_id
		WHERE `+where+`
		ORDER BY c.begins_at DESC, r.id
		LIMIT 20`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, fmt.Errorf("reading registrations: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Line])
}

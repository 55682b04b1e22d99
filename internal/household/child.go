package household

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Child is a child as one guardian may see it.
type Child struct {
	ID             uuid.UUID
	FirstName      string
	LastName       string
	BirthDate      civil.Date
	NationalNumber string // masked; empty when unknown
	Interests      []string
	SchoolYear     int    // the current one, by the year in which it starts
	Level          string // in SchoolYear
	LevelSource    string // LevelUsual, LevelDeclared or LevelVerified: of the record that Level follows from
	Basis          Basis
	Rights         []Right
}

// Name returns the first and last name.
func (c Child) Name() string { return strings.TrimSpace(c.FirstName + " " + c.LastName) }

// Can reports whether the guardian who asked holds right for the child. It is for showing or hiding; what acts asks
// Store.Right again.
func (c Child) Can(right Right) bool { return slices.Contains(c.Rights, right) }

// Bounds of a child's form.
const (
	MaxAge          = 21 // special education ends in the school year of the 21st birthday
	MaxInterests    = 20
	MaxInterestText = 60
)

// ChildForm is what a guardian says about a child.
type ChildForm struct {
	Key                  uuid.UUID // of this form as it was shown, so that a double click adds one child; AddChild only
	FirstName            string
	LastName             string
	BirthDate            civil.Date
	NationalNumber       string // empty keeps what is known
	ForgetNationalNumber bool
	Level                string // in the current school year; empty keeps what is known
	Interests            []string
	Basis                Basis // one of OwnBases, empty is parental authority; AddChild only
}

// Check returns Invalid with every faulty input, as AddChild would, and writes nothing.
func (f *ChildForm) Check(today civil.Date) error {
	cleaned := *f
	_, err := cleaned.validate(today)
	return err
}

// validate cleans the form and returns every problem of it at once, under the names of the inputs.
func (f *ChildForm) validate(today civil.Date) (NationalNumber, error) {
	var p problem.Fields
	f.FirstName = text(&p, "first_name", f.FirstName, MaxName, true)
	f.LastName = text(&p, "last_name", f.LastName, MaxName, true)
	dated := false
	switch {
	case f.BirthDate.IsZero():
		p.Add("birth_date", "household.required")
	case f.BirthDate.After(today):
		p.Add("birth_date", "household.birth_date_future")
	case civil.AgeOn(f.BirthDate, today) > MaxAge:
		p.Add("birth_date", "household.birth_date_adult")
	default:
		dated = true
	}
	var number NationalNumber
	if strings.TrimSpace(f.NationalNumber) != "" && !f.ForgetNationalNumber {
		var err error
		if number, err = ParseNationalNumber(f.NationalNumber); err != nil {
			p.Add("national_number", "household.national_number_invalid")
		} else if birth, ok := number.BirthDate(); ok && dated && birth != f.BirthDate {
			p.Add("national_number", "household.national_number_other_date")
		}
	}
	if f.Level != "" && civil.LevelIndex(f.Level) < 0 {
		p.Add("level", "household.level_unknown")
	}
	f.Interests = interests(&p, f.Interests)
	if f.Basis == "" {
		f.Basis = BasisParentalAuthority
	}
	if !slices.Contains(OwnBases, f.Basis) {
		p.Add("basis", "household.basis_alone")
	}
	return number, p.Err()
}

// interests trims the list, drops the empty ones and those said twice, and bounds it.
func interests(p *problem.Fields, list []string) []string {
	kept := make([]string, 0, len(list))
	for _, v := range list {
		v = strings.Join(strings.Fields(v), " ")
		if v != "" && !slices.ContainsFunc(kept, func(k string) bool { return strings.EqualFold(k, v) }) {
			kept = append(kept, v)
		}
	}
	var each problem.Fields
	for _, v := range kept {
		text(&each, "interests", v, MaxInterestText, true)
	}
	switch {
	case len(kept) > MaxInterests:
		p.Add("interests", "household.interests_many", MaxInterests)
	case len(each) > 0:
		*p = append(*p, each[0])
	}
	return kept
}

// sealedAt names the place of a child's sealed national number.
func sealedAt(childID uuid.UUID) string { return "child.national_number:" + childID.String() }

// AddChild makes a child with the guardian's rights on it, as the preset of the basis says, and returns it. The same
// key again returns the child made the first time. It returns Invalid with every faulty input, NotFound when the
// guardian does not exist or the key belongs to another family.
func (s *Store) AddChild(ctx context.Context, guardianID uuid.UUID, f ChildForm) (Child, error) {
	number, err := f.validate(s.today())
	if err != nil {
		return Child{}, err
	}
	if f.Key == uuid.Nil {
		return Child{}, problem.Invalid("household.key_missing")
	}
	id := uuid.New()
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		g, err := guardian(ctx, tx, `id = @id`, guardianID)
		if err != nil {
			return err
		}
		sealed, err := s.seal(id, number)
		if err != nil {
			return err
		}
		inserted, err := tx.Exec(ctx, `
			INSERT INTO child (id, first_name, last_name, birth_date, national_number, interests, submission_key, created_at, updated_at)
			VALUES (@id, @first_name, @last_name, @birth_date, @national_number, @interests, @key, @now, @now)
			ON CONFLICT (submission_key) DO NOTHING`,
			s.childArgs(id, f, sealed))
		if err != nil {
			return fmt.Errorf("adding a child: %w", err)
		}
		if inserted.RowsAffected() == 0 {
			return tx.QueryRow(ctx, `SELECT id FROM child WHERE submission_key = @key`, pgx.NamedArgs{"key": f.Key}).Scan(&id)
		}
		if err := s.declareLevel(ctx, tx, id, f); err != nil {
			return err
		}
		actor := actorOf(ctx, g)
		if err := audit.Record(ctx, tx, actor, "child.added", "child", id.String(), map[string]any{"guardian": g.ID}); err != nil {
			return err
		}
		if err := s.grant(ctx, tx, actor, g.ID, id, Grant{Basis: f.Basis, Rights: Preset(f.Basis), From: s.today()}, nil); err != nil {
			return err
		}
		return s.lookForDoubles(ctx, tx, KindChild, id)
	})
	if err != nil {
		return Child{}, err
	}
	return s.Child(ctx, guardianID, id)
}

// actorOf is who acts for a guardian: the account at work, for an organisation the member; else the guardian's own, or
// the command that made a guardian without one.
func actorOf(ctx context.Context, g Guardian) audit.Actor {
	if g.AccountID != nil {
		return audit.Account(*g.AccountID)
	}
	if a, ok := audit.AccountFrom(ctx); ok {
		return a
	}
	return audit.Command("guardian " + g.ID.String())
}

// seal returns the sealed number of a child, nil for none.
func (s *Store) seal(childID uuid.UUID, n NationalNumber) ([]byte, error) {
	if n.IsZero() {
		return nil, nil
	}
	sealed, err := s.Box.Seal([]byte(n.Digits()), sealedAt(childID))
	if err != nil {
		return nil, fmt.Errorf("sealing the number of child %s: %w", childID, err)
	}
	return sealed, nil
}

func (s *Store) childArgs(id uuid.UUID, f ChildForm, sealed []byte) pgx.NamedArgs {
	return pgx.NamedArgs{
		"id": id, "first_name": f.FirstName, "last_name": f.LastName, "birth_date": f.BirthDate, "national_number": sealed,
		"interests": f.Interests, "key": f.Key, "forget": f.ForgetNationalNumber, "now": s.Now(),
	}
}

// declareLevel records what the guardian says for the current school year, when it differs from what is known. What
// staff have verified stays: a guardian who sees it otherwise writes to them.
func (s *Store) declareLevel(ctx context.Context, tx db.Tx, childID uuid.UUID, f ChildForm) error {
	if f.Level == "" {
		return nil
	}
	year := civil.SchoolYear(s.today())
	known, err := LevelIn(ctx, tx, childID, year)
	if err != nil {
		return err
	}
	if known == f.Level {
		return nil
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO child_level AS l (child_id, school_year, level, source, recorded_at)
		VALUES (@child_id, @year, @level, 'declared', @now)
		ON CONFLICT (child_id, school_year) DO UPDATE
		SET level = excluded.level,
		    recorded_at = excluded.recorded_at
		WHERE l.source = 'declared'`,
		pgx.NamedArgs{"child_id": childID, "year": year, "level": f.Level, "now": s.Now()})
	if err != nil {
		return fmt.Errorf("recording the level of child %s: %w", childID, err)
	}
	if tag.RowsAffected() == 0 {
		var p problem.Fields
		p.Add("level", "household.level_verified")
		return p.Err()
	}
	return nil
}

// VerifyLevel records a level that staff have seen on a document, for a school year: which document, and when. It
// returns Invalid with every faulty input.
func (s *Store) VerifyLevel(ctx context.Context, actor audit.Actor, childID uuid.UUID, v LevelProof) error {
	if err := v.validate(s.today()); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO child_level (child_id, school_year, level, source, recorded_at, proof, seen_on)
			SELECT id, @year, @level, 'verified', @now, @proof, @seen_on
			FROM child
			WHERE id = @child_id
			ON CONFLICT (child_id, school_year) DO UPDATE
			SET level = excluded.level,
			    source = excluded.source,
			    recorded_at = excluded.recorded_at,
			    proof = excluded.proof,
			    seen_on = excluded.seen_on`,
			pgx.NamedArgs{"child_id": childID, "year": v.SchoolYear, "level": v.Level, "now": s.Now(), "proof": v.Document, "seen_on": v.SeenOn})
		if err != nil {
			return fmt.Errorf("recording the level of child %s: %w", childID, err)
		}
		if tag.RowsAffected() == 0 {
			return problem.NotFound("household.child_not_found")
		}
		return audit.Record(ctx, tx, actor, "child.level_verified", "child", childID.String(),
			map[string]any{"year": v.SchoolYear, "level": v.Level, "seen_on": v.SeenOn.String()})
	})
}

// UpdateChild changes what is known of a child. The guardian needs RightRegister: the answers are NotFound and
// Forbidden as Right gives them, Invalid with every faulty input, also when staff have verified another level.
func (s *Store) UpdateChild(ctx context.Context, guardianID, childID uuid.UUID, f ChildForm) error {
	f.Basis = "" // rights change by Grant alone
	number, invalid := f.validate(s.today())
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		// The right comes first: the problems of a form must not tell who a child is known to.
		if err := s.Right(ctx, tx, guardianID, childID, RightRegister, s.today()); err != nil {
			return err
		}
		if invalid != nil {
			return invalid
		}
		g, err := guardian(ctx, tx, `id = @id`, guardianID)
		if err != nil {
			return err
		}
		sealed, err := s.seal(childID, number)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			UPDATE child
			SET first_name = @first_name,
			    last_name = @last_name,
			    birth_date = @birth_date,
			    national_number = CASE WHEN @forget THEN NULL ELSE coalesce(@national_number, national_number) END,
			    interests = @interests,
			    updated_at = @now
			WHERE id = @id`,
			s.childArgs(childID, f, sealed))
		if err != nil {
			return fmt.Errorf("changing child %s: %w", childID, err)
		}
		if err := s.declareLevel(ctx, tx, childID, f); err != nil {
			return err
		}
		if err := s.lookForDoubles(ctx, tx, KindChild, childID); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actorOf(ctx, g), "child.changed", "child", childID.String(), map[string]any{"guardian": guardianID})
	})
}

// Children returns the children whom the guardian may see today, the eldest first.
func (s *Store) Children(ctx context.Context, guardianID uuid.UUID) ([]Child, error) {
	return s.children(ctx, guardianID, nil)
}

// Child returns one child whom the guardian may see today, or NotFound.
func (s *Store) Child(ctx context.Context, guardianID, childID uuid.UUID) (Child, error) {
	cs, err := s.children(ctx, guardianID, &childID)
	if err != nil {
		return Child{}, err
	}
	if len(cs) == 0 {
		return Child{}, problem.NotFound("household.child_not_found")
	}
	return cs[0], nil
}

// childRow is a child as it is stored, with what the guardian holds.
type childRow struct {
	ID             uuid.UUID
	FirstName      string
	LastName       string
	BirthDate      civil.Date
	NationalNumber []byte
	Interests      []string
	Basis          Basis
	Rights         []Right
	Years          []int
	Levels         []string
	Sources        []string
}

func (s *Store) children(ctx context.Context, guardianID uuid.UUID, only *uuid.UUID) ([]Child, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT c.id, c.first_name, c.last_name, c.birth_date, c.national_number, c.interests, h.basis, h.rights,
		  l.years, l.levels, l.sources
		FROM (
			SELECT child_id, min(basis) AS basis, array_agg(DISTINCT held_right) AS rights
			FROM (`+held+`) AS each
			WHERE guardian_id = @guardian_id
			  AND (@only::uuid IS NULL OR child_id = @only)
			GROUP BY child_id
			HAVING bool_or(held_right = 'see')
		) AS h
		JOIN child AS c ON c.id = h.child_id
		CROSS JOIN LATERAL (
			SELECT coalesce(array_agg(school_year ORDER BY school_year), '{}') AS years,
			  coalesce(array_agg(level ORDER BY school_year), '{}') AS levels,
			  coalesce(array_agg(source ORDER BY school_year), '{}') AS sources
			FROM child_level
			WHERE child_id = c.id
		) AS l
		ORDER BY c.birth_date, c.first_name, c.id`,
		pgx.NamedArgs{"guardian_id": guardianID, "only": only, "on": s.today()})
	if err != nil {
		return nil, fmt.Errorf("reading the children of guardian %s: %w", guardianID, err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByName[childRow])
	if err != nil {
		return nil, fmt.Errorf("reading the children of guardian %s: %w", guardianID, err)
	}
	children := make([]Child, 0, len(stored))
	for _, r := range stored {
		c, err := s.child(r)
		if err != nil {
			return nil, err
		}
		children = append(children, c)
	}
	return children, nil
}

func (s *Store) child(r childRow) (Child, error) {
	c := Child{
		ID: r.ID, FirstName: r.FirstName, LastName: r.LastName, BirthDate: r.BirthDate, Interests: r.Interests,
		SchoolYear: civil.SchoolYear(s.today()), Basis: r.Basis, LevelSource: LevelUsual,
	}
	for _, right := range Rights { // in the order of screens
		if slices.Contains(r.Rights, right) {
			c.Rights = append(c.Rights, right)
		}
	}
	recorded := make(map[int]string, len(r.Years))
	for i, year := range r.Years {
		recorded[year] = r.Levels[i]
	}
	c.Level = Level(recorded, r.BirthDate.Year, c.SchoolYear)
	if year, ok := nearest(recorded, c.SchoolYear); ok {
		c.LevelSource = r.Sources[slices.Index(r.Years, year)]
	}
	if r.NationalNumber != nil {
		n, err := s.open(r.ID, r.NationalNumber)
		if err != nil {
			return Child{}, err
		}
		c.NationalNumber = n.Masked()
	}
	return c, nil
}

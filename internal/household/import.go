package household

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/problem"
)

// What came of one line of a file; "household.row.<outcome>" is the key of its name.
const (
	RowAdded   = "added"
	RowChanged = "changed"
	RowSame    = "same"
	RowKept    = "kept" // the family looks after its own details now: nothing of it was changed
	RowFaulty  = "faulty"
)

// RowResult is what came of one line.
type RowResult struct {
	Outcome  string
	ID       uuid.UUID      // of the guardian or child; zero for a faulty line
	Problems problem.Fields // of a faulty line, under the names of the columns
}

// errDry rolls back what a trial run has done.
var errDry = errors.New("trial run")

// FamilyRow is one line of the commune's list of families: a guardian, and one of its children or none.
type FamilyRow struct {
	Ref            string // the commune's own number of the guardian; needed
	FirstName      string
	LastName       string
	Email          string
	Phone          string // E.164
	Street         string
	Postcode       string
	City           string
	Channel        string // empty is email with an address, else post
	ChildRef       string // the commune's own number of the child; empty is known by name and birth date
	ChildFirstName string
	ChildLastName  string
	BirthDate      civil.Date
	NationalNumber string
	Level          string
	Basis          Basis // empty is parental authority
}

// hasChild reports whether the line has a child.
func (r FamilyRow) hasChild() bool {
	return r.ChildFirstName != "" || r.ChildLastName != "" || !r.BirthDate.IsZero() || r.ChildRef != ""
}

// ImportFamilies enters families of the commune's list. Guardians are found again by their number, children by theirs
// or by name and birth date within the family, so the same file twice changes nothing. A faulty line is left out and
// says why; the others go in. What a family looks after itself, with an account, is never changed. A child that another
// family has under the same number joins both. With dry, nothing is written at all. The results stand in the order of
// the rows.
func (s *Store) ImportFamilies(ctx context.Context, actor audit.Actor, rows []FamilyRow, dry bool) ([]RowResult, error) {
	results := make([]RowResult, len(rows))
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		counts, first := map[string]int{}, map[string]FamilyRow{}
		for i, r := range rows {
			var err error
			if results[i], err = s.importLine(ctx, tx, actor, r, first); err != nil {
				return err
			}
			counts[results[i].Outcome]++
		}
		if dry {
			return errDry
		}
		return audit.Record(ctx, tx, actor, "families.imported", "import", "families", map[string]any{"counts": counts})
	})
	if errors.Is(err, errDry) {
		err = nil
	}
	return results, err
}

// importLine enters one line, whole or not at all. first holds the first line of each guardian of the file: a second one
// that says otherwise is faulty, since the file does not say which is right.
func (s *Store) importLine(ctx context.Context, tx db.Tx, actor audit.Actor, r FamilyRow, first map[string]FamilyRow) (RowResult, error) {
	adult := FamilyRow{
		Ref: strings.TrimSpace(r.Ref), FirstName: r.FirstName, LastName: r.LastName, Email: r.Email, Phone: r.Phone, Street: r.Street,
		Postcode: r.Postcode, City: r.City, Channel: r.Channel,
	}
	if before, ok := first[adult.Ref]; ok && before != adult {
		return RowResult{Outcome: RowFaulty, Problems: problem.Fields{{Name: "ref", Code: "household.import_differs"}}}, nil
	}
	line, err := tx.Begin(ctx)
	if err != nil {
		return RowResult{}, fmt.Errorf("beginning a line: %w", err)
	}
	result, err := s.importFamily(ctx, line, actor, r)
	if err != nil {
		return result, err
	}
	if result.Outcome == RowFaulty {
		return result, line.Rollback(ctx)
	}
	first[adult.Ref] = adult
	return result, line.Commit(ctx)
}

// importFamily enters one line; a faulty one may leave something half done.
func (s *Store) importFamily(ctx context.Context, tx db.Tx, actor audit.Actor, r FamilyRow) (RowResult, error) {
	var p problem.Fields
	r.Ref, r.ChildRef = text(&p, "ref", r.Ref, 60, true), text(&p, "child_ref", r.ChildRef, 60, false)
	g := GuardianForm{
		FirstName: r.FirstName, LastName: r.LastName, Email: r.Email, Phone: r.Phone, Street: r.Street, Postcode: r.Postcode,
		City: r.City, Channel: r.Channel,
	}
	if g.Channel == "" && strings.TrimSpace(g.Email) == "" {
		g.Channel = "post"
	}
	if found := problem.As(g.validate()); found != nil {
		for _, f := range found.Fields {
			// On paper a telephone may be missing: a letter reaches the family.
			if f.Name == "phone" && f.Code == "household.required" {
				continue
			}
			p = append(p, f)
		}
	}
	c := ChildForm{
		FirstName: r.ChildFirstName, LastName: r.ChildLastName, BirthDate: r.BirthDate, NationalNumber: r.NationalNumber,
		Level: r.Level, Basis: r.Basis,
	}
	if r.hasChild() {
		if strings.TrimSpace(c.LastName) == "" {
			c.LastName = r.LastName
		}
		_, err := c.validate(s.today())
		if found := problem.As(err); found != nil {
			for _, f := range found.Fields {
				if f.Name == "first_name" || f.Name == "last_name" {
					f.Name = "child_" + f.Name
				}
				p = append(p, f)
			}
		}
	}
	if len(p) > 0 {
		return RowResult{Outcome: RowFaulty, Problems: p}, nil
	}
	saved, outcome, err := s.importGuardian(ctx, tx, actor, r.Ref, g)
	if err != nil || !r.hasChild() {
		return RowResult{Outcome: outcome, ID: saved.ID}, err
	}
	childOutcome, err := s.importChild(ctx, tx, actor, saved, r.ChildRef, c)
	if faulty := problem.As(err); faulty != nil && faulty.Kind == problem.KindInvalid {
		return RowResult{Outcome: RowFaulty, Problems: faulty.Fields}, nil
	}
	if outcome == RowSame || outcome == RowKept && childOutcome != RowSame || outcome == RowChanged && childOutcome == RowAdded {
		outcome = childOutcome
	}
	return RowResult{Outcome: outcome, ID: saved.ID}, err
}

// importGuardian finds the guardian with the commune's number or makes it.
func (s *Store) importGuardian(ctx context.Context, tx db.Tx, actor audit.Actor, ref string, f GuardianForm) (Guardian, string, error) {
	id, err := referred(ctx, tx, KindGuardian, ref)
	if err != nil {
		return Guardian{}, "", err
	}
	if id == uuid.Nil {
		g, err := s.addGuardian(ctx, tx, KindPerson, nil, f)
		if err != nil {
			return g, "", err
		}
		if err := refer(ctx, tx, KindGuardian, ref, g.ID); err != nil {
			return g, "", err
		}
		return g, RowAdded, audit.Record(ctx, tx, actor, "guardian.added", "guardian", g.ID.String(), map[string]any{"import": true})
	}
	if id, err = GuardianSurvivor(ctx, tx, id); err != nil {
		return Guardian{}, "", err
	}
	g, err := guardian(ctx, tx, `id = @id FOR NO KEY UPDATE`, id)
	if err != nil {
		return g, "", err
	}
	changed := changedInputs(g, f)
	switch {
	case len(changed) == 0:
		return g, RowSame, nil
	case g.AccountID != nil:
		return g, RowKept, nil
	}
	args := s.guardianArgs(uuid.Nil, f)
	args["id"] = g.ID
	rows, err := tx.Query(ctx, `
		UPDATE guardian
		SET first_name = @first_name,
		    last_name = @last_name,
		    email = @email,
		    phone = @phone,
		    street = @street,
		    postcode = @postcode,
		    city = @city,
		    channel = @channel,
		    version = version + 1,
		    updated_at = @now
		WHERE id = @id
		RETURNING `+guardianColumns, args)
	if err != nil {
		return g, "", fmt.Errorf("changing guardian %s: %w", g.ID, err)
	}
	if g, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Guardian]); err != nil {
		return g, "", fmt.Errorf("changing guardian %s: %w", id, err)
	}
	if _, err := s.Jobs.InsertTx(ctx, tx, job.PushSoon{}, nil); err != nil {
		return g, "", fmt.Errorf("asking to send guardian %s to Odoo: %w", g.ID, err)
	}
	if err := s.lookForDoubles(ctx, tx, KindGuardian, g.ID); err != nil {
		return g, "", err
	}
	return g, RowChanged, audit.Record(ctx, tx, actor, "guardian.changed", "guardian", g.ID.String(),
		map[string]any{"import": true, "inputs": changed, "version": g.Version})
}

// importChild finds the child of a line, or makes it, and links it to the guardian.
func (s *Store) importChild(ctx context.Context, tx db.Tx, actor audit.Actor, g Guardian, ref string, f ChildForm) (string, error) {
	id, err := s.importedChild(ctx, tx, g.ID, ref, f)
	if err != nil {
		return "", err
	}
	outcome := RowSame
	if id == uuid.Nil {
		if id, err = s.enterChild(ctx, tx, actor, f); err != nil {
			return "", err
		}
		outcome = RowAdded
	}
	if ref != "" {
		if err := refer(ctx, tx, KindChild, ref, id); err != nil {
			return "", err
		}
	}
	var linked bool
	err = tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT 1 FROM guardianship WHERE guardian_id = @guardian_id AND child_id = @child_id)`,
		pgx.NamedArgs{"guardian_id": g.ID, "child_id": id}).Scan(&linked)
	if err != nil {
		return "", fmt.Errorf("reading the link of guardian %s: %w", g.ID, err)
	}
	if !linked {
		// A link that staff ended is not made again by last year's list.
		grant := Grant{Basis: f.Basis, Rights: Preset(f.Basis), From: s.today()}
		if err := s.grant(ctx, tx, actor, g.ID, id, grant, nil); err != nil {
			return "", err
		}
		if outcome == RowSame {
			outcome = RowChanged
		}
	}
	return outcome, s.lookForDoubles(ctx, tx, KindChild, id)
}

// importedChild returns the child with the commune's number, else the guardian's child with that name and birth date;
// uuid.Nil when there is none.
func (s *Store) importedChild(ctx context.Context, tx db.Tx, guardianID uuid.UUID, ref string, f ChildForm) (uuid.UUID, error) {
	if ref != "" {
		id, err := referred(ctx, tx, KindChild, ref)
		if err != nil {
			return uuid.Nil, err
		}
		if id != uuid.Nil {
			return Survivor(ctx, tx, id)
		}
	}
	var id uuid.UUID
	err := tx.QueryRow(ctx, `
		SELECT c.id
		FROM child AS c
		JOIN guardianship AS gs ON gs.child_id = c.id
		WHERE gs.guardian_id = @guardian_id
		  AND c.birth_date = @birth_date
		  AND c.name_key = name_key(@first_name, @last_name)
		ORDER BY c.created_at, c.id
		LIMIT 1`,
		pgx.NamedArgs{"guardian_id": guardianID, "birth_date": f.BirthDate, "first_name": f.FirstName, "last_name": f.LastName}).Scan(&id)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, fmt.Errorf("looking for a child of guardian %s: %w", guardianID, err)
	}
	return id, nil
}

// enterChild makes a child without any link yet.
func (s *Store) enterChild(ctx context.Context, tx db.Tx, actor audit.Actor, f ChildForm) (uuid.UUID, error) {
	number, err := f.validate(s.today())
	if err != nil {
		return uuid.Nil, err
	}
	id := uuid.New()
	sealed, err := s.seal(id, number)
	if err != nil {
		return uuid.Nil, err
	}
	f.Key = id
	_, err = tx.Exec(ctx, `
		INSERT INTO child (id, first_name, last_name, birth_date, national_number, interests, submission_key, created_at, updated_at)
		VALUES (@id, @first_name, @last_name, @birth_date, @national_number, @interests, @key, @now, @now)`,
		s.childArgs(id, f, sealed))
	if err != nil {
		return uuid.Nil, fmt.Errorf("adding a child: %w", err)
	}
	if err := s.declareLevel(ctx, tx, id, f); err != nil {
		return uuid.Nil, err
	}
	return id, audit.Record(ctx, tx, actor, "child.added", "child", id.String(), map[string]any{"import": true})
}

// referred returns what the commune's number stands for, uuid.Nil when it is new.
func referred(ctx context.Context, q db.Querier, kind, ref string) (uuid.UUID, error) {
	var id uuid.UUID
	err := q.QueryRow(ctx, `SELECT local_id FROM family_ref WHERE kind = @kind AND ref = @ref`, pgx.NamedArgs{"kind": kind, "ref": ref}).Scan(&id)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return uuid.Nil, fmt.Errorf("reading number %s of the commune: %w", kind, err)
	}
	return id, nil
}

func refer(ctx context.Context, q db.Querier, kind, ref string, id uuid.UUID) error {
	_, err := q.Exec(ctx, `
		INSERT INTO family_ref (kind, ref, local_id)
		VALUES (@kind, @ref, @id)
		ON CONFLICT DO NOTHING`,
		pgx.NamedArgs{"kind": kind, "ref": ref, "id": id})
	if err != nil {
		return fmt.Errorf("keeping number %s of the commune: %w", kind, err)
	}
	return nil
}

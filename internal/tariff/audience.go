package tariff

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

// Who belongs to an audience; "tariff.rule.<rule>" is the key of a name.
const (
	RuleEveryone = "everyone"
	RuleResident = "resident" // the child lives in the commune, at either of its homes
	RuleVerified = "verified" // staff saw a proof of the payer, for as long as it says
)

// Audience is a kind of family with its own price: residents, the staff of the commune, the others.
type Audience struct {
	Code    string
	Name    string
	Rule    string
	Percent int // of a camp's price, where the camp sets none for the audience
}

// Audiences returns the audiences in the commune's order.
func Audiences(ctx context.Context, q db.Querier) ([]Audience, error) {
	rows, err := q.Query(ctx, `
		SELECT code, name, rule, percent
		FROM audience
		WHERE ended_at IS NULL
		ORDER BY position, code`)
	if err != nil {
		return nil, fmt.Errorf("reading the audiences: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Audience])
}

// SaveAudiences stores the names and percentages of audiences that exist; Invalid with every faulty field, which is
// named name_<code> or percent_<code>.
func (s *Store) SaveAudiences(ctx context.Context, actor audit.Actor, list []Audience) error {
	var f problem.Fields
	for _, a := range list {
		short(&f, "name_"+a.Code, a.Name, true)
		if a.Percent < 0 || a.Percent > 1000 {
			f.Add("percent_"+a.Code, "tariff.percent_out_of_range")
		}
	}
	if err := f.Err(); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		for _, a := range list {
			_, err := tx.Exec(ctx, `
				UPDATE audience
				SET name = @name, percent = @percent
				WHERE code = @code`,
				pgx.NamedArgs{"code": a.Code, "name": a.Name, "percent": a.Percent})
			if err != nil {
				return fmt.Errorf("saving audience %s: %w", a.Code, err)
			}
		}
		return audit.Record(ctx, tx, actor, "tariff.audiences", "setting", "audience", map[string]any{"audiences": list})
	})
}

// AddAudience adds an audience to which staff admit guardians on proof; one of that name is there already: Invalid.
func (s *Store) AddAudience(ctx context.Context, actor audit.Actor, name string) error {
	var f problem.Fields
	name = strings.TrimSpace(name)
	short(&f, "audience", name, true)
	all, err := Audiences(ctx, s.DB)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(a Audience) bool { return strings.EqualFold(a.Name, name) }) {
		f.Add("audience", "tariff.audience_twice")
	}
	if err := f.Err(); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		code := "a" + strings.ReplaceAll(uuid.NewString(), "-", "")
		_, err := tx.Exec(ctx, `
			INSERT INTO audience (code, name, rule, position)
			SELECT @code, @name, 'verified', COALESCE(max(position), 0)
			FROM audience
			WHERE rule = 'verified'`,
			pgx.NamedArgs{"code": code, "name": name})
		if err != nil {
			return fmt.Errorf("adding an audience: %w", err)
		}
		return audit.Record(ctx, tx, actor, "tariff.audience_added", "setting", "audience", map[string]any{"code": code})
	})
}

// EndAudience no longer offers an audience of verified guardians; prices that were frozen for it stay.
func (s *Store) EndAudience(ctx context.Context, actor audit.Actor, code string) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE audience
			SET ended_at = @now
			WHERE code = @code
			  AND rule = 'verified'
			  AND ended_at IS NULL`,
			pgx.NamedArgs{"code": code, "now": s.Now()})
		if err != nil {
			return fmt.Errorf("ending audience %s: %w", code, err)
		}
		if err := gone(tag.RowsAffected(), "tariff.audience_not_found"); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "tariff.audience_ended", "setting", "audience", map[string]any{"code": code})
	})
}

// Member is a guardian whom staff admitted to an audience.
type Member struct {
	ID         uuid.UUID
	GuardianID uuid.UUID
	Audience   string
	Name       string // of the audience
	ValidFrom  civil.Date
	ValidUntil civil.Date // zero: until it is ended
	Proof      string
}

// MembersOf returns what staff verified of the guardians of a household, and has not ended.
func MembersOf(ctx context.Context, q db.Querier, householdID uuid.UUID) ([]Member, error) {
	rows, err := q.Query(ctx, `
		SELECT m.id, m.guardian_id, m.audience, a.name, m.valid_from, m.valid_until, m.proof
		FROM guardian_audience m
		JOIN audience a ON a.code = m.audience
		JOIN guardian g ON g.id = m.guardian_id
		WHERE g.household_id = @household
		  AND m.ended_at IS NULL
		ORDER BY a.position, m.created_at, m.id`,
		pgx.NamedArgs{"household": householdID})
	if err != nil {
		return nil, fmt.Errorf("reading the audiences of household %s: %w", householdID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Member])
}

// Admit notes that staff saw why a guardian belongs to an audience. Invalid with every faulty field; a guardian is in
// an audience once, so that a form sent twice changes it.
func (s *Store) Admit(ctx context.Context, actor audit.Actor, m Member) error {
	var f problem.Fields
	m.Proof = strings.TrimSpace(m.Proof)
	short(&f, "proof", m.Proof, true)
	if m.ValidFrom.IsZero() {
		m.ValidFrom = s.today()
	}
	if !m.ValidUntil.IsZero() && m.ValidUntil.Before(m.ValidFrom) {
		f.Add("until", "tariff.dates_crossed")
	}
	all, err := Audiences(ctx, s.DB)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(a Audience) bool { return a.Code == m.Audience && a.Rule == RuleVerified }) {
		f.Add("audience", "form.required")
	}
	if err := f.Err(); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO guardian_audience (guardian_id, audience, valid_from, valid_until, proof, granted_by, created_at)
			VALUES (@guardian, @audience, @from, @until, @proof, @by, @now)
			ON CONFLICT (guardian_id, audience) WHERE ended_at IS NULL
			DO UPDATE SET valid_from = EXCLUDED.valid_from, valid_until = EXCLUDED.valid_until, proof = EXCLUDED.proof, granted_by = EXCLUDED.granted_by`,
			pgx.NamedArgs{
				"guardian": m.GuardianID, "audience": m.Audience, "from": m.ValidFrom, "until": orNull(m.ValidUntil),
				"proof": m.Proof, "by": actor.String(), "now": s.Now(),
			})
		if db.Constraint(err) == "guardian_audience_guardian_id_fkey" {
			return problem.NotFound("household.guardian_not_found")
		}
		if err != nil {
			return fmt.Errorf("admitting guardian %s: %w", m.GuardianID, err)
		}
		return audit.Record(ctx, tx, actor, "tariff.admitted", "guardian", m.GuardianID.String(), map[string]any{"audience": m.Audience, "until": m.ValidUntil})
	})
}

// EndMember ends what staff verified of a guardian; prices that were frozen stay.
func (s *Store) EndMember(ctx context.Context, actor audit.Actor, id uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		tag, err := tx.Exec(ctx, `
			UPDATE guardian_audience
			SET ended_at = @now, ended_by = @by
			WHERE id = @id
			  AND ended_at IS NULL`,
			pgx.NamedArgs{"id": id, "now": s.Now(), "by": actor.String()})
		if err != nil {
			return fmt.Errorf("ending membership %s: %w", id, err)
		}
		if err := gone(tag.RowsAffected(), "tariff.member_not_found"); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "tariff.expelled", "guardian_audience", id.String(), nil)
	})
}

// orNull is a day as the database keeps it: none is NULL.
func orNull(d civil.Date) *civil.Date {
	if d.IsZero() {
		return nil
	}
	return &d
}

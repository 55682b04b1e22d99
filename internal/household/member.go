package household

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

// The kinds of guardian.
const (
	KindPerson       = "person"
	KindOrganisation = "organisation" // a children's home, a public welfare centre: accounts act for it as its members
)

// Member is an account that acts with the rights of an organisation, from a day until a day.
type Member struct {
	AccountID  uuid.UUID
	Name       string
	Email      string
	ValidFrom  civil.Date
	ValidUntil civil.Date // last day included; zero when open
}

// Holds reports whether the member acts for the organisation on a day.
func (m Member) Holds(on civil.Date) bool {
	return !on.Before(m.ValidFrom) && (m.ValidUntil.IsZero() || !on.After(m.ValidUntil))
}

// AddOrganisation makes a guardian that is an organisation, in a household of its own; its name stands in LastName.
// Rights come by Grant, usually on the basis of a placement. It returns Invalid with every faulty input.
func (s *Store) AddOrganisation(ctx context.Context, actor audit.Actor, f GuardianForm) (Guardian, error) {
	if err := f.organisation(); err != nil {
		return Guardian{}, err
	}
	var g Guardian
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var err error
		if g, err = s.addGuardian(ctx, tx, KindOrganisation, nil, f); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "guardian.added", "guardian", g.ID.String(), map[string]any{"kind": KindOrganisation})
	})
	return g, err
}

// AddMember lets an account act for an organisation from a day on, zero is today, until a day, zero is without end. It
// returns NotFound when the account does not exist or the guardian is no organisation, and Conflict when the account is
// a member already.
func (s *Store) AddMember(ctx context.Context, actor audit.Actor, guardianID, accountID uuid.UUID, from, until civil.Date) error {
	if from.IsZero() {
		from = s.today()
	}
	if !until.IsZero() && until.Before(from) {
		var p problem.Fields
		p.Add("until", "household.until_before_from")
		return p.Err()
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var overlaps bool
		err := tx.QueryRow(ctx, `
			SELECT EXISTS (
				SELECT 1
				FROM guardian_member
				WHERE guardian_id = g.id
				  AND account_id = @account_id
				  AND (valid_until IS NULL OR valid_until >= @from)
				  AND (@until::date IS NULL OR valid_from <= @until)
			)
			FROM guardian AS g
			WHERE g.id = @guardian_id
			  AND g.kind = 'organisation'
			  AND EXISTS (SELECT 1 FROM account WHERE id = @account_id)
			FOR NO KEY UPDATE`,
			pgx.NamedArgs{"guardian_id": guardianID, "account_id": accountID, "from": from, "until": until}).Scan(&overlaps)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return problem.NotFound("household.organisation_not_found")
		case err != nil:
			return fmt.Errorf("locking organisation %s: %w", guardianID, err)
		case overlaps:
			return problem.Conflict("household.member_already")
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO guardian_member (guardian_id, account_id, valid_from, valid_until, created_at)
			VALUES (@guardian_id, @account_id, @from, @until, @now)`,
			pgx.NamedArgs{"guardian_id": guardianID, "account_id": accountID, "from": from, "until": until, "now": s.Now()})
		if err != nil {
			return fmt.Errorf("adding a member to organisation %s: %w", guardianID, err)
		}
		return audit.Record(ctx, tx, actor, "member.added", "guardian", guardianID.String(),
			map[string]any{"account": accountID, "from": from, "until": until})
	})
}

// EndMember ends what an account may do for an organisation; last is the last day on which it acts. It returns NotFound
// when there is nothing to end.
func (s *Store) EndMember(ctx context.Context, actor audit.Actor, guardianID, accountID uuid.UUID, last civil.Date) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		args := pgx.NamedArgs{"guardian_id": guardianID, "account_id": accountID, "last": last}
		ended, err := tx.Exec(ctx, `
			UPDATE guardian_member
			SET valid_until = @last
			WHERE guardian_id = @guardian_id
			  AND account_id = @account_id
			  AND valid_from <= @last
			  AND (valid_until IS NULL OR valid_until > @last)`, args)
		if err != nil {
			return fmt.Errorf("ending a member of organisation %s: %w", guardianID, err)
		}
		dropped, err := tx.Exec(ctx, `
			DELETE FROM guardian_member
			WHERE guardian_id = @guardian_id
			  AND account_id = @account_id
			  AND valid_from > @last`, args)
		if err != nil {
			return fmt.Errorf("ending a member of organisation %s: %w", guardianID, err)
		}
		if ended.RowsAffected()+dropped.RowsAffected() == 0 {
			return problem.NotFound("household.member_not_found")
		}
		return audit.Record(ctx, tx, actor, "member.ended", "guardian", guardianID.String(),
			map[string]any{"account": accountID, "last": last})
	})
}

// Members returns who acts, acted or will act for an organisation, by name, for staff.
func (s *Store) Members(ctx context.Context, guardianID uuid.UUID) ([]Member, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT m.account_id, a.name, coalesce(a.email, a.phone) AS email, m.valid_from, m.valid_until
		FROM guardian_member AS m
		JOIN account AS a ON a.id = m.account_id
		WHERE m.guardian_id = @guardian_id
		ORDER BY a.name, m.valid_from`,
		pgx.NamedArgs{"guardian_id": guardianID})
	if err != nil {
		return nil, fmt.Errorf("reading the members of organisation %s: %w", guardianID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Member])
}

// ActsFor returns the guardians in whose name an account may act today: its own first, then the organisations of which
// it is a member, by name. None is no error.
func (s *Store) ActsFor(ctx context.Context, accountID uuid.UUID) ([]Guardian, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT `+guardianColumns+`
		FROM guardian AS g
		WHERE g.id IN (
			SELECT id
			FROM guardian
			WHERE account_id = @account_id
			UNION ALL
			SELECT m.guardian_id
			FROM guardian_member AS m
			JOIN guardian AS o ON o.id = m.guardian_id AND o.kind = 'organisation'
			WHERE m.account_id = @account_id
			  AND m.valid_from <= @on
			  AND (m.valid_until IS NULL OR m.valid_until >= @on)
		)
		ORDER BY kind <> 'person', last_name, id`,
		pgx.NamedArgs{"account_id": accountID, "on": s.today()})
	if err != nil {
		return nil, fmt.Errorf("reading for whom account %s acts: %w", accountID, err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Guardian])
}

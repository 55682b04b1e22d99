package account

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// OpenAtCounter opens an account that rests on a mobile number for a guardian who stands before staff, and returns the
// code with which the guardian chooses its password. It returns Invalid for what is no number, and Conflict
// "account.phone_taken" or "household.signs_in": staff may know.
func (s *Store) OpenAtCounter(ctx context.Context, families *household.Store, actor audit.Actor, guardianID uuid.UUID, phone string) (household.Code, error) {
	var p problem.Fields
	phone = number(&p, phone)
	if err := p.Err(); err != nil {
		return household.Code{}, err
	}
	g, err := families.Guardian(ctx, guardianID)
	if err != nil {
		return household.Code{}, err
	}
	var c household.Code
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		a, err := s.insertByPhone(ctx, tx, g.Name(), phone, "", Locales[0])
		if err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, actor, "account.created", "account", a.ID.String(), map[string]any{"by": "phone"}); err != nil {
			return err
		}
		if err := families.AttachAtCounter(ctx, tx, actor, a.ID, guardianID); err != nil {
			return err
		}
		c, err = families.IssueReset(ctx, tx, actor, guardianID)
		return err
	})
	return c, err
}

// IssueReset makes the code with which a guardian without e-mail address chooses a new password: staff hand it over or
// post it. It returns Conflict "account.reset_by_mail" for who has an address, to which a link goes, or a role, whose
// office an agent must not enter; Conflict "household.nobody_signs_in" when the guardian has no account.
func (s *Store) IssueReset(ctx context.Context, families *household.Store, actor audit.Actor, guardianID uuid.UUID) (household.Code, error) {
	var c household.Code
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var eligible bool
		err := tx.QueryRow(ctx, `
			SELECT a.email IS NULL AND cardinality(a.roles) = 0
			FROM guardian AS g
			JOIN account AS a ON a.id = g.account_id
			WHERE g.id = @id
			FOR NO KEY UPDATE OF a`,
			pgx.NamedArgs{"id": guardianID}).Scan(&eligible)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return problem.Conflict("household.nobody_signs_in")
		case err != nil:
			return fmt.Errorf("reading the account of guardian %s: %w", guardianID, err)
		case !eligible:
			return problem.Conflict("account.reset_by_mail")
		}
		c, err = families.IssueReset(ctx, tx, actor, guardianID)
		return err
	})
	return c, err
}

// ResetByCode sets a new password by a number and the code that staff gave. It returns Invalid with every faulty input;
// a code of another person is as wrong as any other; Conflict "household.code_locked" with minutes after too many.
func (s *Store) ResetByCode(ctx context.Context, families *household.Store, phone, typed, password, remoteAddr string) error {
	var p problem.Fields
	phone = number(&p, phone)
	if code, args := weakness(password, phone); code != "" {
		p.Add("password", code, args...)
	}
	if err := p.Err(); err != nil {
		return err
	}
	if err := families.Try(ctx, phone, remoteAddr); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		c, g, err := families.CodeTyped(ctx, tx, household.CodeReset, typed)
		if err != nil {
			return err
		}
		// Read again: an account that was given a role or an address since is not the agent's to open.
		var id uuid.UUID
		err = tx.QueryRow(ctx, `
			SELECT id
			FROM account
			WHERE id = @id
			  AND phone = @phone
			  AND email IS NULL
			  AND cardinality(roles) = 0
			FOR NO KEY UPDATE`,
			pgx.NamedArgs{"id": g.AccountID, "phone": phone}).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return household.ErrWrongCode()
		}
		if err != nil {
			return fmt.Errorf("looking for an account: %w", err)
		}
		if err := s.replacePassword(ctx, tx, id, password, hash); err != nil {
			return err
		}
		return families.Used(ctx, tx, id, c, g, phone)
	})
}

package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/problem"
)

// Invite gives someone roles: it makes the account when the address has none, and adds the roles to those of the
// account that it has. Whoever never chose a password is mailed a link to do so, and token is what that link carries;
// it is "" for who has a password. The roles must not be empty. It returns Invalid with every faulty input.
func (s *Store) Invite(ctx context.Context, actor audit.Actor, v Draft) (a Account, token string, err error) {
	var p problem.Fields
	v.Email = email(&p, v.Email)
	v.Roles = roles(&p, v.Roles)
	if len(v.Roles) == 0 && p.Err() == nil {
		p.Add("roles", "account.role_needed")
	}
	if err := p.Err(); err != nil {
		name(&p, v.Name)
		return a, "", p.Err()
	}
	a, err = s.ByEmail(ctx, v.Email)
	switch {
	case problem.Is(err, problem.KindNotFound):
		v.Password, v.Confirmed = "", false // the mail proves the address
		if a, err = s.Create(ctx, actor, v); err != nil {
			return a, "", err
		}
	case err != nil:
		return a, "", err
	default:
		a.Roles = roles(&p, slices.Concat(a.Roles, v.Roles))
		if err := s.SetRoles(ctx, actor, a.ID, a.Roles); err != nil {
			return a, "", err
		}
	}
	token, err = s.PasswordLink(ctx, actor, a.ID)
	return a, token, err
}

// PasswordLink mails the link to choose a first password to an account that has none, and returns the token that the
// link carries; "" when the account has a password: its owner asks for a link on the sign-in page. It returns NotFound
// for an account that does not exist.
func (s *Store) PasswordLink(ctx context.Context, actor audit.Actor, id uuid.UUID) (token string, err error) {
	err = s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		token = ""
		var hash string
		err := tx.QueryRow(ctx, `
			SELECT password_hash
			FROM account
			WHERE id = @id
			FOR NO KEY UPDATE`,
			pgx.NamedArgs{"id": id}).Scan(&hash)
		if errors.Is(err, pgx.ErrNoRows) {
			return problem.NotFound("account.not_found")
		}
		if err != nil {
			return fmt.Errorf("reading account %s: %w", id, err)
		}
		if hash != "" {
			return nil
		}
		if err := s.sendCode(ctx, tx, id, PurposeReset); err != nil {
			return err
		}
		var code uuid.UUID
		err = tx.QueryRow(ctx, `
			SELECT id
			FROM account_code
			WHERE account_id = @id
			  AND purpose = 'reset'
			  AND used_at IS NULL
			  AND expires_at > @now`,
			pgx.NamedArgs{"id": id, "now": s.Now()}).Scan(&code)
		if err != nil {
			return fmt.Errorf("reading the code of account %s: %w", id, err)
		}
		token = s.token(PurposeReset, code)
		return audit.Record(ctx, tx, actor, "account.invited", "account", id.String(), nil)
	})
	return token, err
}

// Package account holds who may sign in: accounts with their roles, passwords, mailed codes and sessions.
package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/audit"
	"ribambelle/internal/civil"
	"ribambelle/internal/db"
	"ribambelle/internal/job"
	"ribambelle/internal/problem"
	"ribambelle/internal/seal"
)

// The roles of staff and leaders; a parent has none. "account.role.<role>" is the key of a name.
const (
	RoleAgent         = "agent"
	RoleFinance       = "finance"
	RoleLeader        = "leader"
	RoleCoordinator   = "coordinator"
	RoleOrganiser     = "organiser"
	RoleAdministrator = "administrator"
	RoleSocial        = "social" // sees and grants accorded tariffs and covers
)

// Roles lists every role in the order in which screens show them.
var Roles = []string{RoleAgent, RoleFinance, RoleLeader, RoleCoordinator, RoleOrganiser, RoleAdministrator, RoleSocial}

// Locales are the languages in which an account can be written to.
var Locales = []string{"fr", "nl", "de", "en"}

// Account is a person who can sign in. It never carries the password's hash.
type Account struct {
	ID          uuid.UUID
	Email       string // "" for an account that rests on a mobile number
	Phone       string // E.164, to sign in by; "" for none
	Name        string
	Roles       []string
	Locale      string
	ConfirmedAt *time.Time // nil until the e-mail address is proved
}

// Identifier is what its owner signs in with: the e-mail address, or the number where there is none.
func (a Account) Identifier() string { return cmp.Or(a.Email, a.Phone) }

// Is reports whether the account has a role.
func (a Account) Is(role string) bool { return slices.Contains(a.Roles, role) }

// Staff reports whether the account may enter the office: any role but leader and coordinator, who work on the phone.
func (a Account) Staff() bool {
	return slices.ContainsFunc(a.Roles, func(r string) bool { return r != RoleLeader && r != RoleCoordinator })
}

// Store reads and writes accounts, their codes and sessions. It is safe for concurrent use.
type Store struct {
	DB     *db.DB
	Now    civil.Clock
	Box    *seal.Box
	Jobs   job.Inserter
	hasher *hasher
	floor  time.Duration // see level
}

// New returns a store on d.
func New(d *db.DB, now civil.Clock, box *seal.Box, jobs job.Inserter) *Store {
	return &Store{DB: d, Now: now, Box: box, Jobs: jobs, hasher: newHasher(strong), floor: 250 * time.Millisecond}
}

// level waits until floor has passed since start. What answers the same for a known and an unknown e-mail address must
// also take the same time, and the statements in between do not.
func (s *Store) level(ctx context.Context, start time.Time) {
	timer := time.NewTimer(s.floor - time.Since(start))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Bounds, in characters.
const (
	maxName   = 100
	maxEmail  = 254 // RFC 5321 4.5.3.1.3
	maxDevice = 200
)

// SignUp is what someone fills in to open an account.
type SignUp struct {
	Email    string
	Name     string
	Password string
	Locale   string // empty is fr
}

func (v *SignUp) validate() error {
	var p problem.Fields
	v.Name = name(&p, v.Name) // in the order of the form
	v.Email = email(&p, v.Email)
	v.Locale = language(&p, v.Locale)
	if code, args := weakness(v.Password, v.Email); code != "" {
		p.Add("password", code, args...)
	}
	return p.Err()
}

func email(p *problem.Fields, v string) string {
	v = strings.TrimSpace(v)
	a, err := mail.ParseAddress(v)
	_, host, _ := strings.Cut(v, "@")
	switch {
	case v == "":
		p.Add("email", "account.email_required")
	case err != nil || a.Address != v || a.Name != "" || len(v) > maxEmail || !strings.Contains(host, ".") || !ascii(v):
		p.Add("email", "account.email_invalid")
	}
	return v
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

func name(p *problem.Fields, v string) string {
	v = strings.Join(strings.Fields(v), " ")
	switch {
	case v == "":
		p.Add("name", "account.name_required")
	case utf8.RuneCountInString(v) > maxName:
		p.Add("name", "account.name_long", maxName)
	case strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsPrint(r) }):
		p.Add("name", "account.name_unreadable")
	}
	return v
}

func language(p *problem.Fields, v string) string {
	if v == "" {
		v = Locales[0]
	}
	if !slices.Contains(Locales, v) {
		p.Add("locale", "account.locale_unknown")
	}
	return v
}

// SignUp opens an account and mails a code that proves the address. The answer is the same, and takes the same time,
// when the address is known: its owner then gets a mail that says so. An account that was never confirmed
// and holds nothing is taken over, and its older codes die with it. It returns Invalid with every faulty input.
func (s *Store) SignUp(ctx context.Context, v SignUp) error {
	if err := v.validate(); err != nil {
		return err
	}
	defer s.level(ctx, time.Now())
	hash, err := s.hasher.hash(ctx, v.Password)
	if err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		if wanted, err := s.mailAllowed(ctx, tx, v.Email); err != nil || !wanted {
			return err
		}
		var id uuid.UUID
		err := tx.QueryRow(ctx, `
			INSERT INTO account AS a (email, name, password_hash, locale, created_at)
			VALUES (@email, @name, @hash, @locale, @now)
			ON CONFLICT (lower(email)) DO UPDATE
			SET email = excluded.email,
			    name = excluded.name,
			    password_hash = excluded.password_hash,
			    locale = excluded.locale
			WHERE a.confirmed_at IS NULL
			  AND cardinality(a.roles) = 0
			  AND NOT EXISTS (SELECT 1 FROM guardian AS g WHERE g.account_id = a.id)
			RETURNING id`,
			pgx.NamedArgs{"email": v.Email, "name": v.Name, "hash": hash, "locale": v.Locale, "now": s.Now()}).Scan(&id)
		purpose := PurposeConfirm
		if errors.Is(err, pgx.ErrNoRows) {
			purpose = PurposeKnown
			err = tx.QueryRow(ctx, `SELECT id FROM account WHERE lower(email) = lower(@email)`, pgx.NamedArgs{"email": v.Email}).Scan(&id)
		}
		if err != nil {
			return fmt.Errorf("opening an account: %w", err)
		}
		return s.sendCode(ctx, tx, id, purpose)
	})
}

// Draft is an account that staff or a command make.
type Draft struct {
	Email     string
	Name      string
	Password  string // empty: nobody can sign in before a reset
	Locale    string // empty is fr
	Roles     []string
	Confirmed bool
}

// Create makes an account for someone else. It returns Invalid with every faulty input, and Conflict when the address
// has an account.
func (s *Store) Create(ctx context.Context, actor audit.Actor, v Draft) (Account, error) {
	var p problem.Fields
	v.Email, v.Name, v.Locale = email(&p, v.Email), name(&p, v.Name), language(&p, v.Locale)
	if code, args := weakness(v.Password, v.Email); code != "" && v.Password != "" {
		p.Add("password", code, args...)
	}
	v.Roles = roles(&p, v.Roles)
	if err := p.Err(); err != nil {
		return Account{}, err
	}
	hash := ""
	if v.Password != "" {
		var err error
		if hash, err = s.hasher.hash(ctx, v.Password); err != nil {
			return Account{}, err
		}
	}
	var a Account
	err := s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		rows, err := tx.Query(ctx, `
			INSERT INTO account (email, name, password_hash, roles, locale, confirmed_at, created_at)
			VALUES (@email, @name, @hash, @roles, @locale, CASE WHEN @confirmed THEN @now::timestamptz END, @now)
			RETURNING `+columns,
			pgx.NamedArgs{
				"email": v.Email, "name": v.Name, "hash": hash, "roles": v.Roles, "locale": v.Locale,
				"confirmed": v.Confirmed, "now": s.Now(),
			})
		if err != nil {
			return err
		}
		if a, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Account]); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "account.created", "account", a.ID.String(), map[string]any{"roles": v.Roles})
	})
	if db.Constraint(err) == "account_email" {
		return Account{}, problem.Conflict("account.email_taken")
	}
	if err != nil {
		return Account{}, fmt.Errorf("creating an account: %w", err)
	}
	return a, nil
}

// roles sorts the list, drops doubles, and refuses what is no role.
func roles(p *problem.Fields, list []string) []string {
	kept := make([]string, 0, len(list))
	for _, r := range Roles {
		if slices.Contains(list, r) {
			kept = append(kept, r)
		}
	}
	if slices.ContainsFunc(list, func(r string) bool { return !slices.Contains(Roles, r) }) {
		p.Add("roles", "account.role_unknown")
	}
	return kept
}

// SetRoles replaces the roles of an account. Its sessions end, since they were opened under other limits. The caller
// has checked that the actor may decide this.
func (s *Store) SetRoles(ctx context.Context, actor audit.Actor, id uuid.UUID, list []string) error {
	var p problem.Fields
	list = roles(&p, list)
	if err := p.Err(); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		var before []string
		err := tx.QueryRow(ctx, `SELECT roles FROM account WHERE id = @id FOR NO KEY UPDATE`, pgx.NamedArgs{"id": id}).Scan(&before)
		if errors.Is(err, pgx.ErrNoRows) {
			return problem.NotFound("account.not_found")
		}
		if err != nil {
			return fmt.Errorf("reading the roles of account %s: %w", id, err)
		}
		if slices.Equal(before, list) {
			return nil
		}
		if _, err := tx.Exec(ctx, `UPDATE account SET roles = @roles WHERE id = @id`, pgx.NamedArgs{"id": id, "roles": list}); err != nil {
			return fmt.Errorf("changing the roles of account %s: %w", id, err)
		}
		if _, err := endSessions(ctx, tx, id, nil); err != nil {
			return err
		}
		return audit.Record(ctx, tx, actor, "account.roles", "account", id.String(), map[string]any{"before": before, "after": list})
	})
}

const columns = `id, coalesce(email, '') AS email, coalesce(phone, '') AS phone, name, roles, locale, confirmed_at`

// Account returns an account by id, or NotFound.
func (s *Store) Account(ctx context.Context, id uuid.UUID) (Account, error) {
	return s.one(ctx, `id = @key`, id)
}

// ByEmail returns an account by its address, whatever the case of its letters, or NotFound. It is for staff and
// commands: a page open to all must not tell who has an account.
func (s *Store) ByEmail(ctx context.Context, email string) (Account, error) {
	return s.one(ctx, `lower(email) = lower(@key)`, strings.TrimSpace(email))
}

func (s *Store) one(ctx context.Context, where string, key any) (Account, error) {
	rows, err := s.DB.Query(ctx, `SELECT `+columns+` FROM account WHERE `+where, pgx.NamedArgs{"key": key})
	if err != nil {
		return Account{}, fmt.Errorf("reading an account: %w", err)
	}
	a, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Account])
	if errors.Is(err, pgx.ErrNoRows) {
		return Account{}, problem.NotFound("account.not_found")
	}
	if err != nil {
		return Account{}, fmt.Errorf("reading an account: %w", err)
	}
	return a, nil
}

// WithRole returns the accounts that have a role, by name.
func (s *Store) WithRole(ctx context.Context, role string) ([]Account, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT `+columns+`
		FROM account
		WHERE @role = ANY(roles)
		ORDER BY name, id`,
		pgx.NamedArgs{"role": role})
	if err != nil {
		return nil, fmt.Errorf("reading the accounts with a role: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Account])
}

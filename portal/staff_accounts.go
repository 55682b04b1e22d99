package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/account"
	"ribambelle/internal/problem"
	"ribambelle/portal/form"
	"ribambelle/portal/page"
)

// staffAccountsPage is everybody who works here, and the form that invites one more.
type staffAccountsPage struct {
	staffPage
	People []staffAccount
	Form   *form.Form
	Roles  []choice
}

// staffAccount is one person with roles.
type staffAccount struct {
	ID       uuid.UUID
	Name     string
	Email    string
	Roles    []string
	Password bool       // chosen
	SeenAt   *time.Time // last page asked for, while a session lasts
}

// staffAccountPage is one person whose roles may be changed.
type staffAccountPage struct {
	staffPage
	Person staffAccount
	Form   *form.Form
	Roles  []choice
	Self   bool
}

// accountsRoutes are the pages of the people who work here.
func (s *server) accountsRoutes() []route {
	const one = "/gestion/comptes/" + idPart
	return []route{
		{get, "/gestion/comptes", maySet, s.staffAccounts},
		{post, "/gestion/comptes", maySet, s.staffInvite},
		{get, one, maySet, s.staffAccount},
		{post, one, maySet, s.staffAccountSave},
		{post, one + "/inviter", maySet, s.staffInviteAgain},
	}
}

// staffAccounts lists the people who work here.
func (s *server) staffAccounts(w http.ResponseWriter, r *http.Request) error {
	p, err := s.accountsPage(r)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "staff/accounts", p)
}

func (s *server) accountsPage(r *http.Request) (*staffAccountsPage, error) {
	base, _, err := s.staff(r, s.locale(r).T("staff.accounts.title"), "/gestion/comptes")
	if err != nil {
		return nil, err
	}
	p := &staffAccountsPage{staffPage: base, Form: form.New(), Roles: base.roles()}
	p.People, err = s.staffPeople(r.Context(), nil)
	return p, err
}

// roles lists the roles with what each may do.
func (p staffPage) roles() []choice {
	list := make([]choice, len(account.Roles))
	for i, role := range account.Roles {
		list[i] = choice{Value: role, Text: p.L.T("account.role." + role), Hint: p.L.T("staff.role." + role)}
	}
	return list
}

// RoleNames writes the roles of one person.
func (p staffPage) RoleNames(roles []string) []string {
	names := make([]string, len(roles))
	for i, role := range roles {
		names[i] = p.L.T("account.role." + role)
	}
	return names
}

// staffPeople reads the people with a role, or the account of an id whatever its roles.
func (s *server) staffPeople(ctx context.Context, id *uuid.UUID) ([]staffAccount, error) {
	where := `cardinality(a.roles) > 0`
	if id != nil {
		where = `a.id = @id`
	}
	rows, err := s.DB.Query(ctx, `
		SELECT a.id, a.name, coalesce(a.email, a.phone) AS email, a.roles, a.password_hash <> '' AS password,
		  (SELECT max(u.seen_at) FROM user_session u WHERE u.account_id = a.id) AS seen_at
		FROM account a
		WHERE `+where+`
		ORDER BY a.name, a.id`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return nil, fmt.Errorf("reading the people of the office: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[staffAccount])
	if err != nil {
		return nil, fmt.Errorf("reading the people of the office: %w", err)
	}
	return list, nil
}

// staffInvite makes an account with roles, or adds the roles to one that a parent has, and mails the link to a first
// password.
func (s *server) staffInvite(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	if f.Text("email") == "" {
		f.Add("email", "account.email_required")
	}
	if f.Text("name") == "" {
		f.Add("name", "account.name_required")
	}
	flash := "flash.invited"
	if f.OK() {
		actor, _ := s.actorOf(r)
		_, token, err := s.Account.Invite(r.Context(), actor, account.Draft{Email: f.Text("email"), Name: f.Text("name"), Roles: f.All("roles")})
		if err := f.Take(err); err != nil {
			return err
		}
		if token == "" {
			flash = "flash.roles_added"
		}
	}
	if !f.OK() {
		p, err := s.accountsPage(r)
		if err != nil {
			return err
		}
		p.Form = f
		return s.refuse(w, r, "staff/accounts", f, p)
	}
	s.flash(w, flash)
	return seeOther(w, r, "/gestion/comptes")
}

// staffAccount shows one person.
func (s *server) staffAccount(w http.ResponseWriter, r *http.Request) error {
	p, err := s.accountPage(r)
	if err != nil {
		return err
	}
	p.Form.Set("roles", p.Person.Roles...)
	return s.render(w, r, http.StatusOK, "staff/account", p)
}

func (s *server) accountPage(r *http.Request) (*staffAccountPage, error) {
	id := pathID(r)
	people, err := s.staffPeople(r.Context(), &id)
	if err != nil {
		return nil, err
	}
	if len(people) == 0 {
		return nil, problem.NotFound("account.not_found")
	}
	base, _, err := s.staff(r, people[0].Name, "/gestion/comptes")
	if err != nil {
		return nil, err
	}
	p := &staffAccountPage{staffPage: base, Person: people[0], Form: form.New(), Roles: base.roles(), Self: s.signedIn(r).ID == id}
	p.Back = &page.Link{URL: "/gestion/comptes", Text: p.L.T("staff.accounts.title")}
	return p, nil
}

// staffAccountSave replaces the roles; without any, the person no longer enters the office. Nobody takes away the
// own administration: somebody always holds it.
func (s *server) staffAccountSave(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Read(r)
	if err != nil {
		return err
	}
	p, err := s.accountPage(r)
	if err != nil {
		return err
	}
	roles := f.All("roles")
	if f.Checked("none") {
		roles = nil
	}
	if p.Self && !slices.Contains(roles, account.RoleAdministrator) {
		f.Add("roles", "staff.accounts.own")
	}
	actor, _ := s.actorOf(r)
	if f.OK() {
		if err := f.Take(s.Account.SetRoles(r.Context(), actor, p.Person.ID, roles)); err != nil {
			return err
		}
	}
	if !f.OK() {
		p.Form = f
		return s.refuse(w, r, "staff/account", f, p)
	}
	if p.Self {
		s.flash(w, "flash.roles_own")
	} else {
		s.flash(w, "flash.roles_saved")
	}
	return seeOther(w, r, "/gestion/comptes")
}

// staffInviteAgain mails the link to a first password once more.
func (s *server) staffInviteAgain(w http.ResponseWriter, r *http.Request) error {
	actor, _ := s.actorOf(r)
	token, err := s.Account.PasswordLink(r.Context(), actor, pathID(r))
	if err != nil {
		return err
	}
	if token == "" {
		return problem.Conflict("staff.accounts.has_password")
	}
	s.flash(w, "flash.invited")
	return seeOther(w, r, "/gestion/comptes")
}

package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/problem"
)

type staffCommand struct {
	Add staffAddCommand `cmd:"" help:"Give someone roles in the office, and print the link to choose a first password."`
}

type staffAddCommand struct {
	Email string   `arg:"" help:"Address with which the person signs in."`
	Name  string   `required:"" help:"First and last name."`
	Role  []string `help:"What the person may do: agent, finance, leader, coordinator, organiser or administrator; may be repeated." default:"administrator"`
}

// Run makes the account, or adds the roles to the one that the address has. The link counts once and for two hours; a
// serving process with a mail server mails it too. Calling it again gives a new link until a password is chosen.
func (c staffAddCommand) Run(r *run) (err error) {
	a, err := openApp(r, options{level: slog.LevelWarn})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	made, token, err := a.account.Invite(r.ctx, audit.Command("staff add"), account.Draft{Email: c.Email, Name: c.Name, Roles: c.Role})
	if p := problem.As(err); p != nil && len(p.Fields) > 0 {
		var faults []string
		for _, f := range p.Fields {
			faults = append(faults, f.Name+" ("+f.Code+")")
		}
		return fmt.Errorf("this is refused: %s", strings.Join(faults, ", "))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(r.out, "%s may act as %s.\n", made.Email, strings.Join(made.Roles, ", "))
	if token == "" {
		fmt.Fprintf(r.out, "The account has a password already; a forgotten one is renewed on %s/mot-de-passe.\n", a.config.PublicURL)
		return nil
	}
	fmt.Fprintf(r.out, "Within two hours, choose the password here; the link counts once:\n\n  %s/mot-de-passe/nouveau?code=%s\n", a.config.PublicURL, url.QueryEscape(token))
	return nil
}

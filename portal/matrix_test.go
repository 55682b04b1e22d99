package portal

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/pay"
)

// cell is what one role's action does to a registration in one state: it brings it to another state, leaves a task to
// staff, changes something without moving it, or is refused with a status and a reason.
type cell struct {
	to     enrol.State
	asks   string // kind of the task
	status int    // of a refusal; 0 when the action is done
	code   string // the reason, a message key
}

func refused(status int, code string) cell { return cell{status: status, code: code} }

// action is one row of the table of actions.
type action struct {
	name  string
	roles string                                              // who may, whatever the state
	path  string                                              // of the form: {} is the registration
	form  func(m *matrix, row *matrixRow) []string            // its inputs
	after func(m *matrix, row *matrixRow)                     // what happens next outside, such as a bank's answer
	law   func(i enrol.Info, row *matrixRow, who string) cell // for those who may, drawn from the state table
}

var guardians = "registrant payer other"

// actions is the table: what people and the office do to a registration, and what the law says of each.
var actions = []action{
	{
		name: "accept", roles: "agent", path: "/gestion/inscriptions/{}/valider",
		law: func(i enrol.Info, _ *matrixRow, _ string) cell {
			if i.State == enrol.ToValidate {
				return cell{to: enrol.AwaitingPayment} // validated, and something is due
			}
			return refused(http.StatusConflict, "registration.not_to_decide")
		},
	},
	{
		name: "accept several", roles: "agent", path: "/gestion/inscriptions/valider",
		form: func(_ *matrix, row *matrixRow) []string { return []string{"id", row.id.String()} },
		law: func(i enrol.Info, _ *matrixRow, _ string) cell {
			if i.State == enrol.ToValidate {
				return cell{to: enrol.AwaitingPayment}
			}
			return refused(http.StatusConflict, "registration.not_to_decide")
		},
	},
	{name: "refuse", roles: "agent", path: "/gestion/inscriptions/{}/refuser", form: reasoned, law: leadsTo(enrol.Refused, "registration.no_such_move")},
	{name: "cancel", roles: "agent", path: "/gestion/inscriptions/{}/annuler", form: reasoned, law: leadsTo(enrol.Cancelled, "registration.no_such_move")},
	{
		name: "restore", roles: "agent", path: "/gestion/inscriptions/{}/reprendre", form: reasoned,
		law: func(i enrol.Info, row *matrixRow, _ string) cell {
			switch {
			case i.State == enrol.CampCancelled:
				return refused(http.StatusConflict, "registration.camp_gone")
			case i.Exit:
				return cell{to: row.before}
			case i.State == enrol.Confirmed:
				return refused(http.StatusConflict, "registration.paid_already")
			case i.State != enrol.ToValidate && slices.Contains(i.To, enrol.ToValidate) && i.State != enrol.Submitted && i.State != enrol.Offered:
				return cell{to: enrol.ToValidate}
			}
			return refused(http.StatusConflict, "registration.nothing_to_undo")
		},
	},
	{
		name: "record a payment", roles: "agent finance", path: "/gestion/inscriptions/{}/paiement",
		form: func(*matrix, *matrixRow) []string {
			return []string{"amount", "60,00", "source", "bank", "key", uuid.NewString()}
		},
		law: func(i enrol.Info, row *matrixRow, _ string) cell {
			switch {
			case !row.due:
				return refused(http.StatusNotFound, "ledger.due_not_found")
			case slices.Contains(i.To, enrol.Confirmed):
				return cell{to: enrol.Confirmed} // late money too: the place is still free
			case i.Exit:
				return cell{asks: "refund_due"}
			}
			return cell{asks: "over_paid"}
		},
	},
	{
		name: "move by staff", roles: "agent", path: "/gestion/inscriptions/{}/deplacer",
		form: func(m *matrix, row *matrixRow) []string {
			return append(m.toElsewhere(row), "reason", "Erreur de stage.")
		},
		law: leadsTo(enrol.Cancelled, "registration.over"),
	},
	{
		name: "withdraw", roles: guardians, path: "/mon-espace/inscriptions/{}/annuler", form: reasoned,
		law: func(i enrol.Info, row *matrixRow, who string) cell {
			switch {
			case !slices.Contains(i.To, enrol.Withdrawn):
				return refused(http.StatusConflict, "registration.over")
			case who != "payer" || row.paid:
				return cell{asks: "cancel_asked"}
			}
			return cell{to: enrol.Withdrawn}
		},
	},
	{
		name: "withdraw with a certificate", roles: guardians, path: "/mon-espace/inscriptions/{}/annuler",
		form: func(*matrix, *matrixRow) []string { return []string{"certificate", "oui", "reason", "Malade."} },
		law: func(i enrol.Info, _ *matrixRow, _ string) cell {
			if !slices.Contains(i.To, enrol.Withdrawn) {
				return refused(http.StatusConflict, "registration.over")
			}
			return cell{asks: "cancel_asked"}
		},
	},
	{name: "take the offer", roles: guardians, path: "/mon-espace/inscriptions/{}/place", form: inputs("reponse", "oui"), law: whenOffered(enrol.ToValidate)},
	{name: "decline the offer", roles: guardians, path: "/mon-espace/inscriptions/{}/place", form: inputs("reponse", "non"), law: whenOffered(enrol.Declined)},
	{
		name: "pay", roles: guardians, path: "/mon-espace/inscriptions/{}/paiement",
		after: func(m *matrix, row *matrixRow) { m.bankPays(row) },
		law: func(i enrol.Info, row *matrixRow, who string) cell {
			switch {
			case !row.due:
				return refused(http.StatusNotFound, "ledger.due_not_found")
			case who != "payer": // nobody sees another guardian's payments
				return refused(http.StatusNotFound, "registration.not_found")
			case i.State == enrol.AwaitingPayment:
				return cell{to: enrol.Confirmed}
			}
			return refused(http.StatusConflict, "payment.not_now")
		},
	},
	{
		name: "change the bus", roles: guardians, path: "/mon-espace/inscriptions/{}/bus",
		form: func(m *matrix, row *matrixRow) []string { return []string{"aller", m.otherStop(row)} },
		law: func(i enrol.Info, row *matrixRow, who string) cell {
			switch {
			case i.Exit || i.State == enrol.Completed:
				return refused(http.StatusUnprocessableEntity, "registration.over")
			case row.paid && who == "other":
				return cell{asks: "bus_asked"}
			}
			return cell{} // done, and nothing moves
		},
	},
	{
		name: "move", roles: guardians, path: "/mon-espace/inscriptions/{}/deplacer", form: (*matrix).toElsewhere,
		law: func(i enrol.Info, row *matrixRow, who string) cell {
			if slices.Contains(i.To, enrol.Withdrawn) && who == "payer" && !row.paid {
				return cell{to: enrol.Withdrawn} // and a new registration elsewhere
			}
			return refused(http.StatusUnprocessableEntity, "registration.move_by_staff")
		},
	},
	{
		name: "agree", roles: guardians, path: "/mon-espace/inscriptions/{}/accord",
		law: func(enrol.Info, *matrixRow, string) cell {
			return refused(http.StatusForbidden, "registration.consent_not_asked") // the commune does not ask
		},
	},
}

func inputs(pairs ...string) func(*matrix, *matrixRow) []string {
	return func(*matrix, *matrixRow) []string { return pairs }
}

var reasoned = inputs("reason", "Un motif.")

// leadsTo is the law of an action that brings wherever the state table lets it, and is refused elsewhere.
func leadsTo(to enrol.State, code string) func(enrol.Info, *matrixRow, string) cell {
	return func(i enrol.Info, _ *matrixRow, _ string) cell {
		if slices.Contains(i.To, to) && i.State != to {
			return cell{to: to}
		}
		return refused(http.StatusConflict, code)
	}
}

func whenOffered(to enrol.State) func(enrol.Info, *matrixRow, string) cell {
	return func(i enrol.Info, _ *matrixRow, _ string) cell {
		if i.State == enrol.Offered {
			return cell{to: to}
		}
		return refused(http.StatusGone, "registration.offer_over")
	}
}

// outsiders is what the law says of who may not act at all: the office hides from families and leaders and tells its own
// that the role lacks, and a child's registration does not exist for who has no right on the child.
func outsiders(a action, who string) cell {
	office := strings.HasPrefix(a.path, "/gestion/")
	switch {
	case office && (who == "finance" || who == "administrator" || who == "agent"):
		return refused(http.StatusForbidden, "staff.role_lacks")
	case office:
		return refused(http.StatusNotFound, "portal.error.not_found")
	}
	return refused(http.StatusNotFound, "registration.not_found")
}

// TestStateRoleAction: every state × every role × every action, through the real handlers: the cell does what the law
// says, or refuses with its reason; nothing else moves.
func TestStateRoleAction(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	roles := []string{"stranger", "leader", "administrator", "finance", "agent", "other", "registrant", "payer"}
	cells := 0
	for _, info := range enrol.States {
		row := m.reach(info.State, nil)
		for _, a := range actions {
			for _, who := range roles {
				want := outsiders(a, who)
				if slices.Contains(strings.Fields(a.roles), who) {
					want = a.law(info, row, who)
				}
				if !m.does(fmt.Sprintf("%s, %s: %s", info.State, who, a.name), row, a, m.people[who], want) {
					row = m.reach(info.State, row) // for the next cell
				}
				cells++
			}
		}
	}
	if want := len(enrol.States) * len(actions) * len(roles); cells != want {
		t.Errorf("%d cells, want %d", cells, want)
	}
}

// matrix is a commune with one person for each role.
type matrix struct {
	*bundle
	provider       *fakeProvider
	people         map[string]*browser
	mother, father household.Guardian
	grandmother    household.Guardian
	rivals         household.Guardian // another family
	agent          account.Account
	elsewhere      uuid.UUID // the camp to move to
	stops          []uuid.UUID
	rows           map[enrol.State]*matrixRow
}

// matrixRow is the registration that stands in one state, with its own child and camp.
type matrixRow struct {
	id, child, camp uuid.UUID
	rival           uuid.UUID   // another family's child, where the camp has one place
	before          enrol.State // where taking back its exit leads
	due, paid       bool
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{provider: &fakeProvider{payments: map[string]*pay.Payment{}}, people: map[string]*browser{}, rows: map[enrol.State]*matrixRow{}}
	m.bundle = setup(t, func(c *Config) { c.Enrol.Providers = []pay.Provider{m.provider} })
	m.exec(`INSERT INTO setting (key, value) VALUES ('cash.no_desk', 'oui')`) // the desk has a test of its own
	var a account.Account
	m.people["registrant"], _, m.mother = m.adult("registrant")
	m.people["payer"], _, m.father = m.adult("payer")
	m.people["other"], _, m.grandmother = m.adult("other")
	m.people["stranger"], _, m.rivals = m.adult("stranger")
	for _, role := range []string{"leader", "administrator", "finance", "agent"} {
		m.people[role], a, _ = m.adult(role, role)
	}
	m.agent = a
	m.elsewhere = m.camp(func(p *camp.Pulled) { p.Name, p.Max = "Ailleurs", nil })
	line := m.bus(m.elsewhere)
	m.exec(`UPDATE bus_line SET cents = 0`)
	m.exec(`UPDATE pool SET max = 1000 WHERE kind <> 'camp'`)
	for _, s := range line.Stops {
		m.stops = append(m.stops, s.ID)
	}
	for i, info := range enrol.States {
		row := &matrixRow{camp: m.camp(func(p *camp.Pulled) {
			p.Name, p.Max = string(info.State), nil
			if crowded(info.State) {
				one := 1
				p.Max = &one
			}
		})}
		if crowded(info.State) {
			row.rival = m.childOf(m.rivals, fmt.Sprintf("Rivale%c", 'a'+i))
		}
		if err := m.config.Transport.ServeCamp(context.Background(), audit.Command("test"), line.ID, row.camp); err != nil {
			t.Fatal(err)
		}
		row.child = m.childOf(m.mother, fmt.Sprintf("Enfant%c", 'a'+i))
		for _, g := range []household.Guardian{m.father, m.grandmother} {
			if err := m.config.Household.Grant(context.Background(), audit.Command("test"), g.ID, row.child, household.Grant{Basis: household.BasisParentalAuthority}); err != nil {
				t.Fatal(err)
			}
		}
		m.rows[info.State] = row
	}
	return m
}

// adult makes a signed-in person with details of their own: staff have children too.
func (m *matrix) adult(name string, roles ...string) (*browser, account.Account, household.Guardian) {
	m.t.Helper()
	w, a := m.person(name+"@example.be", name, roles...)
	g, err := m.config.Household.SaveGuardian(context.Background(), a.ID, household.GuardianForm{
		FirstName: name, LastName: "Adulte", Phone: "+32475123456", Street: "Rue du Moulin 3", Postcode: "7090", City: "Braine-le-Comte",
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return w, a, g
}

func (m *matrix) childOf(g household.Guardian, first string) uuid.UUID {
	m.t.Helper()
	c, err := m.config.Household.AddChild(context.Background(), g.ID, household.ChildForm{
		Key: uuid.New(), FirstName: first, LastName: "Matrice", BirthDate: civil.NewDate(2018, 3, 14), Level: "P3",
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return c.ID
}

// crowded are the states that a camp with one place leads to.
func crowded(s enrol.State) bool {
	return s == enrol.Waitlisted || s == enrol.Offered || s == enrol.Declined
}

// toElsewhere is the form that moves a child to the other camp.
func (m *matrix) toElsewhere(*matrixRow) []string {
	return []string{"stage", m.elsewhere.String(), "key", uuid.NewString(), "aller", "", "retour", ""}
}

// otherStop is a stop that the registration does not have yet.
func (m *matrix) otherStop(row *matrixRow) string {
	n := m.count(`SELECT count(*) FROM registration WHERE id = $1 AND stop_out_id = $2`, row.id, m.stops[0])
	return m.stops[n].String()
}

// bankPays lets the bank of a payer answer: every payment that is open is paid.
func (m *matrix) bankPays(row *matrixRow) {
	m.t.Helper()
	m.provider.set(pay.StatusPaid)
	var id uuid.UUID
	err := m.db.QueryRow(context.Background(), `
		SELECT p.id
		FROM payment p
		JOIN due d ON d.id = p.due_id
		WHERE d.registration_id = $1
		ORDER BY p.created_at DESC
		LIMIT 1`, row.id).Scan(&id)
	if err == nil {
		_, err = m.config.Enrol.CheckPayment(context.Background(), id)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

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
	"ribambelle/internal/audit"
	"ribambelle/internal/locale"
	"ribambelle/internal/problem"
	"ribambelle/portal/page"
)

// What the roles of the office may do beside looking (docs/roles: the agent answers families, the finance officer sees
// to money, the organiser to camps, the administrator to settings and the machine).
var (
	maySee      = office("agent", "finance", "organiser", "administrator", "social")
	mayDecide   = office("agent")
	mayCash     = office("agent", "finance")
	mayOrganise = office("agent", "organiser", "administrator")
	maySet      = office("administrator")
)

// office is the access of people of the office who have at least one of the roles. For anybody else the office does
// not exist.
func office(roles ...string) access {
	return func(s *server, a *account.Account) error {
		switch {
		case !a.Staff():
			return problem.NotFound("portal.error.not_found")
		case slices.ContainsFunc(roles, a.Is):
			return nil
		}
		return problem.Forbidden("staff.role_lacks")
	}
}

// can reports whether the person who asks has an access, to show or hide what leads there.
func (s *server) can(r *http.Request, may access) bool {
	a := s.signedIn(r)
	return a != nil && may(s, a) == nil
}

// staffRoutes are the pages of the office under /gestion/.
func (s *server) staffRoutes() []route {
	const (
		registration = "/gestion/inscriptions/" + idPart
		camp         = "/gestion/stages/" + idPart
	)
	desk := []route{
		{get, staffAttestationPath, mayAttest, s.staffAttestation},
		{post, staffAttestationPath + "/etablir", mayAttest, s.staffAttestationIssue},
		{get, staffAttestationPath + "/" + idPart + ".pdf", mayAttest, s.staffAttestationPDF},
		{get, staffAttestationPath + "/controle.xlsx", mayAttest, s.staffAttestationControl},
		{post, staffAttestationPath + "/belcotax", mayAttest, s.staffBelcotax},
		{get, staffAttestationPath + "/belcotax/" + idPart + ".xml", mayAttest, s.staffBelcotaxFile},
		{post, staffAttestationPath + "/belcotax/" + idPart + "/envoye", mayAttest, s.staffBelcotaxSent},
		{post, staffAttestationPath + "/maximum", mayAttest, s.staffMaximum},
		{post, staffAttestationPath + "/enfants/" + idPart + "/limite", mayAttest, s.staffLimit},
		{get, fundPath, mayAttest, s.staffFunds},
		{post, fundPath, mayAttest, s.staffFundAdd},
		{get, fundPath + "/" + idPart, mayAttest, s.staffFund},
		{post, fundPath + "/" + idPart, mayAttest, s.staffFundMatch},
		{post, fundPath + "/" + idPart + "/retirer", mayAttest, s.staffFundRetire},
		{get, "/gestion", maySee, s.staffHome},
		{get, "/gestion/", maySee, s.staffToday},
		{get, "/gestion/inscriptions", maySee, s.staffQueue},
		{get, "/gestion/inscriptions/valider", mayDecide, s.staffValidatePreview},
		{post, "/gestion/inscriptions/valider", mayDecide, s.staffValidateMany},
		{get, registration, maySee, s.staffRegistration},
		{get, registration + "/valider", mayDecide, s.staffValidateForm},
		{post, registration + "/valider", mayDecide, s.staffValidate},
		{get, registration + "/reprendre", mayDecide, s.staffRestoreForm},
		{post, registration + "/reprendre", mayDecide, s.staffRestore},
		{get, registration + "/refuser", mayDecide, s.staffRefuseForm},
		{post, registration + "/refuser", mayDecide, s.staffRefuse},
		{get, registration + "/bus", mayDecide, s.staffBusRefuseForm},
		{post, registration + "/bus", mayDecide, s.staffBusRefuse},
		{post, registration + "/bus/accepter", mayDecide, s.staffBusAccept},
		{get, registration + "/annuler", mayDecide, s.staffCancelForm},
		{post, registration + "/annuler", mayDecide, s.staffCancel},
		{post, registration + "/paiement", mayCash, s.staffPayment},
		{get, "/gestion/factures/" + idPart + ".pdf", maySee, s.staffInvoice},
		{get, "/gestion/enfants/" + idPart, maySee, s.staffChild},
		{post, "/gestion/enfants/" + idPart + "/niveau", mayDecide, s.staffLevelVerify},
		{get, "/gestion/recherche", maySee, s.staffSearch},
		{get, "/gestion/taches", maySee, s.staffTasks},
		{post, "/gestion/taches/" + idPart + "/fait", mayCash, s.staffTaskDone},
		{get, "/gestion/stages", maySee, s.staffCamps},
		{get, camp, maySee, s.staffCamp},
		{get, camp + "/reglages", mayOrganise, s.staffCampSettings},
		{post, camp + "/reglages", mayOrganise, s.staffCampSettingsSave},
		{post, camp + "/animateurs", mayOrganise, s.staffLeaderAdd},
		{post, camp + "/animateurs/retirer", mayOrganise, s.staffLeaderRemove},
		{post, camp + "/bus", mayOrganise, s.staffLineServe},
		{post, camp + "/places", mayOrganise, s.staffPlaces},
		{get, camp + "/registre.xlsx", maySee, s.staffRegister},
		{get, "/gestion/reglages", maySet, s.staffSettings},
		{post, "/gestion/reglages", maySet, s.staffSettingsSave},
		{post, "/gestion/reglages/rappels/{code:[a-z0-9-]{1,60}}", maySet, s.staffRuleSave},
		{get, "/gestion/systeme", maySet, s.staffSystem},
		{post, "/gestion/systeme/travaux/{job:[0-9]{1,18}}/relancer", maySet, s.staffJobRetry},
		{post, "/gestion/courriels/" + idPart + "/renvoyer", office("agent", "finance", "administrator"), s.staffMailRetry},
	}
	return slices.Concat(desk, s.odooRoutes(), s.rulesRoutes(), s.seasonsRoutes(), s.busRoutes(), s.accountsRoutes(), s.moveRoutes(), s.counterRoutes(), s.tariffRoutes())
}

// staffHome leads to the address with its slash.
func (s *server) staffHome(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/gestion/", http.StatusMovedPermanently)
	return nil
}

// staffPage is the base of the office's pages.
type staffPage struct {
	page.Base
	Now time.Time
}

// staffWork is how much waits in each queue of the office.
type staffWork struct {
	ToDecide       int
	DecideSince    *time.Time
	Late           int
	LateSince      *time.Time
	Waiting        int
	WaitingSince   *time.Time
	Tasks          int
	TasksSince     *time.Time
	OdooRefusals   int
	OdooRefusedFor *time.Time
}

// queues counts what waits for the office, with the age of the oldest of each.
func (s *server) queues(ctx context.Context) (staffWork, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT
		  d.n AS to_decide, d.since AS decide_since,
		  l.n AS late, l.since AS late_since,
		  w.n AS waiting, w.since AS waiting_since,
		  t.n AS tasks, t.since AS tasks_since,
		  t.odoo AS odoo_refusals, t.odoo_since AS odoo_refused_for
		FROM (SELECT count(*)::int AS n, min(state_since) AS since FROM registration WHERE state IN ('submitted', 'to_validate')) d,
		  (SELECT count(*)::int AS n, min(due_at) AS since FROM registration WHERE state = 'awaiting_payment' AND due_at < @now) l,
		  (SELECT count(*)::int AS n, min(waiting_since) AS since FROM registration WHERE state = 'waitlisted') w,
		  (SELECT count(*)::int AS n, min(created_at) AS since,
		     (count(*) FILTER (WHERE kind LIKE 'odoo\_%'))::int AS odoo, min(created_at) FILTER (WHERE kind LIKE 'odoo\_%') AS odoo_since
		   FROM task WHERE done_at IS NULL) t`,
		pgx.NamedArgs{"now": s.Now()})
	if err != nil {
		return staffWork{}, fmt.Errorf("counting what waits: %w", err)
	}
	q, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[staffWork])
	if err != nil {
		return q, fmt.Errorf("counting what waits: %w", err)
	}
	return q, nil
}

// staff fills in what every page of the office shows; current is the address of the entry of the menu that is open.
func (s *server) staff(r *http.Request, title, current string) (staffPage, staffWork, error) {
	q, err := s.queues(r.Context())
	if err != nil {
		return staffPage{}, q, err
	}
	p := staffPage{Base: s.base(r, title), Now: s.Now()}
	p.Section, p.Wide, p.NoIndex = "staff", true, true
	p.Side, err = s.side(r, p.L, q, current)
	return p, q, err
}

// Age says in a few letters since when something waits: « 2 j », « 3 h », « moins d’une heure ».
func (p staffPage) Age(since time.Time) string { return staffAge(p.L, p.Now.Sub(since)) }

func staffAge(l *locale.Locale, d time.Duration) string {
	switch {
	case d >= 24*time.Hour:
		return l.N("staff.age_days", int(d.Hours()/24))
	case d >= time.Hour:
		return l.N("staff.age_hours", int(d.Hours()))
	}
	return l.T("staff.age_new")
}

// actorOf is the signed-in person as an actor of the audit; the route has made sure that there is one.
func (s *server) actorOf(r *http.Request) (audit.Actor, uuid.UUID) {
	id := s.signedIn(r).ID
	return audit.Account(id), id
}

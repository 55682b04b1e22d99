package portal

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/account"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
)

// errDetails sends a person who has not said who it is to the form that asks.
var errDetails = errors.New("details first")

// parent is who acts on a family's page: the account and the guardian that it signs in for.
type parent struct {
	account  account.Account
	guardian household.Guardian
}

// parent returns who acts; errDetails while the account has no guardian. The route has checked that someone is
// signed in.
func (s *server) parent(r *http.Request) (parent, error) {
	a, err := s.identify(r)
	if err != nil {
		return parent{}, err
	}
	if a == nil {
		return parent{}, errSignIn
	}
	g, err := s.acting(r, a.ID)
	if problem.Is(err, problem.KindNotFound) {
		return parent{}, errDetails
	}
	return parent{account: *a, guardian: g}, err
}

// unblocked returns NotFound with the code when a decision hides the child of a registration from the parent. It is for
// what belongs to the payer, whatever its rights on the child: invoices and payments.
func (s *server) unblocked(r *http.Request, g parent, registrationID uuid.UUID, code string) error {
	var blocked bool
	err := s.DB.QueryRow(r.Context(), `
		SELECT `+household.BlockedSQL("@guardian::uuid", "(SELECT r.child_id FROM registration AS r WHERE r.id = @registration)", "@today::date"),
		pgx.NamedArgs{"guardian": g.guardian.ID, "registration": registrationID, "today": s.today()}).Scan(&blocked)
	if err != nil {
		return fmt.Errorf("reading what hides registration %s: %w", registrationID, err)
	}
	if blocked {
		return problem.NotFound(code)
	}
	return nil
}

// toDetails sends a person to the form for its details, and back afterwards.
func (s *server) toDetails(w http.ResponseWriter, r *http.Request) {
	to := "/mon-espace/coordonnees"
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		to += "?suite=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// parentRoutes are the pages of families. Whoever is signed in may have a family, staff too.
func (s *server) parentRoutes() []route {
	const (
		space        = "/mon-espace/"
		child        = space + "enfants/" + idPart
		registration = space + "inscriptions/" + idPart
		refund       = refundPath + idPart
	)
	return []route{
		{get, attestationPath, anyone, s.attestationsShow},
		{get, attestationPath + "/" + idPart + ".pdf", anyone, s.attestationPDF},
		{get, attestationPath + "/" + idPart + "/formulaire/{form:" + uuidPattern + "}.pdf", anyone, s.attestationOnForm},
		{post, attestationPath + "/numero", anyone, s.attestationNumberSave},
		{post, attestationPath + "/mutuelle", anyone, s.attestationMutuelle},
		{post, attestationPath + "/enfants/" + idPart + "/limite", anyone, s.attestationLimit},

		{get, "/inscription-compte", nil, s.signUpNew},
		{post, "/inscription-compte", nil, s.signUpCreate},
		{get, "/inscription-compte/envoye", nil, s.signUpSent},
		{get, "/confirmation", nil, s.confirmShow},
		{post, "/confirmation", nil, s.confirmDo},
		{get, "/connexion", nil, s.signInNew},
		{post, "/connexion", nil, s.signInCreate},
		{post, "/deconnexion", nil, s.signOut},
		{get, "/mot-de-passe", nil, s.resetAsk},
		{post, "/mot-de-passe", nil, s.resetSend},
		{get, "/mot-de-passe/envoye", nil, s.resetSent},
		{get, "/mot-de-passe/nouveau", nil, s.resetNew},
		{post, "/mot-de-passe/nouveau", nil, s.resetDo},
		{get, "/mot-de-passe/code", nil, s.resetCodeNew},
		{post, "/mot-de-passe/code", nil, s.resetCodeDo},
		{get, "/activation", nil, s.activationNew},
		{post, "/activation", nil, s.activationDo},

		{get, "/mon-espace", anyone, s.dashboardMoved},
		{get, space, anyone, s.dashboard},
		{get, space + "compte", anyone, s.ownAccount},
		{post, space + "compte/mot-de-passe", anyone, s.ownPassword},
		{post, space + "compte/sessions/fin", anyone, s.ownSessionEnd},
		{post, space + "compte/sessions/autres", anyone, s.ownSessionsEnd},
		{get, space + "coordonnees", anyone, s.detailsEdit},
		{post, space + "coordonnees", anyone, s.detailsSave},
		{get, space + "enfants/nouveau", anyone, s.childNew},
		{post, space + "enfants/nouveau", anyone, s.childCreate},
		{get, child, anyone, s.childEdit},
		{post, child, anyone, s.childUpdate},
		{get, child + "/fiche-medicale", anyone, s.sheetEdit},
		{post, child + "/fiche-medicale", anyone, s.sheetSave},
		{post, child + "/fiche-medicale/confirmer", anyone, s.sheetConfirm},
		{get, child + "/fiche-medicale/lectures", anyone, s.sheetAccesses},

		{get, "/stages/" + idPart + "/inscription", anyone, s.heavy(s.registrationNew, nil)},
		{post, "/stages/" + idPart + "/inscription", anyone, s.heavy(s.registrationCreate, s.keepLines)},
		{get, space + "inscriptions", anyone, s.registrations},
		{get, registration, anyone, s.registrationShow},
		{get, registration + "/recue", anyone, s.registrationReceived},
		{get, registration + "/paiement", anyone, s.paymentShow},
		{post, registration + "/paiement", anyone, s.paymentStart},
		{get, space + "payer", anyone, s.payAllShow},
		{post, space + "payer", anyone, s.payAllStart},
		{get, space + "paiements/" + idPart, anyone, s.paymentAttempt},
		{post, space + "paiements/" + idPart + "/annuler", anyone, s.paymentCancel},
		{get, space + "paiements/" + idPart + "/retour", anyone, s.paymentReturn},
		{get, space + "paiements/" + idPart + "/etat", anyone, s.paymentStatus},
		{get, refund, anyone, s.refundShow},
		{post, refund + "/argent", anyone, s.refundMoney},
		{post, refund + "/stage", anyone, s.refundCamp},
		{post, MollieSignalPath, nil, s.mollieSignal},
		{post, BancontactSignalPath, nil, s.bancontactSignal},
		{get, bancontactKeysPath, nil, s.bancontactKeys},
		{get, space + "factures", anyone, s.invoices},
		{get, space + "factures/" + idPart, anyone, s.invoiceShow},
		{get, space + "factures/" + idPart + ".pdf", anyone, s.invoicePDF},
		{get, space + "notes-de-credit/" + idPart, anyone, s.creditShow},
		{get, space + "rappels/" + idPart, anyone, s.reminderShow},
		{get, space + "rappels/" + idPart + ".pdf", anyone, s.reminderPDF},
		{get, space + "contester/" + idPart, anyone, s.complaintShow},
		{post, space + "contester/" + idPart, anyone, s.complaintSend},
		{get, space + "notes-de-credit/" + idPart + ".pdf", anyone, s.creditPDF},
	}
}

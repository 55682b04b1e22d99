package notice

import (
	"net/url"

	"github.com/google/uuid"
)

// The pages of the portal to which mails lead.
const (
	pathSignIn  = "/connexion"
	pathConfirm = "/confirmation"
	pathReset   = "/mot-de-passe/nouveau"
	pathClaim   = "/activation"

	pathAttestations = "/mon-espace/attestations"
)

// withCode returns the address of a page that takes a mailed code.
func withCode(path, code string) string { return path + "?code=" + url.QueryEscape(code) }

// withLink returns the address of the page on which a family takes its place by a mailed link.
func withLink(link string) string { return pathClaim + "?lien=" + url.QueryEscape(link) }

// pathRegistration is the page of a registration, with its timeline and what the family can do.
func pathRegistration(id uuid.UUID) string { return "/mon-espace/inscriptions/" + id.String() }

// pathPay is the page on which a registration is paid.
func pathPay(id uuid.UUID) string { return pathRegistration(id) + "/paiement" }

// pathRefund is the page on which a payer chooses between money and another camp.
func pathRefund(id uuid.UUID) string { return "/mon-espace/remboursements/" + id.String() }

// pathInvoice is the page of an invoice, which says what the PDF says.
func pathInvoice(id uuid.UUID) string { return "/mon-espace/factures/" + id.String() }

// pathSheet is the medical sheet of a child, to read and confirm.
func pathSheet(childID uuid.UUID) string {
	return "/mon-espace/enfants/" + childID.String() + "/fiche-medicale"
}

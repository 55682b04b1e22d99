package bancontactprosim

import (
	"strings"

	"ribambelle/internal/civil"
)

// euros writes an amount for the simulator's pages.
func euros(c civil.Cents) string { return strings.Replace(c.Euros(), ".", ",", 1) + "\u00a0€" }

// typedEuros reads an amount as people type it: 12, 12,5 and 12.50; nothing is zero.
func typedEuros(s string) (civil.Cents, error) {
	s = strings.ReplaceAll(strings.TrimSpace(s), ",", ".")
	if s == "" {
		return 0, nil
	}
	whole, decimals, _ := strings.Cut(s, ".")
	if len(decimals) < 2 {
		decimals += strings.Repeat("0", 2-len(decimals))
	}
	return civil.ParseEuros(whole + "." + decimals)
}

func statusInFrench(status string) string {
	switch status {
	case "PENDING":
		return "à payer"
	case "IDENTIFIED":
		return "scanné"
	case "AUTHORIZED":
		return "confirmé, la banque réfléchit"
	case "SUCCEEDED":
		return "payé"
	case "CANCELLED":
		return "annulé"
	case "EXPIRED":
		return "expiré"
	case "FAILED":
		return "échoué"
	case "AUTHORIZATION_FAILED":
		return "refusé par la banque"
	}
	return status
}

func troubleInFrench(kind TroubleKind) string {
	switch kind {
	case TroubleCallbackLost:
		return "signal perdu"
	case TroubleCallbackDuplicate:
		return "signal envoyé deux fois"
	case TroubleCallbackLate:
		return "signal en retard (délai), après les suivants"
	case TroubleCallbackForged:
		return "faux signal « payé » à côté d’un nouveau paiement"
	case TroubleCallbackOtherPath:
		return "signal signé pour une autre adresse"
	case TroubleCallbackStale:
		return "signal signé il y a deux jours"
	case TroubleKeyRotated:
		return "clé de signature changée juste avant le signal"
	case TroubleKeysError:
		return "clés de signature : erreur 500"
	case TroubleCreateError:
		return "création : erreur 500, rien n’est créé"
	case TroubleCreateCut:
		return "création : créé, mais la réponse se perd"
	case TroubleCreatePaid:
		return "création : payé avant la réponse"
	case TroubleReadError:
		return "lecture : erreur 500"
	case TroubleCancelError:
		return "annulation : erreur 500"
	case TroubleOtherAmount:
		return "un autre montant est payé (montant)"
	case TroubleRefundError:
		return "remboursement : erreur 500, rien n’est rendu"
	case TroubleRefundCut:
		return "remboursement : fait, mais la réponse se perd"
	case TroubleRefundPoor:
		return "remboursement : pas assez d’argent chez le prestataire"
	case TroubleRefundFails:
		return "remboursement qui échoue ensuite"
	}
	return string(kind)
}

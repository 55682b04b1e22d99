package molliesim

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
	case "open":
		return "à payer"
	case "pending":
		return "en cours à la banque"
	case "paid":
		return "payé"
	case "canceled":
		return "annulé"
	case "expired":
		return "expiré"
	case "failed":
		return "échoué"
	}
	return status
}

func refundInFrench(status string) string {
	switch status {
	case "queued":
		return "attend de l’argent"
	case "pending":
		return "va être envoyé"
	case "processing":
		return "envoyé à la banque"
	case "refunded":
		return "remboursé"
	case "failed":
		return "refusé par la banque"
	case "canceled":
		return "annulé"
	}
	return status
}

// changeInFrench says what a webhook was about; its own payment's status, a refund's, or a chargeback.
func changeInFrench(change string) string {
	if status, ok := strings.CutPrefix(change, "refund "); ok {
		return "remboursement : " + refundInFrench(status)
	}
	switch change {
	case "chargeback":
		return "contesté : la banque a repris l’argent"
	case "chargeback reversed":
		return "contestation annulée : la banque a rendu l’argent"
	case "forged":
		return "faux signal, selon le scénario"
	}
	return statusInFrench(change)
}

func troubleInFrench(kind TroubleKind) string {
	switch kind {
	case TroubleWebhookLost:
		return "signal perdu"
	case TroubleWebhookDuplicate:
		return "signal envoyé deux fois"
	case TroubleWebhookLate:
		return "signal en retard (délai), après les suivants"
	case TroubleWebhookForged:
		return "faux signaux à côté d’un nouveau paiement"
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
	case TroubleNotCancelable:
		return "paiement qui ne s’annule pas"
	case TroubleOtherAmount:
		return "un autre montant est payé (montant)"
	case TroubleChargeback:
		return "contesté après paiement (délai, montant)"
	case TroubleRefundError:
		return "remboursement : erreur 500, rien n’est rendu"
	case TroubleRefundCut:
		return "remboursement : fait, mais la réponse se perd"
	case TroubleRefundFails:
		return "remboursement refusé plus tard par la banque (délai)"
	case TroubleRefundQueued:
		return "remboursement qui attend de l’argent"
	}
	return string(kind)
}

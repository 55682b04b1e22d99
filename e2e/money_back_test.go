package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"ribambelle/e2e/browser"
	"ribambelle/e2e/house"
	"ribambelle/internal/civil"
)

// payAll pays for both children at once, and holds that the provider has one payment more.
func (s *moneyStory) payAll(t *testing.T, registrations ...string) {
	t.Helper()
	before := said(t, s.h.PhoneBooks)
	s.mother.Goto("/mon-espace/inscriptions").Says("Un seul paiement suffit").Check()
	s.mother.Follow("Tout payer : 120,00 €").Says("Léa · "+s.last.Name, s.other+" · "+s.last.Name, "120,00 €")
	look(t, s.mother, "all")
	s.mother.Press("Payer avec Bancontact").Says("120,00 €", "Ce que ce paiement règle", "Léa", s.other)
	look(t, s.mother, "all-code")
	address := scan(t, s.mother, ".qr img")
	if !strings.HasPrefix(address, s.h.Bancontact+"/pay/2/") {
		t.Fatalf("the code leads to %s, not to the app at %s", address, s.h.Bancontact)
	}
	phone := s.b.Person(t, s.h.Portal, browser.Phone)
	phone.Goto(address).Says("120,00 €").Press("Payer 120,00 €").Says("Ce paiement est")
	s.mother.Comes("Validées")
	for _, registration := range registrations {
		s.mother.Goto(registration).Says("confirmée", "60,00 €").SaysNot("Payer 60,00 €")
	}
	if got, want := said(t, s.h.PhoneBooks), before+", succeeded 12000 0"; got != want {
		t.Errorf("the books of the app say %q, want %q", got, want)
	}
}

// What the father writes is for the commune alone; what the commune writes is for both.
const (
	fathersWish    = "Léa vient chez moi cette semaine-là, je préfère ne pas en parler."
	communesAnswer = "Demandé par un parent, décidé après un appel aux deux."
)

// cancelForOther has the father ask for the end of a place that the mother paid. Who both decides and pays back keeps half
// of the price, as the regulation says, and sends the rest to her by the payment with which it came.
func (s *moneyStory) cancelForOther(t *testing.T, registration string) {
	t.Helper()
	s.father.Goto(registration).Follow("Annuler cette inscription").Says("Le service décide", "Une autre personne paie").SaysNot("€")
	look(t, s.father, "ask")
	s.father.Fill("Pourquoi ?", fathersWish).Press("Demander l'annulation").Says("transmise au service").Check()
	mail, err := s.h.WaitMail(t.Context(), s.who.Email, "Annulation demandée")
	if err != nil {
		t.Fatal(err)
	}
	if text := mail.Text + mail.HTML; !strings.Contains(text, "Léa") || strings.Contains(text, fathersWish) || strings.Contains(text, "Karim") {
		t.Errorf("the mother is told:\n%s", mail.Text)
	}
	s.mother.Goto(registration).Says("Une annulation est demandée").SaysNot(fathersWish).Check()

	s.agent.Goto(staffAddress(registration) + "/annuler").Says("Le remboursement devient une tâche").SaysNot("Rembourser maintenant").Check()
	s.officer.Goto("/gestion/taches").Says("Annulation demandée par la famille", fathersWish).Check()
	s.officer.FollowIn(fathersWish, "Léa Benali").Follow("Accepter l'annulation")
	s.officer.Says(fathersWish, "Sophie Lambert a payé 60,00 €", "par paiement en ligne, retour par le même paiement", "50 % du prix : 30,00 €")
	look(t, s.officer, "decide")
	s.officer.Fill("Frais retenus", "30,01").Fill("Raison", communesAnswer).Refused("Annuler l'inscription").Says("au plus 30,00 €")
	look(t, s.officer, "decide-refused")
	s.officer.Fill("Frais retenus", "30").Says("Rembourser maintenant").Press("Annuler l'inscription").Says("L'inscription est annulée")
	look(t, s.officer, "decided")

	eventually(t, "the provider gives half back", func() string { return said(t, s.h.Books) }, "paid 6000 3000")
	s.mother.Goto(registration).Until("Remboursé le").Says("annulée par le service", communesAnswer, "Frais : 30,00 €", "Déjà payé : 30,00 €", "par le moyen avec lequel vous avez payé").SaysNot(fathersWish)
	look(t, s.mother, "refunded")
	if _, err := s.h.WaitMail(t.Context(), s.who.Email, "Remboursement effectué : 30,00"); err != nil {
		t.Error(err)
	}
	s.father.Goto(registration).Says("annulée par le service", communesAnswer).SaysNot("€", "Sophie Lambert a payé")
	look(t, s.father, "ended-other")
	s.officer.Goto(staffAddress(registration)).Until("rendu").Says("Frais d'annulation")
	look(t, s.officer, "refund-office")
}

// eventually waits until what is read is what is wanted.
func eventually(t *testing.T, what string, read func() string, want string) {
	t.Helper()
	err := house.Eventually(t.Context(), func(ctx) error {
		if got := read(); got != want {
			return fmt.Errorf("%s: it reads %q, want %q", what, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// cancelDays gives up two days of a camp, one after the other: the first time the mother takes another camp for her
// money, the second time the money.
func (s *moneyStory) cancelDays(t *testing.T, paid, unpaid string) {
	t.Helper()
	before := said(t, s.h.PhoneBooks)
	if !strings.Contains(before, "succeeded 6000 0") {
		t.Fatalf("the books of the app say %q", before)
	}
	day := s.cancelDay(t, "Le moniteur est malade ce jour-là.", "day")
	s.mother.Goto(paid).Says("à choisir", day)
	look(t, s.mother, "choice-waits")
	s.mother.FollowIn("à choisir", "Choisir").Says(day, "Le moniteur est malade ce jour-là.", "Le rembourser", "L'utiliser pour un autre stage")
	look(t, s.mother, "choice")
	s.mother.Resize(browser.Phone)
	look(t, s.mother, "choice-phone")
	s.mother.Resize(browser.Desktop)
	s.mother.Refused("Payer cette inscription").Says("Choisissez une inscription").Check()
	s.mother.Choose("Quelle inscription", s.other+" · "+s.next.Name).Press("Payer cette inscription").Says("l'autre stage est payé avec ce montant", "pour un autre stage")
	look(t, s.mother, "chosen-camp")
	s.mother.Goto(unpaid).Says("Déjà payé : "+day, "à payer")
	look(t, s.mother, "credited")

	day = s.cancelDay(t, "La salle est inondée.", "day-2")
	s.mother.Goto(paid).FollowIn("à choisir", "Choisir").Says(day, "La salle est inondée.").Press("Demander le remboursement").Says("l'argent vous sera remboursé").Check()
	cents := cents(t, day)
	eventually(t, "the app gives the day back", func() string { return said(t, s.h.PhoneBooks) }, strings.Replace(before, "succeeded 6000 0", fmt.Sprintf("succeeded 6000 %d", cents), 1))
	// The app's provider tells no outcome by itself: it is asked within the hour.
	s.mother.Goto(paid).Until("L'argent est parti").Says("confirmée", "Jours annulés par la commune")
	look(t, s.mother, "day-back")
}

// cancelDay gives up the first day that is left of the camp, and returns what the family that paid gets back: the day's
// part of the price.
func (s *moneyStory) cancelDay(t *testing.T, reason, picture string) string {
	t.Helper()
	c := s.chief
	s.visitCamp(t, c, s.next)
	c.Follow("Annuler le stage ou des journées").Says("Que faut-il annuler").Check()
	days := browser.Value[[]string](c, `Array.from(document.querySelectorAll("input[name=session]")).map(function (i) { return i.labels[0].textContent.trim(); })`)
	if len(days) < 2 {
		c.Fatalf("the camp has the days %q", days)
	}
	c.Choose("Que faut-il annuler", "Certaines journées").Refused("Voir ce que chaque famille reçoit").Check()
	c.Choose("Lesquelles", days[0]).Press("Voir ce que chaque famille reçoit").Says("2 inscriptions concernées", "Léa", s.other, "Sophie Lambert")
	look(t, c, picture+"-preview")
	back := strings.Replace(civil.Cents(6000/(len(days)+s.givenUp)).Euros(), ".", ",", 1) + " €"
	s.givenUp++
	c.Says(back).Refused("Annuler 1 journée").Check()
	c.Fill("Raison", reason).Press("Annuler 1 journée").Says("L'annulation est faite", back+" reviennent aux familles", "1 payeur doit encore choisir")
	look(t, c, picture+"-ended")
	if _, err := s.h.WaitMail(t.Context(), s.who.Email, strings.TrimSuffix(back, " €")); err != nil {
		t.Error(err)
	}
	return back
}

// visitCamp opens a camp in the office.
func (s *moneyStory) visitCamp(t *testing.T, p *browser.Page, e event) {
	t.Helper()
	at := s.mother.Goto("/").Link(e.Name)
	p.Goto("/gestion/stages/" + camp.FindStringSubmatch(at)[1])
}

// cents reads an amount as the pages write it.
func cents(t *testing.T, euros string) int64 {
	t.Helper()
	var whole, part int64
	if _, err := fmt.Sscanf(euros, "%d,%d €", &whole, &part); err != nil {
		t.Fatalf("the amount %q: %v", euros, err)
	}
	return whole*100 + part
}

// desk opens the day of the cash desk, takes in notes what is left to pay of a registration, closes without a
// difference and brings the notes to the bank.
func (s *moneyStory) desk(t *testing.T, registration string) {
	t.Helper()
	o := s.officer
	o.Goto("/gestion/caisse").Fill("Fond de caisse", "50").Press("Ouvrir la caisse").Says("ouverte le")
	look(t, o, "desk-open")
	o.Goto(staffAddress(registration)).Unfold("Noter un paiement reçu")
	owed := browser.Value[string](o, `document.querySelector("input[name=amount]").value`)
	o.Choose("Reçu par", "espèces").Press("Noter le paiement").Says("Le paiement est noté")
	look(t, o, "cash-taken")
	s.mother.Goto(registration).Says("confirmée").Check()

	o.Goto("/gestion/caisse").Follow("Voir et fermer").Says("Sophie Lambert", s.other, owed+" €")
	counted := cents(t, owed+" €") + 5000
	o.Fill("Compté dans le tiroir", fmt.Sprintf("%d,%02d", counted/100-1, counted%100)).Fill("Reste dans le tiroir", "50").Refused("Fermer la journée")
	look(t, o, "desk-differs")
	o.Fill("Compté dans le tiroir", fmt.Sprintf("%d,%02d", counted/100, counted%100)).Press("Fermer la journée").Says("fermée le")
	look(t, o, "desk-closed")
	kind, name, book := o.Download(o.Path() + ".xlsx")
	if !strings.Contains(kind, "spreadsheet") || filepath.Ext(strings.Trim(name, `"`)) != ".xlsx" || len(book) < 2000 {
		t.Errorf("the day's sheet is a %s (%s) of %d bytes", kind, name, len(book))
	}
	o.Goto("/gestion/caisse").Says("Porter l'argent à la banque", owed).Press("Noter le versement").Says("Le versement est noté", owed, "pas encore sur un extrait")
	look(t, o, "desk-brought")
}

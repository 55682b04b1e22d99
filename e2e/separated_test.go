package e2e

import (
	"fmt"
	"html"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"ribambelle/e2e/browser"
	"ribambelle/e2e/house"
	"ribambelle/internal/civil"
)

// separated is a child of the demo's mother, made for this journey alone, and its father, who is new.
type separated struct {
	Child, ChildLast string
	First, Last      string
	Email, Password  string
}

// Name is the child's whole name.
func (s separated) Name() string { return s.Child + " " + s.ChildLast }

// What the mother has that the father must not read, in every way in which a page might write it.
var motherOnly = []string{
	"Rue des Tilleuls 8", "475 00 00 01", "475000001", "sophie.lambert@famille.example",
}

// What each says about the end of the place; the father's words are for the commune, the commune's for both.
const (
	fathersWords   = "Nous partons au lac cette semaine-là, ne le lui dites pas."
	communesReason = "Annulé à la demande d'un des parents ; le service a parlé aux deux."
)

// TestSeparated follows a child of separated parents on phones: the mother lets the father in with a code and pays, the
// father asks to cancel, the office decides, and a judge's decision then hides the child from him on every page.
func TestSeparated(t *testing.T) {
	t.Parallel()
	h := own(t, nil) // the story adds to the family that the other journeys use
	people, err := h.People()
	if err != nil {
		t.Fatal(err)
	}
	b := browser.Open(t)
	e := makeEvent(t, h.Odoo)
	command(t, h, nil, "sync", "--json")
	last := strings.ToUpper(e.Key[:1]) + e.Key[1:]
	f := separated{
		Child: "Noé", ChildLast: "Lambert-" + last, First: "Marc", Last: "Dujardin-" + last,
		Email: "pere." + e.Key + "@famille.example", Password: sentence + " " + e.Key,
	}
	who := person(t, people, "Parent de Léa")
	mother := signIn(t, b, h, who, browser.Phone)
	agent := signIn(t, b, h, person(t, people, "Agent"), browser.Phone)
	father := b.Person(t, h.Portal, browser.Phone)

	code := f.invite(t, mother)
	f.signUp(t, h, father)
	f.enter(t, father, code)
	mother.Goto("/mon-espace/famille").Says("Utilisé par " + f.First + " " + f.Last).Check()

	registration, communication := f.registerAndPay(t, mother, agent, father, e)
	invoice := f.invoice(t, h, mother, who)
	places := []string{registration, registration + "/annuler", registration + "/deplacer", registration + "/bus"}
	f.readsNothingOfHers(t, father, communication, invoice)

	f.askToCancel(t, father, mother, registration)
	f.decide(t, h, agent, mother, father, who, registration)

	f.block(t, agent, father, append(places, invoice, registration+"/paiement"))
	mother.Goto(registration).Says(f.Child, "annulée par le service").Check()
}

// invite makes the child and a code for it alone, and returns the code.
func (f separated) invite(t *testing.T, mother *browser.Page) string {
	t.Helper()
	mother.Goto("/mon-espace/").Follow("Ajouter un enfant").Check()
	mother.Fill("Prénom", f.Child).Fill("Nom", f.ChildLast).Date("Date de naissance", born(8)).Pick("Année scolaire", "P3")
	mother.Choose("Votre lien avec l'enfant", "autorité parentale")
	mother.Press("Enregistrer").Says("C'est enregistré").Check()

	mother.Goto("/mon-espace/famille").Says(f.Name(), "ni votre e-mail, ni votre téléphone, ni votre adresse").Check()
	mother.Follow("Inviter un autre adulte").Check()
	for _, other := range browser.Value[[]string](mother, `Array.from(document.querySelectorAll("input[name=children]:checked")).map(function (i) { return i.labels[0].textContent.trim(); })`) {
		if other != f.Name() {
			mother.Choose("Pour quels enfants", other)
		}
	}
	mother.Choose("Qui est cette personne", "autorité parentale").Press("Créer le code").Says("Pour "+f.Child, "Il sert une seule fois").Check()
	code := familyCode.FindString(mother.Text())
	if code == "" {
		mother.Fatalf("the page shows no code")
	}
	return code
}

var familyCode = regexp.MustCompile(`\b[2-9A-Z]{4}(-[2-9A-Z]{4}){3}\b`)

// signUp makes the father's account and confirms its address by mail.
func (f separated) signUp(t *testing.T, h *house.House, father *browser.Page) {
	t.Helper()
	father.Goto("/connexion").Follow("Créer un compte").Check()
	father.Fill("Vos prénom et nom", f.First+" "+f.Last).Fill("Adresse e-mail", f.Email).Fill("Choisissez un mot de passe", f.Password)
	father.Follow("Créer mon compte").Says("Regardez vos e-mails").Check()
	mail, err := h.WaitMail(t.Context(), f.Email, "Confirmez votre adresse")
	if err != nil {
		t.Fatal(err)
	}
	father.Goto(confirmLink.FindString(mail.Text)).Press("Confirmer mon adresse").Says("Votre adresse est confirmée")
	father.Fill("Adresse e-mail ou numéro de GSM", f.Email).Fill("Mot de passe", f.Password).Press("Se connecter").Check()
}

// enter types the code too early, gives the father's details, then types a wrong code and the right one.
func (f separated) enter(t *testing.T, father *browser.Page, code string) {
	t.Helper()
	father.Goto("/mon-espace/").SaysNot(f.Child).Follow("J'ai reçu un code").Check()
	father.Fill("Votre code", code).Press("Continuer").Says("Dites-nous d'abord qui vous êtes").Check()
	father.Fill("Prénom", f.First).Fill("Nom", f.Last).Fill("Téléphone", "0486 11 12 22")
	father.Fill("Rue et numéro", "Chemin de la Scierie 3").Fill("Code postal", "7060").Fill("Localité", "Soignies").Press("Enregistrer")
	if father.Path() != "/mon-espace/famille/code" {
		father.Fatalf("after the details the father is not back at the code")
	}
	father.Check().Fill("Votre code", "2222-AAAA-AAAA-AAAA").Refused("Continuer").SaysNot(f.Child).Check()
	father.Fill("Votre code", strings.ToLower(code)).Press("Continuer").Says("Vous êtes maintenant lié", f.Name(), "Sophie Lambert").SaysNot(motherOnly...).SaysNot("Léa", "Hugo").Check()
	father.Goto("/mon-espace/").Says(f.Name()).SaysNot("Léa", "Hugo").Check()
}

// registerAndPay takes a place for the child: the mother asks, the office says yes, the father has nothing to pay and
// reads no amount, the mother pays in the simulator. It returns where the registration is and its structured
// communication.
func (f separated) registerAndPay(t *testing.T, mother, agent, father *browser.Page, e event) (registration, communication string) {
	t.Helper()
	mother.Goto("/").Follow(e.Name).Follow("Inscrire un enfant").Choose("Quel enfant", f.Child).Press("Continuer")
	mother.Says("Vérifiez avant d'envoyer", "60,00 €").Check()
	mother.Press("Envoyer ma demande").Says("Votre demande est reçue")
	registration = strings.TrimSuffix(mother.Path(), "/recue")

	agent.Goto("/gestion/inscriptions").FollowIn(f.Name(), f.Name()).Says("60,00 €").Check()
	agent.Press("Valider").Says("La demande est validée")
	mother.Goto(registration).Says("Payer 60,00 €").Check()
	mother.Follow("Payer 60,00 €").Says("Communication structurée").Check()
	if communication = structured.FindString(mother.Text()); communication == "" {
		mother.Fatalf("the page has no structured communication")
	}
	father.Goto(registration+"/paiement").Says("La personne qui paie doit encore régler").SaysNot("€", "+++").Check()
	if father.Path() != registration {
		father.Fatalf("the page of the mother's payment is open to the father")
	}
	mother.Follow("Payer avec Bancontact").Follow("Ouvrir la page de paiement").Says("Simulateur de paiement", "60,00 €")
	mother.Follow("Payer 60,00 €").Until("confirmée").Check()
	return registration, communication
}

// invoice waits for the mother's invoice of the child, which is mailed to her, and returns where it is.
func (f separated) invoice(t *testing.T, h *house.House, mother *browser.Page, who house.Person) string {
	t.Helper()
	f.mailAbout(t, h, who.Email, "acture")
	mother.Goto("/mon-espace/inscriptions")
	mother.FollowIn(f.Child, f.Child).Says("confirmée").Follow("facture").Says(f.Child, "60,00").Check()
	if !strings.HasPrefix(mother.Path(), "/mon-espace/factures/") {
		mother.Fatalf("the link to the invoice leads elsewhere")
	}
	return mother.Path()
}

// mailAbout waits for a mail to someone about the child.
func (f separated) mailAbout(t *testing.T, h *house.House, to, subject string) house.Mail {
	t.Helper()
	var found house.Mail
	err := house.Eventually(t.Context(), func(ctx ctx) error {
		all, err := h.Mails(ctx, to)
		if err != nil {
			return err
		}
		for _, m := range all {
			if strings.Contains(m.Subject, subject) && strings.Contains(m.Subject+m.Text, f.Child) {
				found = m
				return nil
			}
		}
		return fmt.Errorf("no mail %q about %s to %s", subject, f.Child, to)
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// readsNothingOfHers opens every page that the father's pages lead to, and holds that they tell of the child and of its
// place, but not where the mother lives, how to reach her or what she paid.
func (f separated) readsNothingOfHers(t *testing.T, father *browser.Page, communication, invoice string) {
	t.Helper()
	father.Goto("/mon-espace/inscriptions").Says(f.Child, "confirmée").SaysNot("€").Check()
	father.FollowIn(f.Child, f.Child).Says("La place est acquise", "par un autre responsable").SaysNot("€", "facture F").Check()
	father.Goto("/mon-espace/factures").Says("Aucune facture").Check()
	father.Goto("/mon-espace/famille").Says(f.Name(), "Sophie Lambert").Check()
	told := 0
	for at, page := range reach(father) {
		for _, secret := range append([]string{communication, invoice}, motherOnly...) {
			if strings.Contains(page, secret) {
				t.Errorf("the father reads %q at %s", secret, at)
			}
		}
		if strings.Contains(page, f.Child) {
			told++
		}
	}
	if told < 5 {
		t.Errorf("the father finds the child on %d pages only: that he reads nothing else proves little", told)
	}
	for _, at := range []string{invoice, invoice + ".pdf"} {
		if got := seek(father, at); got.Status != http.StatusNotFound {
			t.Errorf("%s answers %d to the father", at, got.Status)
		}
	}
}

// askToCancel has the father ask for the end of the place: the place is kept, and the mother sees that somebody asked,
// not what he wrote.
func (f separated) askToCancel(t *testing.T, father, mother *browser.Page, registration string) {
	t.Helper()
	father.Goto(registration).Follow("Annuler cette inscription").Says("Le service décide de cette annulation", "Une autre personne paie cette inscription").SaysNot("€").Check()
	father.Fill("Pourquoi ?", fathersWords).Press("Demander l'annulation").Says("Votre demande d'annulation est transmise au service", "Validées 1", "confirmée").Check()
	father.Goto(registration).Says("confirmée", "Une annulation est demandée").SaysNot("Annuler cette inscription").Check()
	mother.Goto(registration).Says("confirmée", "Une annulation est demandée").SaysNot(fathersWords).Check()
	mother.Goto("/mon-espace/inscriptions").SaysNot(fathersWords).Check()
}

// decide has the office find the request among its tasks and cancel with a reason, which both parents then read.
func (f separated) decide(t *testing.T, h *house.House, agent, mother, father *browser.Page, who house.Person, registration string) {
	t.Helper()
	agent.Goto("/gestion/taches").Says("Annulation demandée par la famille", fathersWords).Check()
	agent.FollowIn(fathersWords, f.Name()).Says(fathersWords).Check()
	agent.Follow("Annuler l'inscription…").Says("La famille lit ce texte tel quel").Check()
	agent.Refused("Annuler l'inscription").Check()
	agent.Fill("Raison", communesReason).Press("Annuler l'inscription").Says("L'inscription est annulée, la famille est prévenue", "À rembourser à la famille").Check()
	agent.Goto("/gestion/taches").SaysNot(fathersWords).Check()

	for _, p := range []*browser.Page{mother, father} {
		p.Goto("/mon-espace/inscriptions").Unfold("Terminées").FollowIn(f.Child, f.Child)
		p.Says("annulée par le service", communesReason).SaysNot(fathersWords, "chez le service").Check()
	}
	father.SaysNot("€").SaysNot(motherOnly...)
	if m := f.mailAbout(t, h, who.Email, "Inscription annulée par le service"); !strings.Contains(m.Text, communesReason) || strings.Contains(m.Text+m.HTML, fathersWords) {
		t.Errorf("the mother's mail says:\n%s", m.Text)
	}
	m := f.mailAbout(t, h, f.Email, "Inscription terminée")
	for _, secret := range append([]string{"60,00", fathersWords}, motherOnly...) {
		if strings.Contains(m.Text+m.HTML, secret) {
			t.Errorf("the father's mail says %q:\n%s", secret, m.Text)
		}
	}
}

// block enters a judge's decision, and holds that the father's next page, and every other that he can open, no longer
// knows the child.
func (f separated) block(t *testing.T, agent, father *browser.Page, gone []string) {
	t.Helper()
	child := father.Goto("/mon-espace/").Link(f.Name())
	child = child[strings.Index(child, "/mon-espace/"):]
	gone = append(gone, child, child+"/fiche-medicale")
	for _, at := range gone[:2] {
		if got := seek(father, at); got.Status == http.StatusNotFound {
			t.Fatalf("%s was never the father's to see", at)
		}
	}
	agent.Goto("/gestion/guichet?q=" + f.Last).Follow(f.First + " " + f.Last)
	link := "/gestion/liens/" + path.Base(agent.Path()) + "/" + path.Base(child)
	agent.Goto(link).Says(f.First+" "+f.Last+" et "+f.Child, "autorité parentale", "en cours").Check()
	agent.Refused("Bloquer cette personne").Check()
	agent.Fill("Décision", "TPI Verviers 27/118/A").Date("Fin citée par la décision", civil.DateOf(time.Now(), civil.Brussels).AddDays(180).String())
	agent.Press("Bloquer cette personne").Says("Le blocage est en place", "TPI Verviers 27/118/A").Check()

	for _, at := range []string{"/mon-espace/", "/mon-espace/inscriptions", "/mon-espace/famille", "/mon-espace/factures"} {
		father.Goto(at).SaysNot(f.Child, f.ChildLast, "Sophie", "TPI Verviers").Check()
	}
	pages := reach(father)
	if len(pages) < 5 {
		t.Errorf("the father opens %d pages only", len(pages))
	}
	for at, page := range pages {
		for _, secret := range []string{f.Child, f.ChildLast, path.Base(child), path.Base(gone[0]), communesReason} {
			if strings.Contains(page, secret) {
				t.Errorf("the blocked father reads %q at %s", secret, at)
			}
		}
	}
	for _, at := range gone {
		if got := seek(father, at); got.Status != http.StatusNotFound || strings.Contains(got.Body, f.Child) {
			t.Errorf("%s answers %d to the blocked father", at, got.Status)
		}
	}
}

// answer is what an address answers to somebody.
type answer struct {
	Status int
	Body   string
}

// seek asks for an address as the page would, with its cookies.
func seek(p *browser.Page, address string) answer {
	a := browser.Value[answer](p, fmt.Sprintf(`(function () { var x = new XMLHttpRequest(); x.open("GET", %q, false); x.send(); return { Status: x.status, Body: x.responseText }; })()`, address))
	a.Body = unescaped(a.Body)
	return a
}

// unescaped is a page's source as it is read: without entities, with plain spaces.
func unescaped(source string) string {
	return strings.Join(strings.Fields(html.UnescapeString(source)), " ")
}

// reach follows every link of the family's pages from the dashboard on, and returns the source of each that answers.
func reach(p *browser.Page) map[string]string {
	pages := browser.Value[map[string]string](p, `(function () {
		var pages = {}, asked = {}, todo = ["/mon-espace/"];
		while (todo.length && Object.keys(asked).length < 60) {
			var at = todo.shift(), x = new XMLHttpRequest();
			if (asked[at]) continue;
			asked[at] = true;
			x.open("GET", at, false);
			x.send();
			if (x.status !== 200) continue;
			pages[at] = x.responseText;
			new DOMParser().parseFromString(x.responseText, "text/html").querySelectorAll("a[href^='/mon-espace']").forEach(function (a) { todo.push(a.getAttribute("href")); });
		}
		return pages;
	})()`)
	for at, source := range pages {
		pages[at] = unescaped(source)
	}
	return pages
}

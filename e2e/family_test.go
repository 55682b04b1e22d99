package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"ribambelle/e2e/browser"
	"ribambelle/e2e/house"
)

// family is a parent and a child who are new to the portal.
type family struct {
	Email, Password  string
	First, Last      string
	Child, ChildLast string
	StopOut          string
	StopBack         string
}

// Name is the child's whole name.
func (f family) Name() string { return f.Child + " " + f.ChildLast }

const sentence = "trois chats dorment au soleil"

func newFamily(key string) family {
	last := strings.ToUpper(key[:1]) + key[1:]
	return family{
		Email: "parent." + key + "@famille.example", Password: sentence + " " + key, First: "Émilie", Last: "Van den " + last,
		Child: "Zoé", ChildLast: "D'Hondt-" + last,
		StopOut: "Gare de Valmont", StopBack: "Les Tilleuls, école",
	}
}

var confirmLink = regexp.MustCompile(`https?://\S+/confirmation\?\S+`)

// join takes a family from the camp's page to an account with a confirmed address, details, a child and its sheet.
func (f family) join(t *testing.T, h *house.House, p *browser.Page) {
	t.Helper()
	p.Goto("/connexion").Check().Follow("Créer un compte").Check()
	p.Fill("Vos prénom et nom", f.First).Fill("Adresse e-mail", "parent").Fill("Choisissez un mot de passe", "court")
	p.Refused("Créer mon compte").Check() // every problem at once, and nothing typed is lost
	p.Fill("Vos prénom et nom", f.First+" "+f.Last).Fill("Adresse e-mail", f.Email).Fill("Choisissez un mot de passe", f.Password)
	p.Follow("Créer mon compte").Says("Regardez vos e-mails").Check()

	mail, err := h.WaitMail(t.Context(), f.Email, "Confirmez votre adresse")
	if err != nil {
		t.Fatal(err)
	}
	link := confirmLink.FindString(mail.Text)
	if link == "" || mail.Fault != "" || mail.HTML == "" {
		t.Fatalf("the mail has no link, no HTML or a fault (%s):\n%s", mail.Fault, mail.Text)
	}
	p.Goto(link).Check().Press("Confirmer mon adresse").Says("Votre adresse est confirmée")
	p.Fill("Adresse e-mail ou numéro de GSM", f.Email).Fill("Mot de passe", f.Password).Press("Se connecter").Check()

	p.Goto("/mon-espace/").Follow("Donner mes coordonnées").Check()
	p.Fill("Prénom", f.First).Fill("Nom", f.Last).Fill("Téléphone", "0475 12 34 56")
	p.Fill("Rue et numéro", "Rue des Tilleuls 8").Fill("Code postal", "4599").Fill("Localité", "Valmont")
	p.Press("Enregistrer").Check()

	p.Goto("/mon-espace/").Follow("Ajouter un enfant").Check()
	p.Fill("Prénom", f.Child).Fill("Nom", f.ChildLast).Date("Date de naissance", born(8)).Pick("Année scolaire", "P3")
	p.Choose("Votre lien avec l'enfant", "autorité parentale")
	p.Press("Enregistrer").Says("C'est enregistré").Check()
}

// fillSheet writes the medical sheet.
func (f family) fillSheet(t *testing.T, p *browser.Page) {
	t.Helper()
	p.Goto("/mon-espace/").Follow("Fiche médicale " + f.Child).Check()
	p.Choose("A-t-il ou elle une allergie", "Oui")
	p.FillIn("Allergie 1", "À quoi ?", allergy).FillIn("Allergie 1", "Que se passe-t-il ?", consequence)
	for _, question := range []string{"une maladie à surveiller", "prendre un médicament", "un régime alimentaire"} {
		p.Choose(question, "Non")
	}
	p.Choose("Soins urgents décidés", "Oui").Choose("Premiers soins", "Oui").Choose("Rentrer à la maison", "Non")
	p.FillIn("Personne à appeler si vous ne répondez pas 1", "Prénom et nom", "Léopold Maes").FillIn("Personne à appeler si vous ne répondez pas 1", "Téléphone", "0486 11 22 33")
	p.Press("Enregistrer et confirmer la fiche").Says("La fiche médicale est enregistrée")
}

// What the sheet says; nowhere but on it may it be read.
const (
	allergy     = "Noix de cajou"
	consequence = "gonflement des paupières"
)

// born is the birthday of a child who is that old at a camp of the coming weeks.
func born(age int) string {
	return fmt.Sprintf("%d-03-27", thisYear()-age)
}

// register asks for a place with a bus stop for each direction, checks the answers and sends them, and returns the
// address of the registration.
func (f family) register(t *testing.T, p *browser.Page, e event) string {
	t.Helper()
	p.Goto("/")
	p.Unfold("Filtrer les stages").Pick("Année scolaire", "P3").Pick("Thème", e.Theme).Tick("Encore des places").Tick("Avec bus")
	p.Press("Afficher").Says("1 stage").Check()
	p.Follow(e.Name).Says("60,00 €", "de P2 à P4", f.StopOut).Check()
	p.Follow("Inscrire un enfant").Says("Étape 1").Check()
	p.Choose("Quel enfant", f.Child).Press("Continuer").Says("Étape 2").Check()
	p.Choose("Aller", f.StopOut).Choose("Retour", f.StopBack).Press("Continuer").Says("Vérifiez avant d'envoyer", f.StopOut, f.StopBack, "80,00 €").Check()
	p.Fill("Un mot pour le service", "Zoé vient pour la première fois.")
	p.Press("Envoyer ma demande").Says("Votre demande est reçue").Check()
	return strings.TrimSuffix(p.Path(), "/recue")
}

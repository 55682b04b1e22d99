package portal

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"ribambelle/internal/account"
)

// imported enters families by a list, as the office does.
func (b *bundle) imported(office *browser, lines ...string) {
	b.t.Helper()
	list := "Référence famille;Prénom;Nom;E-mail;Téléphone;Rue et numéro;Code postal;Localité;Prénom enfant;Date de naissance\r\n" + strings.Join(lines, "\r\n") + "\r\n"
	at := office.upload("/gestion/familles/import", "liste.csv", []byte(list), "kind", "families").to(b.t, "/gestion/familles/import/")
	office.send(at+"/confirmer").to(b.t, "/gestion/familles/import/")
}

// access is the address of the office's page about how an adult enters the portal.
func (b *bundle) access(first string) string {
	b.t.Helper()
	var id uuid.UUID
	if err := b.db.QueryRow(context.Background(), `SELECT id FROM guardian WHERE first_name = $1`, first).Scan(&id); err != nil {
		b.t.Fatal(err)
	}
	return "/gestion/adultes/" + id.String() + "/acces"
}

// mailedLink is what the mail of a family's code leads to.
func (b *bundle) mailedLink(first string) string {
	b.t.Helper()
	var code uuid.UUID
	err := b.db.QueryRow(context.Background(), `
		SELECT c.id FROM family_code c JOIN guardian g ON g.id = c.guardian_id
		WHERE g.first_name = $1 AND c.mailed_at IS NOT NULL AND c.cancelled_at IS NULL`, first).Scan(&code)
	if err != nil {
		b.t.Fatal(err)
	}
	_, _, link, err := b.config.Household.ClaimMail(context.Background(), b.db, code)
	if err != nil {
		b.t.Fatal(err)
	}
	return "/activation?lien=" + url.QueryEscape(link)
}

// TestActivationByMail: the office mails every imported family that has an address; the family follows the link, chooses
// a password and is in; the link then is dead; an address with an account is led to sign in.
func TestActivationByMail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	office, _ := b.person("agent@example.be", "Anne Claes", account.RoleAgent)
	b.imported(office, "F1;Nadia;Benali;nadia@example.be;;Rue A 1;7180;Seneffe;Yanis;12/03/2018",
		"F2;Karim;Haddad;karim@example.be;;Rue B 2;7180;Seneffe;Lina;12/03/2017", "F3;Paul;Maes;;;Rue C 3;7180;Seneffe;Tom;12/03/2016")
	office.see("/gestion/familles/lettres").has(t, "main", "2 adultes ont une adresse e-mail")
	office.send("/gestion/familles/lettres/courriels").to(t, "/gestion/familles/lettres")
	if n := b.count(`SELECT coalesce(sum(jsonb_array_length(args -> 'code_ids')), 0)::int FROM river_job WHERE kind = 'claim_mail'`); n != 2 {
		t.Fatalf("%d mails are asked for, want 2", n)
	}
	letters := office.see("/gestion/familles/lettres")
	letters.has(t, "main", "e-mail du")
	if letters.doc.Find(`form[action$="/courriels"]`).Length() != 0 {
		t.Error("the page still offers to mail to all")
	}
	office.see(b.access("Nadia")).has(t, "main", "Renvoyer à nadia@example.be")

	at := b.mailedLink("Nadia")
	nadia := b.browser()
	page := nadia.see(at)
	page.has(t, "main", "Nadia Benali, choisissez un mot de passe")
	link, _ := page.doc.Find("input[name=lien]").Attr("value")
	if got := nadia.send("/activation", "lien", link, "password", "court"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a short password is answered %d", got.StatusCode)
	}
	nadia.send("/activation", "lien", link, "password", "quatre chevaux bleus").to(t, "/mon-espace/famille")
	nadia.see("/mon-espace/famille").has(t, "main", "Yanis Benali")
	if got := b.browser().get(at); got.StatusCode != http.StatusGone {
		t.Errorf("a used link is answered %d", got.StatusCode)
	}
	office.see(b.access("Nadia")).has(t, "main", "Se connecte avec l’adresse nadia@example.be")

	karim, _ := b.person("karim@example.be", "Karim Haddad")
	visitor := b.browser()
	link, _ = visitor.see(b.mailedLink("Karim")).doc.Find("input[name=lien]").Attr("value")
	known := visitor.send("/activation", "lien", link, "password", "quatre chevaux bleus")
	if known.StatusCode != http.StatusConflict {
		t.Fatalf("an address with an account is answered %d", known.StatusCode)
	}
	karim.send("/mon-espace/famille/code", "code", known.text("main .lead strong")).to(t, "/mon-espace/famille")
	karim.see("/mon-espace/famille").has(t, "main", "Lina Haddad")
}

// TestReturnedMail: a code whose mail no server took is a letter to print; one that was taken is not.
func TestReturnedMail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	office, _ := b.person("agent@example.be", "Anne Claes", account.RoleAgent)
	b.imported(office, "F1;Nadia;Benali;nadia@example.be;;Rue A 1;7180;Seneffe;Yanis;12/03/2018", "F2;Karim;Haddad;karim@example.be;;Rue B 2;7180;Seneffe;Lina;12/03/2017")
	office.send("/gestion/familles/lettres/courriels").to(t, "/gestion/familles/lettres")
	b.exec(`
		INSERT INTO message (template, subject_id, recipient, slot, sent_at, failed_at)
		SELECT 'family_claim', c.id::text, 'guardian:' || g.id, now(), CASE WHEN g.first_name = 'Karim' THEN now() END, CASE WHEN g.first_name = 'Nadia' THEN now() END
		FROM family_code c JOIN guardian g ON g.id = c.guardian_id`)
	b.exec(`
		INSERT INTO task (kind, subject_kind, subject_id, detail)
		SELECT 'mail_failed', 'message', 'family_claim/x', jsonb_build_object('template', 'family_claim', 'guardian', id)
		FROM guardian WHERE first_name = 'Nadia'`)
	office.see("/gestion/familles/lettres").has(t, "main", "e-mail refusé : à imprimer")
	print := office.see("/gestion/familles/lettres/imprimer")
	if got := print.doc.Find(".letter").Length(); got != 1 || !strings.Contains(print.text(".letter"), "Nadia Benali") {
		t.Errorf("%d letters: %q", got, print.text(".letter"))
	}
	at := b.access("Nadia")
	if office.see("/gestion/taches").doc.Find(`main a[href="`+at+`"]`).Length() != 1 {
		t.Error("the task does not lead to the adult")
	}
	office.see(at).has(t, "main", "Aucun serveur n’a pris cet e-mail")
	office.see(at+"/imprimer").has(t, ".letter", print.text(".letter .lead strong"))
}

// TestAccessByPhone: a family without e-mail address: the letter and the number open the account, sign-in takes the
// number however it is written, and a forgotten password is replaced by a code of the counter.
func TestAccessByPhone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	office, _ := b.person("agent@example.be", "Anne Claes", account.RoleAgent)
	b.imported(office, "F1;Nadia;Benali;;0475/12.34.56;Rue A 1;7180;Seneffe;Yanis;12/03/2018", "F2;Paul;Maes;;;Rue C 3;7180;Seneffe;Tom;12/03/2016")
	at := b.access("Nadia")
	office.send(at+"/lettre").to(t, at+"/imprimer")
	sheet := office.see(at + "/imprimer")
	sheet.has(t, ".letter", "0475 •• •• 56")
	code := sheet.text(".letter .lead strong")

	nadia := b.browser()
	if got := nadia.send("/activation", "code", code, "phone", "0486 11 12 22", "password", "quatre chevaux bleus"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("another number is answered %d", got.StatusCode)
	}
	nadia.send("/activation", "code", code, "phone", "0475 12 34 56", "password", "quatre chevaux bleus").to(t, "/mon-espace/famille")
	nadia.see("/mon-espace/famille").has(t, "main", "Yanis Benali")
	details := nadia.see("/mon-espace/coordonnees")
	if v, _ := details.doc.Find("input[name=email]").Attr("value"); v != "" {
		t.Errorf("the details show the address %q", v)
	}

	phone := b.browser()
	phone.see("/connexion").has(t, "main", "Adresse e-mail ou numéro de GSM")
	for _, typed := range []string{"0475 12 34 56", "+32 475 12 34 56", "0032475123456"} {
		b.browser().send("/connexion", "email", typed, "password", "quatre chevaux bleus").to(t, "/mon-espace/")
	}
	if got := phone.send("/connexion", "email", "0475 12 34 57", "password", "quatre chevaux bleus"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("another number is answered %d", got.StatusCode)
	}
	for _, typed := range []string{"0475 12 34 56", "0499 00 00 00", "nobody@example.be"} { // one answer to all
		phone.send("/mot-de-passe", "email", typed).to(t, "/mot-de-passe/envoye")
	}
	phone.see("/mot-de-passe/envoye").has(t, "main", "demandez un code au guichet")

	office.see(at).has(t, "main", "Se connecte avec le numéro 0475 12 34 56")
	office.send(at+"/mot-de-passe").to(t, at+"/imprimer")
	sheet = office.see(at + "/imprimer")
	sheet.has(t, ".letter", "Votre nouveau mot de passe")
	reset := sheet.text(".letter .lead strong")
	if got := phone.send("/mot-de-passe/code", "phone", "0475123456", "code", "2222-2222-2222-2222", "password", "un bateau sur le canal"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a wrong code is answered %d", got.StatusCode)
	}
	phone.send("/mot-de-passe/code", "phone", "0475123456", "code", strings.ToLower(reset), "password", "un bateau sur le canal").to(t, "/connexion")
	phone.send("/connexion", "email", "0475123456", "password", "un bateau sur le canal").to(t, "/mon-espace/")
	nadia.get("/mon-espace/famille").to(t, "/connexion") // every session ended

	// At the counter: no letter, a number noted there.
	at = b.access("Paul")
	if got := office.send(at+"/gsm", "phone", "0475123456"); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a number that has an account is answered %d", got.StatusCode)
	}
	office.send(at+"/gsm", "phone", "0486 11 12 22").to(t, at+"/imprimer")
	code = office.see(at + "/imprimer").text(".letter .lead strong")
	paul := b.browser()
	paul.send("/mot-de-passe/code", "phone", "0486111222", "code", code, "password", "trois petits canards").to(t, "/connexion")
	paul.send("/connexion", "email", "0486111222", "password", "trois petits canards").to(t, "/mon-espace/")
	paul.see("/mon-espace/famille").has(t, "main", "Tom Maes")
	// A parent's pages work without an address, and save as they are.
	paul.see("/mon-espace/coordonnees")
	finance, _ := b.person("finance@example.be", "Luc Finance", account.RoleFinance)
	if got := finance.send(at + "/mot-de-passe"); got.StatusCode != http.StatusForbidden {
		t.Errorf("a finance officer makes codes: %d", got.StatusCode)
	}
}

package e2e

import (
	"bytes"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"

	"ribambelle/e2e/browser"
	"ribambelle/e2e/house"
	"ribambelle/internal/civil"
)

// moneyStory is a family's year of payments, with the people who meet around it, on a demo of its own.
type moneyStory struct {
	h                                     *house.House
	b                                     *browser.Browser
	who                                   house.Person // the mother's account
	mother, father, agent, officer, chief *browser.Page
	other                                 string // the first name of Léa's brother
	soon, next, last                      event
	givenUp                               int // days of the camp next
}

// TestMoney pays in every way in which a family pays, and gives money back in every way in which a commune does: see the
// steps below.
func TestMoney(t *testing.T) {
	t.Parallel()
	s := newMoneyStory(t)

	// A place whose deadline passes while the family pays others.
	late := s.place(t, s.soon, s.other)
	communication, account := s.transfer(t, late)
	s.letExpire(t, late)

	first := s.place(t, s.soon, "Léa")
	s.payByCode(t, first)
	second := s.place(t, s.next, "Léa")
	s.payOnPhone(t, second)
	s.payAll(t, s.place(t, s.last, "Léa"), s.place(t, s.last, s.other))
	s.cancelForOther(t, first)
	third := s.place(t, s.next, s.other)
	s.cancelDays(t, second, third)
	s.desk(t, third)
	s.payLate(t, late, communication, account)
	s.financeRound(t)
}

func newMoneyStory(t *testing.T) *moneyStory {
	t.Helper()
	s := &moneyStory{h: own(t, nil), b: browser.Open(t), other: "Noé"}
	all, err := s.h.People()
	if err != nil {
		t.Fatal(err)
	}
	s.soon, s.next, s.last = makeEventIn(t, s.h.Odoo, 0), makeEventIn(t, s.h.Odoo, 2), makeEventIn(t, s.h.Odoo, 5)
	command(t, s.h, nil, "sync", "--json")
	s.who = person(t, all, "Parent de Léa")
	for role, p := range map[string]**browser.Page{
		"Parent de Léa": &s.mother, "Autre parent": &s.father, "Agent": &s.agent, "Administrat": &s.chief,
	} {
		*p = signIn(t, s.b, s.h, person(t, all, role), browser.Desktop)
	}
	s.mother.Goto("/mon-espace/").Follow("Ajouter un enfant")
	s.mother.Fill("Prénom", s.other).Fill("Nom", "Lambert").Date("Date de naissance", born(8)).Pick("Année scolaire", "P3")
	s.mother.Choose("Votre lien avec l'enfant", "autorité parentale").Press("Enregistrer").Says("C'est enregistré")

	s.chief.Goto("/gestion/comptes").Follow("Luc Servais").Choose("Ce que cette personne peut faire", "agent").Press("Enregistrer").Check()
	s.officer = signIn(t, s.b, s.h, person(t, all, "Directeur financier"), browser.Desktop) // a change of roles ends the session
	s.chief.Goto("/gestion/reglages/periodes").FillIn("Palier 1", "Moins de", "60").FillIn("Palier 1", "Part gardée", "50")
	s.chief.FollowIn("Frais d'annulation", "Enregistrer").Says("Les frais d'annulation sont enregistrés").Check()
	return s
}

// look holds that a page has no fault, and with -pictures DIR keeps a picture of it.
func look(t *testing.T, p *browser.Page, name string) {
	t.Helper()
	p.Check()
	if *pictures == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*pictures, "money-"+name+".png"), p.Picture(2400), 0o600); err != nil {
		t.Fatal(err)
	}
}

// place asks for a place for a child of the mother and has the office say yes. It returns the registration's address.
func (s *moneyStory) place(t *testing.T, e event, child string) string {
	t.Helper()
	s.mother.Goto("/").Follow(e.Name).Follow("Inscrire un enfant").Choose("Quel enfant", child).Press("Continuer").Says("60,00 €")
	s.mother.Press("Envoyer ma demande").Says("Votre demande est reçue")
	registration := strings.TrimSuffix(s.mother.Path(), "/recue")
	s.agent.Goto(staffAddress(registration)).Press("Valider").Says("La demande est validée")
	return registration
}

// staffAddress is where the office has a family's registration.
func staffAddress(registration string) string {
	return strings.Replace(registration, "/mon-espace/", "/gestion/", 1)
}

// transfer reads how a registration is paid by transfer, as words and with a bank's app.
func (s *moneyStory) transfer(t *testing.T, registration string) (communication, account string) {
	t.Helper()
	s.mother.Goto(registration).Follow("Payer 60,00 €").Says("Payer par virement", "Valmont")
	look(t, s.mother, "transfer")
	found := structured.FindStringSubmatch(s.mother.Text())
	if found == nil {
		s.mother.Fatalf("the page has no structured communication")
	}
	communication = strings.Join(found[1:], "")
	code := strings.Split(scan(t, s.mother, "#epc svg"), "\n")
	if len(code) != 10 {
		t.Fatalf("a bank's app reads %q", code)
	}
	account = code[6]
	if want := []string{"BCD", "002", "1", "SCT", code[4], "Valmont", account, "EUR60.00", "", communication}; !slices.Equal(code, want) {
		t.Fatalf("a bank's app reads %q, want %q", code, want)
	}
	s.mother.Says(fmt.Sprintf("%s %s %s %s", account[:4], account[4:8], account[8:12], account[12:]))
	return communication, account
}

// scan reads a QR code off the screen, as a telephone's camera does.
func scan(t *testing.T, p *browser.Page, selector string) string {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(p.PictureOf(selector)))
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	read, err := zxing.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_CHARACTER_SET: "UTF-8"})
	if err != nil {
		p.Fatalf("no camera can read %s: %v", selector, err)
	}
	return read.GetText()
}

// letExpire moves the deadline of a registration into the past; the program finds that within its minute.
func (s *moneyStory) letExpire(t *testing.T, registration string) {
	t.Helper()
	tag, err := connect(t, s.h).Exec(t.Context(), `
		UPDATE registration
		SET due_at = now() - INTERVAL '1 hour'
		WHERE id = $1
		  AND state = 'awaiting_payment'`, filepath.Base(registration))
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("moving the deadline: %v, %v", tag, err)
	}
}

// payByCode pays on the desk: a telephone scans the code, and the page on the desk changes by itself.
func (s *moneyStory) payByCode(t *testing.T, registration string) {
	t.Helper()
	s.mother.Goto(registration).Follow("Payer 60,00 €").Press("Payer avec Bancontact").Says("Scannez avec l'application Bancontact")
	look(t, s.mother, "code")
	address := scan(t, s.mother, ".qr img")
	if !strings.HasPrefix(address, s.h.Mollie+"/checkout/") {
		t.Fatalf("the code leads to %s, not to the provider at %s", address, s.h.Mollie)
	}
	phone := s.b.Person(t, s.h.Portal, browser.Phone)
	phone.Goto(address).Says("60,00 €")
	phone.Press("Payer 60,00 €").Says("Ce paiement est", "revenir à votre autre écran")
	s.mother.Comes("confirmée")
	if s.mother.Path() != registration {
		s.mother.Fatalf("after the payment the page is another")
	}
	s.mother.Until("Voir la facture")
	look(t, s.mother, "paid")
	s.mother.Follow("Voir la facture").Says("Léa", "60,00")
	look(t, s.mother, "invoice")
	for name, books := range map[string]func(ctx) ([]house.Payment, error){"mollie": s.h.Books, "bancontactpro": s.h.PhoneBooks} {
		want := map[string]string{"mollie": "paid 6000 0"}[name]
		if got := said(t, books); got != want {
			t.Errorf("the books of %s say %q, want %q", name, got, want)
		}
	}
}

// said is what a provider's books say: status, amount and what went back of each payment, in order of their making.
func said(t *testing.T, books func(ctx) ([]house.Payment, error)) string {
	t.Helper()
	list, err := books(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list, func(a, b house.Payment) int { return a.CreatedAt.Compare(b.CreatedAt) })
	lines := make([]string, len(list))
	for i, p := range list {
		lines[i] = fmt.Sprintf("%s %d %d", strings.ToLower(p.Status), p.Cents, p.Refunded)
	}
	return strings.Join(lines, ", ")
}

// payOnPhone pays on the telephone that shows the page: the app is opened, given up once, left until its time is over
// once, and pays at the third try. Each time the page tells what happened.
func (s *moneyStory) payOnPhone(t *testing.T, registration string) {
	t.Helper()
	s.chief.Goto("/gestion/reglages").Pick("Prestataire de paiement à utiliser d'abord", "Bancontact Pro").Press("Enregistrer")
	p := s.mother
	p.Resize(browser.Phone)
	defer p.Resize(browser.Desktop)
	p.Goto(registration).Follow("Payer 60,00 €")
	look(t, p, "phone-ways")
	p.Press("Payer avec Bancontact").Says("Ouvrir l'application Bancontact").SaysNot("Scannez")
	look(t, p, "phone-app")
	if to := p.Link("Ouvrir l'application"); !strings.HasPrefix(to, s.h.Bancontact+"/pay/2/") {
		t.Fatalf("the app is opened at %s, not at %s", to, s.h.Bancontact)
	}
	p.Follow("Ouvrir l'application").Says("60,00 €").Press("Annuler").Follow("Retour au site")
	p.Until("Le paiement est abandonné. Rien n'a été débité.").Says("Payer avec Bancontact")
	look(t, p, "phone-cancelled")

	p.Press("Payer avec Bancontact").Follow("Ouvrir l'application").Press("Simuler l'expiration").Follow("Retour au site")
	p.Until("son délai est passé. Rien n'a été débité. Vous pouvez recommencer.")
	look(t, p, "phone-expired")

	p.Press("Payer avec Bancontact").Follow("Ouvrir l'application").Press("Payer 60,00 €").Follow("Retour au site")
	p.Until("confirmée")
	look(t, p, "phone-paid")
	if got, want := said(t, s.h.PhoneBooks), "cancelled 6000 0, expired 6000 0, succeeded 6000 0"; got != want {
		t.Errorf("the books of the app say %q, want %q", got, want)
	}
}

// payLate has the transfer arrive when the place is given up: it was still free, so the family has it again.
func (s *moneyStory) payLate(t *testing.T, registration, communication, account string) {
	t.Helper()
	s.mother.Goto(registration).Until("Délai dépassé").SaysNot("Payer 60,00 €")
	look(t, s.mother, "expired")
	if _, err := s.h.WaitMail(t.Context(), s.who.Email, s.other); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "extrait.xml")
	if err := os.WriteFile(file, []byte(bankStatement(account, communication)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.officer.Goto("/gestion/banque").Attach("Fichier de la banque", file).Press("Lire le fichier").Says("1 mouvement nouveau", "1 paiement enregistré")
	look(t, s.officer, "bank-file")
	s.mother.Goto(registration).Says("confirmée", "Payée hors délai")
	look(t, s.mother, "late")
	s.agent.Goto(staffAddress(registration)).Says("confirmée").SaysNot("%s")
	look(t, s.agent, "late-office")
}

// bankStatement is a day's CAMT.053 with one transfer of 60,00 €.
func bankStatement(account, communication string) string {
	today := civil.DateOf(time.Now(), civil.Brussels)
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>
<GrpHdr><MsgId>JOURNAL-1</MsgId><CreDtTm>%[1]sT20:00:00</CreDtTm></GrpHdr>
<Stmt><Id>%[2]d-001</Id><ElctrncSeqNb>1</ElctrncSeqNb><CreDtTm>%[1]sT20:00:00</CreDtTm>
<Acct><Id><IBAN>%[3]s</IBAN></Id><Ccy>EUR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1000.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>%[1]s</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1060.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>%[1]s</Dt></Dt></Bal>
<Ntry><NtryRef>1</NtryRef><Amt Ccy="EUR">60.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>%[1]s</Dt></BookgDt><ValDt><Dt>%[1]s</Dt></ValDt><AcctSvcrRef>E2EREF0001</AcctSvcrRef>
<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>
<NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>
<RltdPties><Dbtr><Pty><Nm>LAMBERT SOPHIE</Nm></Pty></Dbtr><DbtrAcct><Id><IBAN>BE68539007547034</IBAN></Id></DbtrAcct></RltdPties>
<RmtInf><Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry><Issr>BBA</Issr></Tp><Ref>%[4]s</Ref></CdtrRefInf></Strd></RmtInf>
</TxDtls></NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>
`, today, today.Year, account, communication)
}

// financeRound opens a day at the cash desk, takes cash, closes it, and looks at the finance officer's pages on a
// desk and on a phone.
func (s *moneyStory) financeRound(t *testing.T) {
	t.Helper()
	o := s.officer
	for _, page := range []string{
		"finances", "finances/montants-dus", "finances/journal", "finances/encaissements", "finances/budget", "finances/rappels",
		"banque", "banque/versements", "virements", "attestations", "attestations/formulaires", "tarifs", "tarifs/essai", "caisse", "caisse/historique",
	} {
		o.Goto("/gestion/" + page)
		look(t, o, strings.ReplaceAll(page, "/", "-"))
		o.Resize(browser.Phone)
		o.Goto("/gestion/" + page)
		look(t, o, strings.ReplaceAll(page, "/", "-")+"-phone")
		o.Resize(browser.Desktop)
	}
}

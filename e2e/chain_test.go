package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/xuri/excelize/v2"

	"ribambelle/e2e/browser"
	"ribambelle/e2e/house"
	"ribambelle/internal/civil"
)

type ctx = context.Context

func thisYear() int { return time.Now().In(civil.Brussels).Year() }

// TestChain walks the whole way from an event in Odoo to the organiser's workbook: see the steps below. With -odoo the
// portal works on a real Odoo.
func TestChain(t *testing.T) {
	t.Parallel()
	h := chainHouse(t)
	all, err := h.People()
	if err != nil {
		t.Fatal(err)
	}
	b := browser.Open(t)

	// An event becomes a camp.
	e := makeEvent(t, h.Odoo)
	var pulled struct {
		Events int `json:"events"`
	}
	command(t, h, &pulled, "sync", "--json")
	if pulled.Events == 0 {
		t.Error("the synchronisation read no event")
	}
	visitor := b.Person(t, h.Portal, browser.Desktop)
	visitor.Goto("/").Says(e.Name)
	id := camp.FindStringSubmatch(visitor.Link(e.Name))[1]
	agent := signIn(t, b, h, person(t, all, "Agent"), browser.Desktop)
	prepare(t, agent, all, id)

	// A family joins and registers a child with a bus stop for each direction.
	f := newFamily(e.Key)
	parent := b.Person(t, h.Portal, browser.Desktop)
	f.join(t, h, parent)
	f.fillSheet(t, parent)
	registration := f.register(t, parent, e)
	parent.Goto("/mon-espace/inscriptions").Says("En attente 1", f.Child, "en cours d'examen").Check()
	registered(t, h.Odoo, e, f.Name(), "draft")

	// The commune says yes, the family pays with Bancontact, and Odoo knows.
	validate(t, h, agent, f)
	pay(t, h, parent, registration, true)
	row := registered(t, h.Odoo, e, f.Name(), "open")
	if row["email"] != f.Email {
		t.Errorf("Odoo has the e-mail %v, want %s", row["email"], f.Email)
	}
	invoice(t, h, parent, f, e)

	remind(t, h, b, all, f, id, e)
	begin(t, h, id)
	attend(t, h, b, all, f, e)
	workbook(t, h, agent, f, id)
	sealed(t, h, f)
}

var camp = regexp.MustCompile(`/stages/([0-9a-f-]{36})`)

// TestChainWithoutScript goes from the catalogue to a confirmed place on a phone with JavaScript turned off, the agent's
// part too.
func TestChainWithoutScript(t *testing.T) {
	t.Parallel()
	h := shared(t)
	b := browser.Open(t)
	e := makeEvent(t, h.Odoo)
	command(t, h, nil, "sync", "--json")
	agent := signIn(t, b, h, person(t, people, "Agent"), browser.Phone)
	agent.NoScript()
	agent.Goto("/")
	prepare(t, agent, people, camp.FindStringSubmatch(agent.Link(e.Name))[1])

	f := newFamily(e.Key)
	parent := b.Person(t, h.Portal, browser.Phone)
	parent.NoScript()
	f.join(t, h, parent)
	f.fillSheet(t, parent)
	registration := f.register(t, parent, e)
	validate(t, h, agent, f)
	pay(t, h, parent, registration, false)
	registered(t, h.Odoo, e, f.Name(), "open")
}

// validate says yes to the request in the office's queue.
func validate(t *testing.T, h *house.House, agent *browser.Page, f family) {
	t.Helper()
	agent.Goto("/gestion/inscriptions").Says(f.Name()).Check()
	agent.FollowIn(f.Name(), f.Name()).Says(f.StopOut, f.StopBack, "80,00 €").Check()
	agent.Press("Valider").Says("La demande est validée")
	if _, err := h.WaitMail(t.Context(), f.Email, "À payer avant le"); err != nil {
		t.Error(err)
	}
}

// chainHouse is the shared demo, or one of its own that works on the Odoo of the environment.
func chainHouse(t *testing.T) *house.House {
	t.Helper()
	if !*onOdoo {
		return shared(t)
	}
	odoo := &house.Odoo{URL: os.Getenv("ODOO_URL"), DB: os.Getenv("ODOO_DB"), User: os.Getenv("ODOO_USER"), Password: os.Getenv("ODOO_PASSWORD")}
	if odoo.URL == "" || odoo.DB == "" || odoo.User == "" || odoo.Password == "" {
		t.Fatal("-odoo needs ODOO_URL, ODOO_DB, ODOO_USER and ODOO_PASSWORD")
	}
	return own(t, odoo)
}

// command runs a command of the program beside the serving one and reads the JSON that it prints.
func command(t *testing.T, h *house.House, v any, args ...string) {
	t.Helper()
	out, err := h.Command(t.Context(), args...)
	if err == nil && v != nil {
		err = json.Unmarshal([]byte(out), v)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// prepare does what an agent decides about a new camp: its bus, its leader, how fresh the sheets must be.
func prepare(t *testing.T, agent *browser.Page, all []house.Person, id string) {
	t.Helper()
	agent.Goto("/gestion/").Check()
	agent.Goto("/gestion/stages").Check()
	agent.Goto("/gestion/stages/" + id).Check()
	agent.Pick("Ajouter une ligne de bus", "Ligne nord").Press("Desservir ce stage").Says("La ligne dessert maintenant ce stage")
	leader := person(t, all, "Animatrice")
	agent.Pick("Ajouter un animateur", strings.Split(leader.Email, ".")[0]).FollowIn("Ajouter un animateur", "Ajouter").Says("L'animateur est ajouté", leader.Email)
	agent.Follow("Modifier les réglages").Check()
	agent.Fill("Fiche médicale valable", "3").Fill("À apporter", "Des bottes et une gourde.").Press("Enregistrer").Says("Les réglages du stage sont enregistrés").Check()
}

var structured = regexp.MustCompile(`\+{3}(\d{3})/(\d{4})/(\d{5})\+{3}`)

// pay opens a Bancontact payment, sees its QR code on the desktop, pays on the hosted page and comes back.
func pay(t *testing.T, h *house.House, p *browser.Page, registration string, desktop bool) {
	t.Helper()
	p.Goto(registration).Says("Payer 80,00 €").Check()
	p.Follow("Payer 80,00 €").Says("Payer tout de suite", "Communication structurée").Check()
	found := structured.FindStringSubmatch(p.Text())
	if found == nil {
		p.Fatalf("the page has no structured communication")
	}
	communication := strings.Join(found[1:], "")
	p.Follow("Payer avec Bancontact").Check()
	if qr := seeQR(p); desktop && (qr.Width < 150 || qr.Natural == 0 || qr.Alt == "") {
		p.Fatalf("the QR code is not there to scan: %+v", qr)
	} else if !desktop && qr.Width > 0 {
		p.Fatalf("the phone shows a code to scan with a phone")
	}
	p.Follow("Ouvrir la page de paiement").Says("Simulateur de paiement", "80,00 €").Check()
	p.Follow("Payer 80,00 €").Until("confirmée").Check()
	books, err := h.Books(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	paid := slices.Collect(func(yield func(house.Payment) bool) {
		for _, b := range books {
			if strings.Contains(b.Description, communication) && !yield(b) {
				return
			}
		}
	})
	if len(paid) != 1 || paid[0].Status != "paid" || paid[0].Cents != 8000 || paid[0].Method != "bancontact" {
		t.Errorf("the provider's books say %+v of %s", paid, communication)
	}
	p.Goto("/mon-espace/inscriptions").Says("Validées 1", "confirmée").Check()
}

// qr is the code on the payment's page; a width of 0 is hidden.
type qr struct {
	Width   float64
	Natural int // pixels of the picture
	Alt     string
}

func seeQR(p *browser.Page) qr {
	return browser.Value[qr](p, `(function () { var i = document.querySelector(".qr img"); return i ? { Width: i.getBoundingClientRect().width, Natural: i.naturalWidth, Alt: i.alt } : {}; })()`)
}

// invoice downloads the invoice and compares it with the one that came by mail.
func invoice(t *testing.T, h *house.House, p *browser.Page, f family, e event) {
	t.Helper()
	p.Goto("/mon-espace/factures").Check()
	kind, name, pdf := p.Download(p.Link("PDF"))
	if kind != "application/pdf" || !bytes.HasPrefix(pdf, []byte("%PDF-")) || !strings.Contains(name, ".pdf") {
		t.Fatalf("the invoice is a %s (%s) of %d bytes", kind, name, len(pdf))
	}
	text, read := pdfText(t, pdf)
	for _, want := range []string{f.Last, f.Child, e.Name, "80,00"} {
		if read && !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("the invoice does not say %q:\n%s", want, text)
		}
	}
	mail, err := h.WaitMail(t.Context(), f.Email, "acture")
	if err != nil {
		t.Fatal(err)
	}
	if len(mail.Attachments) != 1 || mail.Attachments[0].Type != "application/pdf" {
		t.Fatalf("the invoice's mail has the files %+v", mail.Attachments)
	}
	sent, err := h.Attached(t.Context(), mail.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sent, pdf) {
		t.Errorf("the mailed invoice (%d bytes) is not the downloaded one (%d bytes)", len(sent), len(pdf))
	}
	p.Follow("F").Check() // the same document as a page
}

// pdfText reads a PDF with poppler; without it, it says so and only the file's frame is known.
func pdfText(t *testing.T, pdf []byte) (text string, read bool) {
	t.Helper()
	path, err := exec.LookPath("pdftotext")
	if err != nil {
		t.Log("NOT READ: the words of the invoice (apt-get install poppler-utils)")
		return "", false
	}
	cmd := exec.CommandContext(t.Context(), path, "-layout", "-", "-")
	cmd.Stdin = bytes.NewReader(pdf)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out), true
}

// due is what the command remind prints.
type due struct {
	Due []struct {
		Template, Slot, Subject, Camp string
	} `json:"due"`
	Enqueued int `json:"enqueued"`
}

// of returns the templates of what is due for one camp: the other journeys share the demo, and a family that is
// confirmed meanwhile has reminders of its own.
func (d due) of(camp string) []string {
	var templates []string
	for _, one := range d.Due {
		if one.Camp == camp {
			templates = append(templates, one.Template)
		}
	}
	slices.Sort(templates)
	return templates
}

// remind looks at the rules on their page, lets two days before the camp come, twice, and expects one mail.
func remind(t *testing.T, h *house.House, b *browser.Browser, all []house.Person, f family, id string, e event) {
	t.Helper()
	admin := signIn(t, b, h, person(t, all, "Administrat"), browser.Desktop)
	admin.Goto("/gestion/systeme").Check()
	admin.Goto("/gestion/reglages").Check()

	at := e.First.AddDays(-2).String() + "T09:00"
	var first, again due
	command(t, h, &first, "remind", "--at", at, "--json")
	if got, want := first.of(id), []string{"camp_soon", "sheet_stale"}; !slices.Equal(got, want) || first.Enqueued < len(want) {
		t.Fatalf("at %s the camp has the reminders %q, want %q: %+v", at, got, want, first)
	}
	command(t, h, &again, "remind", "--at", at, "--json")
	if got := again.of(id); len(got) != 0 {
		t.Errorf("the second run finds %q for the camp: %+v", got, again)
	}
	sheet := first.Due[slices.IndexFunc(first.Due, func(d struct{ Template, Slot, Subject, Camp string }) bool {
		return d.Camp == id && d.Template == "sheet_stale"
	})]
	message := enqueuedOnce(t, h, sheet.Template, sheet.Subject, sheet.Slot)
	var got []house.Mail
	err := house.Eventually(t.Context(), func(ctx) error {
		if got = reminders(t, h, f, message); len(got) != 1 {
			return fmt.Errorf("%d mails of the message %s, want 1", len(got), message)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got[0].Text+got[0].HTML, allergy) {
		t.Error("the reminder says what the sheet says")
	}
}

// enqueuedOnce returns the one message about a subject that is of this slot of its ladder or of a later one. An earlier
// one may be there too: the program that serves reminds by the real clock.
func enqueuedOnce(t *testing.T, h *house.House, template, subject, slot string) string {
	t.Helper()
	conn := connect(t, h)
	rows, err := conn.Query(t.Context(), `
		SELECT id::text
		FROM message
		WHERE template = @template
		  AND subject_id = @subject
		  AND slot >= @slot::date::timestamp AT TIME ZONE 'Europe/Brussels'`,
		pgx.NamedArgs{"template": template, "subject": subject, "slot": slot})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(ids) != 1 {
		t.Fatalf("%d messages %s of the slot %s, want 1", len(ids), template, slot)
	}
	return ids[0]
}

// reminders returns the mails of a message to the family about its sheet.
func reminders(t *testing.T, h *house.House, f family, message string) []house.Mail {
	t.Helper()
	all, err := h.Mails(t.Context(), f.Email)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(m house.Mail) bool {
		return !strings.Contains(strings.ToLower(m.Subject), "fiche médicale") || !strings.Contains(m.MessageID, message)
	})
}

// connect opens the program's database.
func connect(t *testing.T, h *house.House) *pgx.Conn {
	t.Helper()
	address, err := h.Database("ribambelle")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

// begin lets the camp have begun yesterday: nobody is marked on a day that has not come.
func begin(t *testing.T, h *house.House, id string) {
	t.Helper()
	_, err := connect(t, h).Exec(t.Context(), `
		UPDATE camp_session AS s
		SET day = s.day - (f.day - (now() AT TIME ZONE 'Europe/Brussels')::date + 1)
		FROM (SELECT min(day) AS day FROM camp_session WHERE camp_id = $1) AS f
		WHERE s.camp_id = $1`, id)
	if err != nil {
		t.Fatal(err)
	}
}

// attend marks the child on the leader's phone: present on the first day, absent on the second.
func attend(t *testing.T, h *house.House, b *browser.Browser, all []house.Person, f family, e event) {
	t.Helper()
	p := signIn(t, b, h, person(t, all, "Animatrice"), browser.Phone)
	p.Goto("/animateur/").Check()
	p.Follow(e.Name).Says(f.Name(), allergy, f.StopOut).Check()
	mark := func(word string) {
		p.Click(word + " : " + f.Name())
		err := house.Eventually(t.Context(), func(ctx) error {
			if got := browser.Value[string](p, `(document.querySelector("button[name=mark][aria-pressed=true]") || {value: ""}).value`); got != map[string]string{"Présent": "present", "Absent": "absent"}[word] {
				return fmt.Errorf("the page says %q", got)
			}
			return nil
		})
		if err != nil {
			p.Fatalf("%v", err)
		}
	}
	p.Goto(browser.Value[string](p, `document.querySelector("ul.sessions a").href`))
	mark("Présent")
	p.Until("1 présent").Says("0 à noter").Check()
	sessions := browser.Value[[]string](p, `Array.from(document.querySelectorAll("ul.sessions a")).map(function (a) { return a.href; })`)
	if len(sessions) < 2 {
		p.Fatalf("the camp has the sessions %v", sessions)
	}
	p.Goto(sessions[1]).Says("0 présent", "1 à noter")
	mark("Absent")
	p.Until("1 absent").Says("0 présent", "0 à noter").Check()
}

// workbook downloads the register from the office, makes it by command, and reopens both.
func workbook(t *testing.T, h *house.House, agent *browser.Page, f family, id string) {
	t.Helper()
	agent.Goto("/gestion/stages/" + id).Says("1 présents sur 1 notés").Check()
	_, name, body := agent.Download(agent.Link("Registre avec allergies"))
	if !strings.Contains(name, ".xlsx") {
		t.Errorf("the register downloads as %s", name)
	}
	out := filepath.Join(t.TempDir(), "registre.xlsx")
	command(t, h, nil, "report", "registre", "--camp", id, "--medical", "--out", out)
	made, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for from, body := range map[string][]byte{"the office": body, "the command": made} {
		row := registerRow(t, body, f)
		for _, want := range []string{f.Child, "P3", f.StopOut, f.StopBack, allergy, "+32475123456", "P", "A"} {
			if !slices.ContainsFunc(row, func(cell string) bool {
				return cell == want || len(want) > 2 && strings.Contains(digits(cell), digits(want))
			}) {
				t.Errorf("the register of %s does not say %q: %q", from, want, row)
			}
		}
	}
	_, _, plain := agent.Download(agent.Link("Registre sans données de santé"))
	if row := strings.Join(registerRow(t, plain, f), "|"); strings.Contains(row, allergy) {
		t.Errorf("the register without health data says %q", row)
	}
}

// digits makes two ways to write a telephone number alike.
func digits(s string) string {
	s = strings.NewReplacer(" ", "", "\u00a0", "", "+32", "0").Replace(s)
	return s
}

// registerRow returns the cells of the child's row.
func registerRow(t *testing.T, body []byte, f family) []string {
	t.Helper()
	book, err := excelize.OpenReader(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("reopening the register: %v", err)
	}
	defer func() { _ = book.Close() }()
	rows, err := book.GetRows(book.GetSheetList()[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if slices.Contains(row, f.ChildLast) {
			return row
		}
	}
	t.Fatalf("the child is not in the register: %q", rows)
	return nil
}

// sealed looks for what must not be readable anywhere outside its page: on no page of the log, in no other mail.
func sealed(t *testing.T, h *house.House, f family) {
	t.Helper()
	output, err := h.Output()
	if err != nil {
		t.Fatal(err)
	}
	mails, err := h.Mails(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	text := output
	for _, m := range mails {
		text += m.Subject + m.Text + m.HTML
	}
	for _, secret := range []string{allergy, consequence, f.Password} {
		if strings.Contains(text, secret) {
			t.Errorf("%q stands in the log or in a mail", secret)
		}
	}
}

package notice

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/enrol"
	"ribambelle/internal/household"
	"ribambelle/internal/ledger"
	"ribambelle/internal/locale"
	"ribambelle/internal/mail/maildrop"
	"ribambelle/internal/problem"
)

// to returns the mails of a list that went to the nth family of a world.
func to(mails []maildrop.Mail, n int) []maildrop.Mail {
	var some []maildrop.Mail
	for _, m := range mails {
		if slices.Contains(m.To, fmt.Sprintf("parent%d@example.org", n)) {
			some = append(some, m)
		}
	}
	return some
}

func subjects(mails []maildrop.Mail) []string {
	var all []string
	for _, m := range mails {
		all = append(all, strings.ReplaceAll(m.Subject, locale.NBSP, " "))
	}
	return all
}

// TestJourney follows one registration from the request to the camp, with a second guardian who receives messages.
func TestJourney(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f, father := b.Family(t, 1), b.Family(t, 0) // parent1, parent2
	b.join(t, father, f, 0, household.RightSee, household.RightMessages)
	b.sql(t, `UPDATE guardian SET first_name = 'Marc', last_name = 'Dubois', phone = '+32475999999' WHERE id = $1`, father.Guardian.ID)
	c := b.Camp(t, "Nature", 10)
	b.Settings(t, c.ID, func(s *camp.Settings) {
		s.Bring = "- gourde\n- chapeau de soleil;\n"
		s.Contact = "Julie, 0475 00 11 22"
	})
	line := b.Bus(t, c, 20)
	b.fresh(t, f, 0)
	r, err := b.Enrol.Register(t.Context(), f.Guardian.ID, enrol.Request{
		Key: uuid.New(), ChildID: f.Children[0].ID, CampID: c.ID, StopOutID: &line.Stops[0].ID, StopBackID: &line.Stops[1].ID,
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []maildrop.Mail
	step := func(what string, wantFirst, wantSecond []string) []maildrop.Mail {
		t.Helper()
		b.tell(t)
		mails := b.send(t)
		if diff := cmp.Diff(wantFirst, subjects(to(mails, 1))); diff != "" {
			t.Errorf("%s, to who registered (-want +got):\n%s", what, diff)
		}
		if diff := cmp.Diff(wantSecond, subjects(to(mails, 2))); diff != "" {
			t.Errorf("%s, to the other guardian (-want +got):\n%s", what, diff)
		}
		all = append(all, mails...)
		return mails
	}
	step("requested", []string{"Demande reçue : Léaa, stage « Nature »"}, nil)

	b.Validate(t, f, r)
	asked := step("validated", []string{"À payer avant le mardi 11 mai à 20 h : Léaa, stage « Nature »"}, nil)[0]
	for _, want := range []string{
		"80,00 €", "mardi 11 mai à 20 h", "+++", "BE15 0910 0000 0130", "Commune de Testville",
		"https://stages.testville.example/mon-espace/inscriptions/" + r.ID.String() + "/paiement",
	} {
		if text := strings.ReplaceAll(asked.Text, locale.NBSP, " "); !strings.Contains(text, want) {
			t.Errorf("the mail that asks to pay lacks %q:\n%s", want, text)
		}
	}

	b.pay(t, f, r)
	invoice := "Facture F-2027-00001 : stage « Nature »"
	step("paid", []string{invoice, "Inscription confirmée : Léaa, stage « Nature »"}, []string{"Inscription confirmée : Léaa, stage « Nature »"})

	b.until(firstDay.AddDays(-3), 9)
	if n := b.enqueueDue(t); n != 2 {
		t.Errorf("%d reminders three days before, want one for each guardian", n)
	}
	soon := "Le stage commence dans 3 jours : Léaa, stage « Nature »"
	for _, m := range step("three days before", []string{soon}, []string{soon}) {
		for _, want := range []string{
			"du lundi 5 au vendredi 9 juillet 2027", "École du Centre", "de 9 h à 16 h", "Place de la Station, à 8 h 05", "École du Nord, à 16 h 25",
			"gourde ; chapeau de soleil", "Julie, 0475 00 11 22",
		} {
			if !strings.Contains(strings.ReplaceAll(m.Text, locale.NBSP, " "), want) {
				t.Errorf("the mail before the camp lacks %q:\n%s", want, m.Text)
			}
		}
	}

	for _, m := range all {
		for _, secret := range []string{"latex", "hypersensible"} {
			if strings.Contains(m.Text+m.HTML+m.Subject, secret) {
				t.Errorf("health data in %q", m.Subject)
			}
		}
		if m.Text == "" || m.HTML == "" || !strings.Contains(m.MessageID, "@testville.example") || m.Header["Reply-To"] == "" {
			t.Errorf("%q lacks its text, its HTML, its Message-ID or where to answer: %v", m.Subject, m.Header)
		}
	}
	for _, m := range to(all, 2) {
		for _, secret := range []string{"€", "+++", "Sophie", "Lambert", "parent1", "0475 12 34 56", "Rue Haute", "aiement"} {
			if strings.Contains(m.Text+m.HTML+m.Subject, secret) {
				t.Errorf("the other guardian reads %q in %q:\n%s", secret, m.Subject, m.Text)
			}
		}
	}
	keepForReading(t, all)
}

// keepForReading leaves the mails in a directory for someone who wants to read them aloud: MAILS_OUT=dir go test.
func keepForReading(t *testing.T, mails []maildrop.Mail) {
	dir := os.Getenv("MAILS_OUT")
	if dir == "" {
		return
	}
	for i, m := range mails {
		name := fmt.Sprintf("%s-%02d.txt", strings.ReplaceAll(t.Name(), "/", "-"), i)
		if err := os.WriteFile(filepath.Join(dir, name), []byte("À : "+m.To[0]+"\nObjet : "+m.Subject+"\n\n"+m.Text), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// TestExits tells every guardian how a registration ended, and each only what is theirs to know.
func TestExits(t *testing.T) {
	t.Parallel()
	const reason = "Motif tres precis."
	for name, tt := range map[string]struct {
		leave  func(b *bundle, account, guardian uuid.UUID, r enrol.Registration) error
		title  string
		reason bool
	}{
		"cancelled": {func(b *bundle, a, _ uuid.UUID, r enrol.Registration) error {
			return b.Enrol.Cancel(context.Background(), a, r.ID, reason)
		}, "Le service a annulé l’inscription", true},
		"expired": {func(b *bundle, a, _ uuid.UUID, r enrol.Registration) error {
			if err := b.Enrol.Decide(context.Background(), a, r.ID, true, ""); err != nil {
				return err
			}
			b.until(civil.NewDate(2027, 5, 12), 9)
			_, err := b.Enrol.Expire(context.Background())
			return err
		}, "Le délai de paiement est dépassé", false},
		"refused": {func(b *bundle, a, _ uuid.UUID, r enrol.Registration) error {
			return b.Enrol.Decide(context.Background(), a, r.ID, false, reason)
		}, "Votre demande n’a pas pu être acceptée", true},
		"withdrawn": {func(b *bundle, a, g uuid.UUID, r enrol.Registration) error {
			_, err := b.Enrol.Withdraw(context.Background(), g, a, r.ID, reason)
			return err
		}, "L’inscription est annulée", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			f, father := b.Family(t, 1), b.Family(t, 0)
			b.join(t, father, f, 0, household.RightSee, household.RightMessages)
			r := b.Ask(t, f, 0, b.Camp(t, "Nature", 10))
			b.tell(t)
			if err := tt.leave(b, f.Account, f.Guardian.ID, r); err != nil {
				t.Fatal(err)
			}
			b.tell(t)
			mails := b.send(t) // the request's mail and what came between are outdated
			own, other := to(mails, 1), to(mails, 2)
			if len(own) != 1 || len(other) != 1 {
				t.Fatalf("%d mails to who registered, %d to the other guardian, want 1 each: %q", len(own), len(other), subjects(mails))
			}
			if !strings.HasPrefix(own[0].Text, tt.title+"\n") || strings.Contains(own[0].Text, reason) != tt.reason {
				t.Errorf("who registered reads\n%s", own[0].Text)
			}
			if !strings.HasPrefix(other[0].Text, "L’inscription a pris fin\n") || strings.Contains(other[0].Text, reason) {
				t.Errorf("the other guardian reads\n%s", other[0].Text)
			}
			keepForReading(t, mails)
		})
	}
}

// TestOfferWaitsForTheMorning offers a place in the evening; one that is answered before it left is not announced.
func TestOfferWaitsForTheMorning(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.Camp(t, "Nature", 1)
	first, second := b.Family(t, 1), b.Family(t, 1)
	taken := b.Ask(t, first, 0, c)
	waiting := b.Ask(t, second, 0, c)
	b.tell(t)
	b.send(t)
	b.until(civil.NewDate(2027, 5, 6), 21)
	if _, err := b.Enrol.Withdraw(t.Context(), first.Guardian.ID, first.Account, taken.ID, ""); err != nil {
		t.Fatal(err)
	}
	if got := b.Read(t, waiting.ID).State; got != enrol.Offered {
		t.Fatalf("the waiting registration is %s", got)
	}
	b.tell(t)
	var at time.Time
	err := b.World.DB.QueryRow(t.Context(), `
		SELECT j.scheduled_at
		FROM river_job AS j
		JOIN message AS m ON m.id::text = j.args ->> 'message_id'
		WHERE m.template = 'registration_offered'`).Scan(&at)
	if want := civil.NewDate(2027, 5, 7).At(8*60, civil.Brussels); err != nil || !at.Equal(want) {
		t.Errorf("the offer is to leave at %v, want %v (%v)", at, want, err)
	}
	var offer uuid.UUID
	if err := b.World.DB.QueryRow(t.Context(), `SELECT id FROM message WHERE template = 'registration_offered'`).Scan(&offer); err != nil {
		t.Fatal(err)
	}
	// A job that runs all the same, on its clock or after a repeat, waits too.
	if err := b.Send(t.Context(), offer, false); err == nil || len(to(b.drop.To(""), 2)) != 1 {
		t.Errorf("at night the offer gives %v and %d mails", err, len(to(b.drop.To(""), 2)))
	}
	b.until(civil.NewDate(2027, 5, 7), 8)
	mails := to(b.send(t), 2)
	if diff := cmp.Diff([]string{"Place proposée jusqu’au samedi 8 mai à 20 h : Léaa, stage « Nature »"}, subjects(mails)); diff != "" {
		t.Errorf("in the morning (-want +got):\n%s", diff)
	}
	keepForReading(t, mails)
}

// TestPayerApart lets an organisation pay: it hears of the money, who registered does not; a change of mind of the
// commune and a block are told, and not told, as they are.
func TestPayerApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f, centre := b.Family(t, 1), b.Family(t, 0)
	b.sql(t, `UPDATE guardian SET kind = 'organisation', first_name = 'CPAS', last_name = 'de Testville' WHERE id = $1`, centre.Guardian.ID)
	r := b.Ask(t, f, 0, b.Camp(t, "Nature", 10))
	b.sql(t, `UPDATE registration SET payer_id = $1, debtor_id = $1 WHERE id = $2`, centre.Guardian.ID, r.ID)
	b.Validate(t, f, r)
	b.tell(t)
	mails := b.send(t)
	own, payer := to(mails, 1), to(mails, 2)
	if len(own) != 1 || len(payer) != 1 || len(mails) != 2 {
		t.Fatalf("mails: %q", subjects(mails))
	}
	if !strings.Contains(payer[0].Text, "60,00") || !strings.Contains(payer[0].Text, "+++") {
		t.Errorf("the payer reads\n%s", payer[0].Text)
	}
	if strings.ContainsAny(own[0].Text, "€+") || !strings.HasPrefix(own[0].Text, "La demande est acceptée\n") {
		t.Errorf("who registered reads\n%s", own[0].Text)
	}
	keepForReading(t, mails)

	b.sql(t, `UPDATE registration SET state = 'to_validate'`)
	b.sql(t, `
		INSERT INTO registration_event (registration_id, from_state, to_state, at, actor_kind, actor_id)
		VALUES ($1, 'awaiting_payment', 'to_validate', now(), 'command', 'test')`, r.ID)
	event := b.count(t, `SELECT max(id) FROM registration_event`)
	if err := b.registrationChanged(t.Context(), int64(event)); err != nil {
		t.Fatal(err)
	}
	last := civil.DateOf(b.now(), civil.Brussels).AddDays(-1)
	b.sql(t, `UPDATE guardianship SET valid_from = '2020-01-01', valid_until = $1`, last)
	mails = b.send(t)
	if len(to(mails, 1)) != 0 {
		t.Errorf("someone who may no longer see the child was written to: %q", subjects(mails))
	}
	if payer := to(mails, 2); len(payer) != 1 || !strings.HasPrefix(payer[0].Text, "L’inscription est à nouveau en cours d’examen\n") {
		t.Errorf("the payer was told %q", subjects(payer))
	}
}

// TestBusChanged: other stops are told to everybody who receives messages about the child, once, and by nobody's name.
func TestBusChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f, other := b.Family(t, 1), b.Family(t, 0)
	b.join(t, other, f, 0, household.RightSee, household.RightRegister, household.RightMessages)
	c := b.Camp(t, "Nature", 10)
	b.Bus(t, c, 10)
	r := b.Ask(t, f, 0, c)
	b.tell(t)
	b.send(t)
	var stop uuid.UUID
	if err := b.World.DB.QueryRow(t.Context(), `SELECT id FROM bus_stop WHERE name = 'École du Nord'`).Scan(&stop); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the same stops again are no news
		done, err := b.Enrol.ChangeBus(t.Context(), other.Guardian.ID, other.Account, r.ID, &stop, nil)
		if err != nil || !done {
			t.Fatalf("done %v, %v", done, err)
		}
	}
	b.tell(t)
	mails := b.send(t)
	if len(to(mails, 1)) != 1 || len(to(mails, 2)) != 1 || len(mails) != 2 {
		t.Fatalf("mails: %q", subjects(mails))
	}
	for _, m := range mails {
		if !strings.HasPrefix(m.Subject, "Bus modifié") || !strings.Contains(m.Text, "École du Nord") || !strings.Contains(m.Text, "8 h 20") && !strings.Contains(m.Text, "8\u00a0h\u00a020") {
			t.Errorf("%s\n%s", m.Subject, m.Text)
		}
	}
	if n := b.count(t, `SELECT count(*) FROM registration_event WHERE from_state = to_state AND reason LIKE '→ École du Nord%'`); n != 1 {
		t.Errorf("%d lines in the history, want 1", n)
	}
	// Once paid, who neither registers nor pays can only ask.
	b.Validate(t, f, r)
	b.pay(t, f, r)
	done, err := b.Enrol.ChangeBus(t.Context(), other.Guardian.ID, other.Account, r.ID, nil, &stop)
	if err != nil || done || b.tasks(t, "bus_asked") != 1 {
		t.Errorf("done %v, %v, %d tasks, want a request", done, err, b.tasks(t, "bus_asked"))
	}
	if b.Read(t, r.ID).StopBackID != nil {
		t.Error("the request changed the bus")
	}
}

func TestOutdatedIsDropped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.Family(t, 1)
	r := b.Ask(t, f, 0, b.Camp(t, "Nature", 10))
	b.tell(t) // « demande reçue » waits to be sent
	if n := len(b.unsent(t)); n != 1 {
		t.Fatalf("%d messages wait, want 1", n)
	}
	b.Validate(t, f, r)
	if mails := b.send(t); len(mails) != 0 {
		t.Errorf("an outdated mail left: %q", mails[0].Subject)
	}
	b.tell(t)
	if mails := b.send(t); len(mails) != 1 || !strings.HasPrefix(mails[0].Subject, "À payer") {
		t.Errorf("then %q left", subjects(mails))
	}
}

func TestPaymentReminderStopsAtSending(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.Family(t, 1)
	r := b.Validate(t, f, b.Ask(t, f, 0, b.Camp(t, "Nature", 10)))
	b.tell(t)
	b.send(t)
	b.until(civil.NewDate(2027, 5, 8), 9)
	if n := b.enqueueDue(t); n != 1 {
		t.Fatalf("%d reminders, want 1", n)
	}
	b.pay(t, f, r)
	if mails := b.send(t); len(mails) != 0 {
		t.Errorf("reminded of what is paid: %q", mails[0].Subject)
	}
}

// TestInvoiceOnce runs the job of one invoice several times at once: one drawing, one mail, the kept PDF in it.
func TestInvoiceOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.Family(t, 1)
	r := b.Validate(t, f, b.Ask(t, f, 0, b.Camp(t, "Nature", 10)))
	b.pay(t, f, r)
	var id uuid.UUID
	if err := b.World.DB.QueryRow(t.Context(), `SELECT id FROM invoice`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := b.invoiceIssued(context.Background(), id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	mails := b.send(t)
	mails = append(mails, b.send(t)...)
	if len(mails) != 1 || len(mails[0].Attachments) != 1 {
		t.Fatalf("%d mails: %q", len(mails), subjects(mails))
	}
	kept, err := ledger.New(b.World.DB, b.now).InvoiceFile(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	got := mails[0].Attachments[0]
	if got.Name != "facture-F-2027-00001.pdf" || got.Type != "application/pdf" || !bytes.Equal(got.Data, kept) {
		t.Errorf("attached %s, %s, %d bytes; kept %d bytes", got.Name, got.Type, len(got.Data), len(kept))
	}
	keepForReading(t, mails)
}

func TestSaveRule(t *testing.T) {
	t.Parallel()
	b := setup(t)
	actor := audit.Command("test")
	err := b.SaveRule(t.Context(), actor, Rule{Code: "fiche-medicale", FirstDays: 0, EveryDays: 366, AtMost: 51})
	var p *problem.Error
	if !problem.Is(err, problem.KindInvalid) {
		t.Errorf("bad intervals give %v, %v", err, p)
	}
	if err := b.SaveRule(t.Context(), actor, Rule{Code: "none", FirstDays: 1, EveryDays: 1, AtMost: 1}); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("an unknown rule gives %v", err)
	}
	want := Rule{Code: "fiche-medicale", Trigger: TriggerSheetStale, FirstDays: 20, EveryDays: 3, AtMost: 4}
	for range 2 { // the same again changes nothing
		if err := b.SaveRule(t.Context(), actor, Rule{Code: "fiche-medicale", Trigger: "x", FirstDays: 20, EveryDays: 3, AtMost: 4}); err != nil {
			t.Fatal(err)
		}
	}
	rules, err := b.Rules(t.Context())
	if err != nil || len(rules) != 3 {
		t.Fatalf("%d rules, %v", len(rules), err)
	}
	if diff := cmp.Diff(want, rules[0]); diff != "" {
		t.Errorf("rule (-want +got):\n%s", diff)
	}
	if n := b.count(t, `SELECT count(*) FROM audit WHERE action = 'reminder_rule.changed'`); n != 1 {
		t.Errorf("%d lines in the audit, want 1", n)
	}
}

// TestWords: every letter has all its words in French, and the other languages have every word of French.
func TestWords(t *testing.T) {
	t.Parallel()
	keys := []string{
		"account_confirm", "account_known", "account_reset", templateInvoice, templateAttestation, templateAttestation + ".corrected", templateAttestation + ".withdrawn", TriggerSheetStale, "sheet_stale.new", TriggerCampSoon, TriggerPaymentDue,
		"registration_to_validate.again", "registration_awaiting_payment.told", "registration_expired.offer", "registration_over.told",
	}
	for _, state := range told {
		keys = append(keys, templateRegistration+string(state))
	}
	fr := locale.For("fr")
	for _, key := range keys {
		for _, part := range []string{"subject", "title", "body", "button"} {
			if name := "notice." + key + "." + part; !fr.Has(name) {
				t.Errorf("French lacks %s", name)
			}
		}
	}
	for _, lang := range locale.Languages[1:] {
		for _, key := range fr.Keys() {
			if strings.HasPrefix(key, "notice.") && !locale.For(lang).Has(key) {
				t.Errorf("%s lacks %s", lang, key)
			}
		}
	}
	for _, trigger := range []string{TriggerSheetStale, TriggerCampSoon, TriggerPaymentDue} {
		if !fr.Has("notice.rule.name." + trigger) {
			t.Errorf("French lacks the name of %s", trigger)
		}
	}
}
